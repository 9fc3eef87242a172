#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# VMs that an operator asks for in one line, beside those of a cloud.

load helpers

setup_file() {
    lab_ready
    "$LAB" user "$LAB_DIR" oneadmin
}

setup() {
    remember_state
}

teardown() {
    sweep
}

# As OpenNebula's probes are run, as far as it matters here.
probe() {
    "$LAB_PREFIX/libexec/vmdock/vmdock-one" monitor "$1" kvm 1 node </dev/null
}

has_printed() {
    vmdock logs run-echo | grep -qF -- "$1"
}

@test "one line brings up a VM with its network, limits, environment and command" {
    same "$(vmdock run --name web --bridge lab0 --ip 10.9.0.90/24 --ip fd09::90/64 --gateway 10.9.0.1 --gateway fd09::1 \
        --memory 64M --cpu 0.5 --env B=2 -e A=1 --dns 10.9.0.1 "$IMAGE" sleep 1000)" run-web
    ping -c 1 -W 2 -q 10.9.0.90
    ping -c 1 -W 2 -q fd09::90
    same "$(docker inspect --format '{{.HostConfig.Memory}} {{.HostConfig.CpuShares}} {{.HostConfig.CpuQuota}}' run-web)" \
        "67108864 512 100000"
    same "$(docker inspect --format '{{json .Config.Cmd}} {{.Config.Hostname}}' run-web)" '["sleep","1000"] web'
    same "$(docker exec run-web sh -c 'echo $A $B')" "1 2"
    has "$(docker exec run-web cat /etc/resolv.conf)" "nameserver 10.9.0.1"
    has "$(docker exec run-web ip route)" "default via 10.9.0.1 dev eth0"
    has "$(docker exec run-web ip -6 route)" "default via fd09::1 dev eth0"
    vmdock purge run-web
    nothing_left
}

@test "it is stopped, started and asked like every other VM; its MAC and its files stay" {
    local mac
    vmdock run -n web -b lab0 --ip 10.9.0.90/24 "$IMAGE"
    mac=$(ip -j -n run-web link show eth0 | jq -r '.[].address')
    vmdock exec run-web touch /kept
    vmdock cancel run-web
    vmdock reboot run-web
    ping -c 1 -W 2 -q 10.9.0.90
    same "$(ip -j -n run-web link show eth0 | jq -r '.[].address')" "$mac"
    vmdock exec run-web test -e /kept
    has "$(vmdock logs run-web)" "first instruction"
    has "$(vmdock show run-web)" "operator web"
    # The same line once more is the same VM.
    same "$(vmdock run -n web -b lab0 --ip 10.9.0.90/24 "$IMAGE")" run-web
    vmdock exec run-web test -e /kept
    docker kill run-web >/dev/null
    docker rm run-web >/dev/null
    vmdock gc
    vmdock purge run-web
    nothing_left
}

@test "without options it has a name of its image's and no NIC; each line is one VM more" {
    local first second
    first=$(vmdock run "$IMAGE")
    second=$(vmdock --json run "$IMAGE" | jq -r .vm)
    [[ $first =~ ^run-vm-[0-9a-f]{6}$ ]]
    [[ $second =~ ^run-vm-[0-9a-f]{6}$ ]]
    [ "$first" != "$second" ]
    same "$(ip -j -n "$first" link | jq -r '.[].ifname')" lo
    vmdock purge "$first" "$second"
    nothing_left
}

@test "what stands behind the image is the command's own, options and all" {
    # shellcheck disable=SC2016 # for the VM's shell
    vmdock run --name echo "$IMAGE" sh -c 'echo --name "$0" "$@"; sleep 1000' --memory -- -x
    within 5 has_printed '--name --memory -- -x'
    vmdock purge run-echo
    vmdock run --name echo "$IMAGE" -- sleep 1000
    same "$(docker inspect --format '{{json .Config.Cmd}}' run-echo)" '["sleep","1000"]'
    vmdock purge run-echo
    vmdock run --name echo --set TERMINAL=NO --set 'TMPFS=/scratch:size=1m' "$IMAGE"
    same "$(docker inspect --format '{{.Config.Tty}} {{.HostConfig.Tmpfs}}' run-echo)" "false map[/scratch:size=1m]"
}

