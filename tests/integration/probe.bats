#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Addresses that another machine has are found before a VM takes them.

load helpers
load front_end

YES=user="$(element ONEDOCK_ADDRESS_PROBE YES)"
MAC=02:de:ad:00:00:01

setup_file() {
    lab_ready
    front_end_ready
    # Another machine on the bridge.
    ip netns add other
    ip link add other0 type veth peer name eth0 address "$MAC" netns other
    ip link set other0 master lab0 up
    ip -n other link set eth0 up
    ip -n other addr add 10.9.0.80/24 dev eth0
    ip -n other addr add fd09::80/64 dev eth0 nodad
}

teardown_file() {
    ip netns del other
}

setup() {
    remember_state
    PROBING=$(config_with '[network]' 'probe = true' 'probe_ms = 400')
}

teardown() {
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null 2>&1
    [ ! -e /run/netns/one-81 ] || ip netns del one-81
    find "$STATE" "$RUN" -xdev -mindepth 1 -delete 2>/dev/null || true
}

# deploy_probing [as vm_xml]
deploy_probing() {
    vm_xml "$@" | vmdock --config "$PROBING" deploy -
}

# The other machine has seen at least this many questions of this kind, from no address.
heard() {
    [ "$(grep -c "$2" "$BATS_TEST_TMPDIR/heard")" -ge "$1" ]
}

@test "an IPv4 address that another machine has fails the deploy, with the MAC, and leaves nothing" {
    fails_with DUPLICATE "NIC 0 (one-81-0): the address 10.9.0.80 is another machine's: $MAC answers for it" \
        deploy_probing 81 nic=lab0,10.9.0.80
    nothing_left
    # The other one still has it.
    ping -c 1 -W 2 -q 10.9.0.80
    [[ $(ip neigh show 10.9.0.80) == *"$MAC"* ]]
}

@test "the same of an IPv6 address" {
    fails_with DUPLICATE "NIC 0 (one-81-0): the address fd09::80 is another machine's: $MAC answers for it" \
        deploy_probing 81 nic=lab0,10.9.0.81,ip6=fd09::80
    nothing_left
}

@test "the same of an alias's, of the second NIC's, and of the host's own" {
    local alias
    alias="<NIC_ALIAS>$(element NIC_ID 1)$(element PARENT_ID 0)$(element IP 10.9.0.80)$(element MAC 02:00:0a:09:00:51)</NIC_ALIAS>"
    fails_with DUPLICATE "NIC 0 (one-81-0): the address 10.9.0.80" \
        deploy_probing 81 nic=lab0,10.9.0.81 template="$alias"
    fails_with DUPLICATE "NIC 1 (one-81-1): the address 10.9.0.80" \
        deploy_probing 81 nic=lab0,10.9.0.81 nic=lab0,10.9.0.80
    fails_with DUPLICATE "the address 10.9.0.1 is another machine's: $(cat /sys/class/net/lab0/address)" \
        deploy_probing 81 nic=lab0,10.9.0.1,gateway=
    nothing_left
}

@test "off unless it is asked for: by the host, or by a template, which may say no" {
    vm_xml 81 nic=lab0,10.9.0.80 >"$BATS_TEST_TMPDIR/vm.xml"
    has_not "$(vmdock explain "$BATS_TEST_TMPDIR/vm.xml")" "looked for"
    has "$(vmdock --config "$PROBING" explain "$BATS_TEST_TMPDIR/vm.xml")" "before they are taken, 400 ms"
    deploy 81 nic=lab0,10.9.0.80
    vmdock purge one-81
    fails_with DUPLICATE 10.9.0.80 deploy 81 nic=lab0,10.9.0.80 "$YES"
    deploy_probing 81 nic=lab0,10.9.0.80 user="$(element ONEDOCK_ADDRESS_PROBE NO)"
    vmdock purge one-81
    fails_with SPEC ONEDOCK_ADDRESS_PROBE deploy 81 nic=lab0,10.9.0.80 user="$(element ONEDOCK_ADDRESS_PROBE MAYBE)"
    fails_with DUPLICATE 10.9.0.80 vmdock run --set ADDRESS_PROBE=YES --bridge lab0 --ip 10.9.0.80/24 "$IMAGE"
}

@test "free addresses are asked for again and again, which tells nobody anything; the VM has them at its first instruction" {
    local listener
    ip netns exec other timeout 20 tcpdump -l -n -e -i eth0 'arp or icmp6' >"$BATS_TEST_TMPDIR/heard" 2>"$BATS_TEST_TMPDIR/log" 3>&- &
    listener=$!
    within 5 grep -q 'listening on' "$BATS_TEST_TMPDIR/log"
    deploy_probing 81 nic=lab0,10.9.0.81,ip6=fd09::81
    # The first question may come before the bridge lets anything pass.
    within 5 heard 2 "02:00:0a:09:00:51 .* Request who-has 10.9.0.81 tell 0.0.0.0"
    within 5 heard 2 "02:00:0a:09:00:51 .* :: > ff02::1:ff00:81: ICMP6, neighbor solicitation, who has fd09::81"
    # The first announcement comes behind the last question.
    awk '/who-has 10.9.0.81 tell 0.0.0.0/ { asked = NR } /tell 10.9.0.81|10.9.0.81 is-at/ && !told { told = NR }
        END { exit !(asked && (!told || asked < told)) }' "$BATS_TEST_TMPDIR/heard"
    docker logs one-81 | grep -q 10.9.0.81/24
    docker logs one-81 | grep -q 'fd09::81/64'
    ping -c 1 -W 2 -q 10.9.0.81
    ping -c 1 -W 2 -q fd09::81
    kill "$listener"
}

