#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is seen of a large image while it is fetched: a bar on a terminal, a line now and then elsewhere.

load helpers

REGISTRY=127.0.0.1:5060
LARGE=$REGISTRY/lab/large:1

setup_file() {
    lab_ready
    "$LAB" registry "$LAB_DIR" --port "${REGISTRY#*:}" >/dev/null
    image "$LARGE" 'RUN dd if=/dev/urandom of=/large bs=1M count=16'
    docker push --quiet "$LARGE" >/dev/null
}

setup() {
    remove_image
    remember_state
    XML=$BATS_TEST_TMPDIR/vm.xml SEEN=$BATS_TEST_TMPDIR/seen
    vm_xml 65 nic=lab0,10.9.0.65 image="docker://$LARGE" >"$XML"
}

teardown() {
    tc qdisc del dev lo root 2>/dev/null || true
    sweep
}

teardown_file() {
    remove_image
}

# A second pull would find its layers.
remove_image() {
    docker images --quiet "${LARGE%:*}" | xargs -r docker rmi --force >/dev/null
    docker image prune --force >/dev/null
}

# The bytes of the layer that the engine does not have, as progress tells them: "16.0".
mebibytes() {
    curl -fs -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
        "http://$REGISTRY/v2/lab/large/manifests/1" | jq '.layers[-1].size' | awk '{ printf "%.1f", $1 / 1048576 }'
}

# figures PATTERN: the part of each line of stdin that PATTERN has in its group.
figures() {
    sed -nE "s|.*$1.*|\1|p"
}

# Each line of stdin is a number, none smaller than the one before it.
rises() {
    sort -c -g -
}

@test "on a terminal: a bar that fills, the bytes that there are to fetch, the rate, and the deploy id on a line of its own" {
    local bars
    slow_network 20 script --quiet --return --command "vmdock deploy '$XML'" "$BATS_TEST_TMPDIR/typescript" >"$SEEN"
    # what the terminal drew over itself, a line each
    bars=$(tr '\r' '\n' <"$SEEN" | grep '^\[')
    [ "$(wc -l <<<"$bars")" -ge 5 ]
    refused grep -vqE $'^\\[#*\\.*\\] [0-9.]+ of [0-9.]+ MiB \\([0-9]+ %\\), [0-9.]+ MiB/s, [0-9]+ of [12] layers\e\\[K$' <<<"$bars"
    same "$(figures '^\[([#.]*)\]' <<<"$bars" | awk '{ print length }' | sort -u)" 24
    figures ' \(([0-9]+) %\)' <<<"$bars" | rises
    figures '^\[(#*)' <<<"$bars" | awk '{ print length }' | rises
    # at its end it has all of them, as fast as the network lets through
    same "$(tail -n 1 <<<"$bars" | figures '\] ([0-9.]+) of')" "$(mebibytes)"
    same "$(tail -n 1 <<<"$bars" | figures ' of ([0-9.]+) MiB ')" "$(mebibytes)"
    has "$(tail -n 1 <<<"$bars")" "(100 %)"
    tail -n 1 <<<"$bars" | figures ', ([0-9.]+) MiB/s' | awk '{ exit !($1 > 0 && $1 < 4) }'
    # what is said before and after it stands on lines of its own
    same "$(tr '\r' '\n' <"$SEEN" | grep -v '^\[' | sed '/^$/d; s/ in [0-9.]* s$//')" "note: VM one-65: fetching image $LARGE
note: VM one-65: fetched image $LARGE
one-65"
}

@test "elsewhere: plain lines, seconds apart, and stdout has the deploy id alone" {
    local begin=$SECONDS
    # 16 MB take 11 s
    slow_network 12 vmdock deploy "$XML" >"$SEEN" 2>"$SEEN.err"
    same "$(cat "$SEEN")" one-65
    has_not "$(cat "$SEEN.err")" $'\r'
    has_not "$(cat "$SEEN.err")" $'\e'
    grep -qE '^note: fetching: [0-9.]+ of [0-9.]+ MiB \([0-9]+ %\), [0-9.]+ MiB/s, [0-9]+ of 2 layers$' "$SEEN.err"
    figures '\(([0-9]+) %\)' <"$SEEN.err" | rises
    [ "$(grep -c 'MiB/s' "$SEEN.err")" -le $(((SECONDS - begin) / 5 + 1)) ]
}

@test "what is there already shows no progress" {
    docker pull --quiet "$LARGE" >/dev/null
    script --quiet --return --command "vmdock deploy '$XML'" "$BATS_TEST_TMPDIR/typescript" >"$SEEN"
    same "$(tr -d '\r' <"$SEEN")" one-65
}

@test "a pull that is interrupted ends its bar's line, says so, and nothing is left" {
    # shellcheck disable=SC2016 # expanded there
    printf '%s\n' 'vmdock deploy "$1" & vmdock=$!' 'until grep -q MiB "$2"; do sleep 0.05; done' \
        'kill -s INT $vmdock' 'wait $vmdock' >"$BATS_TEST_TMPDIR/interrupted"
    run slow_network 8 script --quiet --flush --return \
        --command "bash -m '$BATS_TEST_TMPDIR/interrupted' '$XML' '$BATS_TEST_TMPDIR/typescript'" "$BATS_TEST_TMPDIR/typescript"
    [ "$status" -eq 130 ]
    same "$(tr '\r' '\n' <<<"$output" | grep -c '^vmdock: ')" 1
    has "$output" "interrupted by signal 2"
    nothing_left
}