@test "no cloud hears of it: list marks it as the operator's, probes pass it over, and leave it alone" {
    deploy 1 nic=lab0,10.9.0.91
    vmdock run --name 1 --bridge lab0 --ip 10.9.0.90/24 "$IMAGE"
    same "$(vmdock --json list | jq -r '.[] | "\(.vm) \(.cloud)"')" "one-1 opennebula
run-1 operator"
    [[ $(vmdock list | grep '^run-1 ') =~ run-1\ +1\ +running\ +10.9.0.90\ +$IMAGE\ +operator ]]
    same "$(vmdock --json poll | jq -r '.[].vm')" "one-1
run-1"
    same "$(vmdock poll --opennebula | grep -o 'ID=[^,]*')" "ID=1
ID=one-1"
    local what
    for what in vm/status vm/monitor vm/snapshot host/monitor host/system; do
        has_not "$(probe "$what")" run-1
    done
    has "$(probe vm/monitor)" one-1
    # OpenNebula's user reaches its own VMs alone.
    run "$LAB_PREFIX/libexec/vmdock/vmdock-one" cancel run-1 node 1 </dev/null
    [ "$status" -ne 0 ]
    vmdock cancel 1
    same "$(docker inspect --format '{{.State.Status}}' run-1)" running
    vmdock purge one-1 run-1
    nothing_left
}

@test "what cannot be is refused before anything is made" {
    local long
    printf -v long '%041d' 0
    fails_with SPEC '--name: "a/b" is no name' vmdock run --name a/b "$IMAGE"
    fails_with SPEC "is no name" vmdock run --name "$long" "$IMAGE"
    fails_with SPEC "the image" vmdock run 'not an image'
    fails_with SPEC "for vmdock's own use" vmdock run vmdock/one-1:disk.0
    fails_with SPEC '--memory: "64" is no size' vmdock run --memory 64 "$IMAGE"
    fails_with SPEC '--memory: "99999999999G" is no size' vmdock run --memory 99999999999G "$IMAGE"
    fails_with SPEC "less than 6 MiB" vmdock run --memory 1M "$IMAGE"
    fails_with SPEC '--cpu: "nan" is no number' vmdock run --cpu nan "$IMAGE"
    fails_with SPEC '--ip: "10.9.0.9" is no address with its prefix length' vmdock run -b lab0 --ip 10.9.0.9 "$IMAGE"
    fails_with SPEC "--bridge or --network says where" vmdock run --ip 10.9.0.9/24 "$IMAGE"
    fails_with SPEC "a second one of its family" vmdock run -b lab0 --ip 10.9.0.9/24 --gateway 10.9.0.1 --gateway 10.9.0.2 "$IMAGE"
    fails_with SPEC "outside every subnet" vmdock run -b lab0 --ip 10.9.0.9/24 --gateway 10.8.0.1 "$IMAGE"
    fails_with SPEC "no attribute of a VM" vmdock run --set COLOUR=RED "$IMAGE"
    fails_with SPEC "take one" vmdock run --env A=1 --set ENV=B=2 "$IMAGE"
    fails_with POLICY "NET_ADMIN" vmdock run --set CAP_ADD=NET_ADMIN "$IMAGE"
    fails_with NO_BRIDGE "no-such0" vmdock run -b no-such0 --ip 10.9.0.9/24 "$IMAGE"
    fails_with DEAD "status 3" vmdock --config "$(config_with '[vm]' 'boot_watch_ms = 10000')" run "$IMAGE" sh -c 'exit 3'
    fails_with USAGE "usage: vmdock run" vmdock run
    nothing_left
}