@test "the VM's earlier self is no duplicate: deployed again, rebooted, after the host's reboot, its other NIC" {
    deploy_probing 81 nic=lab0,10.9.0.81 nic=lab0,10.9.0.82
    deploy_probing 81 nic=lab0,10.9.0.81 nic=lab0,10.9.0.82
    vmdock --config "$PROBING" reboot one-81
    vmdock --config "$PROBING" cancel one-81
    deploy_probing 81 nic=lab0,10.9.0.81 nic=lab0,10.9.0.82
    # Its addresses change places, and a third comes.
    deploy_probing 81 nic=lab0,10.9.0.82 nic=lab0,10.9.0.81 nic=lab0,10.9.0.83
    vmdock cancel one-81
    vmdock --config "$PROBING" reboot one-81
    ping -c 1 -W 2 -q 10.9.0.83
    # What somebody else has taken meanwhile is found; the VM stays off, with all that it had.
    vmdock cancel one-81
    ip -n other addr add 10.9.0.83/24 dev eth0
    fails_with DUPLICATE "10.9.0.83" vmdock --config "$PROBING" reboot one-81
    same "$(container_state 81)" exited
    [ ! -e /run/netns/one-81 ]
    ip -n other addr del 10.9.0.83/24 dev eth0
    vmdock --config "$PROBING" reboot one-81
}

@test "a VM that runs keeps what it had when a new address of it is another's" {
    deploy_probing 81 nic=lab0,10.9.0.81
    fails_with DUPLICATE "NIC 1 (one-81-1): the address 10.9.0.80" \
        deploy_probing 81 nic=lab0,10.9.0.81 nic=lab0,10.9.0.80
    fails_with DUPLICATE "NIC 0 (one-81-0): the address 10.9.0.80" \
        deploy_probing 81 nic=lab0,10.9.0.80,mac=02:00:0a:09:00:51
    same "$(addresses 81)" 10.9.0.81/24
    same "$(ip -j -n one-81 link | jq 'length')" 2
    ping -c 1 -W 2 -q 10.9.0.81
    same "$(jq -r '.nics | length' "$STATE/one-81/spec.json")" 1
}

@test "attach_nic of an address that is taken fails, and the VM keeps what it has" {
    one_deploy 81 nic=lab0,10.9.0.81 "$YES"
    run attach_nic 81 10.9.0.80 nic=lab0,10.9.0.81 nic=lab0,10.9.0.80 "$YES"
    [ "$status" -eq "$(status_of DUPLICATE)" ]
    has "$(cat "$ERR")" "the address 10.9.0.80 is another machine's: $MAC answers for it"
    same "$(ip -j -n one-81 link | jq 'length')" 2
    same "$(jq -r '.nics | length' "$STATE/one-81/spec.json")" 1
    attach_nic 81 10.9.0.82 nic=lab0,10.9.0.81 nic=lab0,10.9.0.82 "$YES"
    ping -c 1 -W 2 -q 10.9.0.82
}

@test "under the host's own filter the questions go out and the answers come in" {
    local filtering
    filtering=$(config_with '[network]' 'probe = true' 'probe_ms = 400' 'filter = spoofing')
    fails_with DUPLICATE 10.9.0.80 vmdock --config "$filtering" deploy - < <(vm_xml 81 nic=lab0,10.9.0.80)
    fails_with DUPLICATE fd09::80 vmdock --config "$filtering" deploy - < <(vm_xml 81 nic=lab0,10.9.0.81,ip6=fd09::80)
    nothing_left
    has_not "$(nft list table bridge vmdock)" one-81
}

@test "it takes the time that is configured, while the engine makes the container" {
    local socket=$BATS_TEST_TMPDIR/between.sock slow began probed created
    slow=$(config_with '[network]' 'probe = true' 'probe_ms = 400' '[engine]' "socket = $socket")
    engine_between "$socket" '{"at": 1, "how": "run", "on": "containers/create", "run": ["sleep", "2"]}'
    vm_xml 81 nic=lab0,10.9.0.81 nic=lab0,10.9.0.82 nic=lab0,10.9.0.83 >"$BATS_TEST_TMPDIR/vm.xml"
    vmdock --trace --config "$slow" deploy "$BATS_TEST_TMPDIR/vm.xml" 2>"$BATS_TEST_TMPDIR/trace"
    end_between
    cat "$BATS_TEST_TMPDIR/trace" >&2
    # Each line of the trace begins with when it was written; a call's says at its end how long it took.
    read -r probed began < <(sed -nE 's/^ *([0-9]+)\.[0-9]+ ms +looked for 3 addresses in ([0-9]+)\..*/\1 \2/p' "$BATS_TEST_TMPDIR/trace")
    began=$((probed - began))
    created=$(sed -nE 's/^ *([0-9]+)\.[0-9]+ ms +engine POST .*containers\/create.*/\1/p' "$BATS_TEST_TMPDIR/trace")
    [ $((probed - began)) -ge 399 ] && [ $((probed - began)) -lt 4000 ]
    # All of it went by before the engine, which takes two seconds here, had made the container.
    [ "$probed" -lt "$created" ]
}

@test "a deploy that is interrupted while it looks leaves nothing" {
    local slow
    slow=$(config_with '[network]' 'probe = true' 'probe_ms = 60000')
    vm_xml 81 nic=lab0,10.9.0.81 >"$BATS_TEST_TMPDIR/vm.xml"
    run timeout --foreground --signal=TERM 1 vmdock --config "$slow" deploy "$BATS_TEST_TMPDIR/vm.xml"
    [ "$status" -eq 124 ]
    has "$output" "interrupted by signal 15"
    nothing_left
}
