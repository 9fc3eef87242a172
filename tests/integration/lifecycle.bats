#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # $stderr is set by run
# The life of a VM: deploy, restarts of every kind, pause, shutdown, deploy again, cancel, purge.

load helpers

NIC=nic=lab0,10.9.0.20

setup_file() {
    lab_ready
}

setup() {
    remember_state
}

teardown() {
    sweep
}

# The VM answers, and its NIC is the very one that deploy made.
network_is() {
    same "$(addresses 20)" 10.9.0.20/24
    same "$(ip -j -n one-20 link show eth0 | jq -r ".[].address")" 02:00:0a:09:00:14
    ping -c 1 -W 2 -q 10.9.0.20
    # the container stands in that namespace, not in one of its own
    docker exec one-20 ip addr show eth0 | grep -q 10.9.0.20/24
    same "$(cat /sys/class/net/one-20-0/ifindex)" "$HOST_END"
}

remember_network() {
    HOST_END=$(cat /sys/class/net/one-20-0/ifindex)
}

started_at() {
    docker inspect --format '{{.State.StartedAt}}' one-20
}

@test "deploy prints the deploy id alone, and the VM runs with its IP" {
    run --separate-stderr deploy 20 "$NIC"
    [ "$status" -eq 0 ]
    same "$output" one-20
    same "$(container_state 20)" running
    remember_network
    network_is
}

@test "the address, the route and lo are there before the first instruction" {
    deploy 20 "$NIC"
    run docker logs one-20
    same "${lines[0]//$'\r'/}" "first instruction"
    has "$output" "inet 10.9.0.20/24"
    has "$output" "default via 10.9.0.1 dev eth0"
    has "$output" "inet 127.0.0.1/8"
    run vmdock logs one-20
    [ "$status" -eq 0 ]
    has "$output" "inet 10.9.0.20/24"
}

@test "the file of a deploy may be named, as an operator does" {
    vm_xml 20 "$NIC" >"$BATS_TEST_TMPDIR/vm.xml"
    run --separate-stderr vmdock deploy "$BATS_TEST_TMPDIR/vm.xml"
    [ "$status" -eq 0 ]
    same "$output" one-20
}

@test "deploy of a running VM changes nothing" {
    deploy 20 "$NIC"
    remember_network
    local id started
    id=$(container_id 20) started=$(started_at)
    deploy 20 "$NIC"
    same "$(container_id 20)" "$id"
    same "$(started_at)" "$started"
    network_is
}

@test "a VM without NIC, CONTEXT names or capacity beyond CPU and MEMORY runs" {
    deploy 20
    same "$(container_state 20)" running
    same "$(ip -j -n one-20 link show | jq -r '.[].ifname')" lo
}

@test "shutdown stops it by its signal and takes the NICs; deploying again keeps its files" {
    deploy 20 "$NIC"
    vmdock exec one-20 -- sh -c 'echo kept >/root/note'
    local id
    id=$(container_id 20)
    vmdock shutdown one-20
    same "$(container_state 20)" exited
    docker logs one-20 | grep -q stopped
    [ ! -e /sys/class/net/one-20-0 ]
    [ ! -e /run/netns/one-20 ]
    deploy 20 "$NIC"
    same "$(container_id 20)" "$id"
    same "$(vmdock exec one-20 -- cat /root/note | tr -d '\r')" kept
    remember_network
    network_is
}

@test "a VM deployed again takes its new addresses and limits, and says what it cannot take" {
    deploy 20 "$NIC"
    vmdock shutdown one-20
    run --separate-stderr deploy 20 nic=lab0,10.9.0.21,target=one-20-0 memory=96 command="first again"
    [ "$status" -eq 0 ]
    same "$(addresses 20)" 10.9.0.21/24
    same "$(docker inspect --format '{{.HostConfig.Memory}}' one-20)" $((96 * 1024 * 1024))
    has "$stderr" command
}

# A program that no SIGTERM ends.
deaf_image() {
    image lab/deaf:1 'CMD ["sh", "-c", "trap : TERM; while :; do sleep 1000 & wait; done"]'
}

# ends_after SECONDS COMMAND…: it succeeds, takes as long as the time-out says, and by far not as long as
# the host's; VM 20 has been killed.
ends_after() {
    local seconds=$1 begin=$EPOCHREALTIME took
    shift
    "$@"
    took=$(milliseconds_since "$begin")
    [ "$took" -ge $((seconds * 1000)) ] || fail "it waited $took ms: $*" || return 1
    [ "$took" -le $((seconds * 1000 + 60000)) ] || fail "it waited $took ms: $*" || return 1
    same "$(container_state 20)" exited
    same "$(docker inspect --format '{{.State.ExitCode}}' one-20)" 137
}

# Milliseconds since BEGIN, an earlier $EPOCHREALTIME.
milliseconds_since() {
    echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000))
}

@test "shutdown waits as long as --time says, the VM's own time-out, or the host's, then kills" {
    local patient
    patient=$(config_with '[vm]' 'stop_timeout_s = 600')
    deaf_image
    deploy 20 "$NIC" image=docker://lab/deaf:1
    ends_after 1 vmdock --config "$patient" shutdown --time 1 one-20
    vmdock purge one-20
    deploy 20 "$NIC" image=docker://lab/deaf:1 user="$(element ONEDOCK_STOP_TIMEOUT 2)"
    ends_after 2 vmdock --config "$patient" shutdown one-20
    # the option is of more weight than the VM
    deploy 20 "$NIC" image=docker://lab/deaf:1 user="$(element ONEDOCK_STOP_TIMEOUT 2)"
    ends_after 0 vmdock --config "$patient" shutdown --time 0 one-20
    vmdock purge one-20
    deploy 20 "$NIC" image=docker://lab/deaf:1
    ends_after 3 vmdock --config "$(config_with '[vm]' 'stop_timeout_s = 3')" shutdown one-20
}

@test "reboot waits for the VM's own time-out, then kills" {
    deaf_image
    deploy 20 "$NIC" image=docker://lab/deaf:1 user="$(element ONEDOCK_STOP_TIMEOUT 1)"
    local begin=$EPOCHREALTIME
    vmdock --config "$(config_with '[vm]' 'stop_timeout_s = 600')" reboot one-20
    [ "$(milliseconds_since "$begin")" -ge 1000 ] && [ "$(milliseconds_since "$begin")" -le 61000 ]
    same "$(container_state 20)" running
}

@test "a time-out that is none" {
    local option
    deploy 20
    for option in --time=-1 --time=1s --time= --time=86401 --timeout=1; do
        fails_with USAGE "" vmdock shutdown "$option" one-20 || fail "$option"
    done
    same "$(container_state 20)" running
}

@test "shutdown uses the image's STOPSIGNAL" {
    image lab/usr1:1 'STOPSIGNAL SIGUSR1' \
        'CMD ["sh", "-c", "trap \"echo by USR1; exit 0\" USR1; while :; do sleep 1000 & wait; done"]'
    deploy 20 "$NIC" image=docker://lab/usr1:1
    local begin=$SECONDS
    vmdock shutdown one-20
    [ $((SECONDS - begin)) -le 5 ]
    docker logs one-20 | grep -q 'by USR1'
}

@test "shutdown of a stopped VM is fine" {
    deploy 20 "$NIC"
    vmdock shutdown one-20
    vmdock shutdown one-20
}

@test "reboot keeps NIC, IP and files" {
    deploy 20 "$NIC"
    remember_network
    vmdock exec one-20 -- sh -c 'echo kept >/root/note'
    local started
    started=$(started_at)
    vmdock reboot one-20
    [ "$(started_at)" != "$started" ]
    network_is
    same "$(docker exec one-20 cat /root/note)" kept
}

@test "reset keeps NIC, IP and files, and asks nobody" {
    deploy 20 "$NIC"
    remember_network
    vmdock exec one-20 -- sh -c 'echo kept >/root/note'
    vmdock reset one-20
    network_is
    same "$(docker exec one-20 cat /root/note)" kept
    run docker logs one-20
    has_not "$output" stopped
}

@test "docker restart keeps NIC and IP" {
    deploy 20 "$NIC"
    remember_network
    docker restart --time 2 one-20
    network_is
}

@test "a killed container that the operator starts again keeps NIC and IP" {
    deploy 20 "$NIC"
    remember_network
    docker kill one-20
    [ -e /run/netns/one-20 ]
    docker start one-20
    network_is
}

@test "a container that dies by itself and is deployed again has its NIC, IP and files" {
    deploy 20 "$NIC"
    vmdock exec one-20 -- sh -c 'echo kept >/root/note'
    docker kill one-20
    run --separate-stderr deploy 20 "$NIC"
    # shellcheck disable=SC2154 # bats sets it
    has "$stderr" "its container ended at"
    has "$stderr" "with exit status 137"
    remember_network
    network_is
    same "$(docker exec one-20 cat /root/note)" kept
}

@test "pause freezes, resume thaws, both may be repeated" {
    deploy 20 "$NIC"
    vmdock pause one-20
    vmdock pause one-20
    same "$(container_state 20)" paused
    vmdock resume one-20
    vmdock resume one-20
    same "$(container_state 20)" running
    remember_network
    network_is
}

@test "pause of a stopped VM is refused with a sentence" {
    deploy 20 "$NIC"
    vmdock shutdown one-20
    fails_with STATE one-20 vmdock pause one-20
}

@test "cancel stops it at once and keeps its files" {
    deploy 20 "$NIC"
    vmdock exec one-20 -- sh -c 'echo kept >/root/note'
    vmdock cancel one-20
    same "$(container_state 20)" exited
    run docker logs one-20
    has_not "$output" stopped
    [ ! -e /run/netns/one-20 ]
    deploy 20 "$NIC"
    same "$(docker exec one-20 cat /root/note)" kept
}

@test "cancel of a VM that was never there is fine" {
    vmdock cancel one-4711
    nothing_left
}

@test "cancel and purge leave nothing: links, namespaces, containers, names, files, control groups" {
    deploy 20 "$NIC" nic=lab0,10.9.0.21
    vmdock cancel one-20
    vmdock purge one-20
    nothing_left
}

@test "purge of a running VM leaves nothing, and may be repeated" {
    deploy 20 "$NIC"
    vmdock purge one-20
    vmdock purge one-20
    nothing_left
}

@test "a VM that is not there: its own status for what needs one" {
    local verb
    for verb in shutdown reboot reset pause resume show logs; do
        fails_with NO_VM one-4711 vmdock "$verb" one-4711 || fail "verb $verb"
    done
    fails_with NO_VM one-4711 vmdock exec one-4711 -- true
    nothing_left
}

@test "exec hands on the command's status and both its outputs" {
    deploy 20 "$NIC"
    run --separate-stderr vmdock exec one-20 -- sh -c 'echo out; echo err >&2; exit 7'
    [ "$status" -eq 7 ]
    same "$output" out
    same "$stderr" err
}

@test "deploy tells as JSON what it prints, and so does gc" {
    local found
    deploy_json >"$BATS_TEST_TMPDIR/json"
    same "$(jq -c . "$BATS_TEST_TMPDIR/json")" '{"vm":"one-20","name":"vm 20","addresses":["10.9.0.20/24"]}'
    same "$(vmdock --json gc)" "[]"
    docker rm --force one-20 >/dev/null
    found=$(vmdock gc --dry-run)
    [ -n "$found" ]
    same "$(vmdock --json gc --dry-run | jq -r '.[]')" "$found"
    has "$(vmdock --json gc | jq -r '.[0]')" "VM one-20 has no container"
    same "$(vmdock --json gc)" "[]"
}

deploy_json() {
    vm_xml 20 "$NIC" | vmdock --json deploy -
}

@test "two VMs are deployed at the same time, each as it asked" {
    deploy 20 "$NIC" &
    local first=$!
    deploy 21 nic=lab0,10.9.0.21 &
    local second=$!
    wait "$first"
    wait "$second"
    same "$(addresses 20)" 10.9.0.20/24
    same "$(addresses 21)" 10.9.0.21/24
    ping -c 1 -W 2 -q 10.9.0.20
    ping -c 1 -W 2 -q 10.9.0.21
}

@test "two actions on one VM queue" {
    deploy 20 "$NIC"
    vmdock reboot one-20 &
    local first=$!
    vmdock reset one-20
    wait "$first"
    same "$(container_state 20)" running
    remember_network
    network_is
}

@test "list, show and poll tell of it, as tables and as JSON" {
    deploy 20 "$NIC" name="shop & Söhne"
    run vmdock list
    has "$output" one-20
    has "$output" 10.9.0.20
    run vmdock --json list
    same "$(jq -r 'length' <<<"$output")" 1
    has "$(jq -c . <<<"$output")" '"one-20"'
    run vmdock show one-20
    has "$output" "shop & Söhne"
    run vmdock --json show one-20
    jq -e . <<<"$output" >/dev/null
    run vmdock --json poll
    jq -e . <<<"$output" >/dev/null
    has "$output" one-20
    same "$(vmdock --json list --ids)" "$(jq -n '["one-20"]')"
    # nobody prints colours or more than a terminal's width into a pipe
    run vmdock list
    has_not "$output" $'\e'
    local line
    for line in "${lines[@]}"; do
        [ ${#line} -le 120 ]
    done
}

@test "a terminal's tables are as wide as it is at the most, and lose no VM's name" {
    local columns verb line
    deploy 20 "$NIC" name="a name that is as long as a name of a VM may well be in a cloud with many departments"
    for columns in 60 80 200; do
        for verb in list poll; do
            run script -qec "stty cols $columns; vmdock $verb" /dev/null
            has "$output" one-20
            output=$(sed -e $'s/\e\\[[0-9;]*[mK]//g' -e 's/\r$//' <<<"$output")
            while read -r line; do
                [ ${#line} -le "$columns" ] || fail "$verb in $columns columns: $line" || return 1
            done <<<"$output"
        done
    done
    has "$output" "in a cloud with many departments"
}

@test "list --all marks the containers that are no VMs, whatever they call themselves; list leaves them out" {
    deploy 20 "$NIC"
    docker run --detach --name plain "$IMAGE" >/dev/null
    docker run --detach --name one-21 --label vmdock.vm=one-21 "$IMAGE" >/dev/null
    run vmdock list
    has_not "$output" plain
    has_not "$output" one-21
    run vmdock list --all
    grep -qE "^one-20 " <<<"$output"
    grep -qE "^\(wild\) +plain +running .* $IMAGE " <<<"$output"
    grep -qE "^\(wild\) +one-21 " <<<"$output"
    run vmdock --json list --all
    same "$(jq -c '[.[] | [.vm, .name, .wild]] | sort' <<<"$output")" \
        '[[null,"one-21",true],[null,"plain",true],["one-20","vm 20",false]]'
    run vmdock list --ids --all
    same "$output" one-20
}

@test "explain says what deploy would do and does nothing" {
    vm_xml 20 "$NIC" >"$BATS_TEST_TMPDIR/vm.xml"
    run --separate-stderr vmdock explain "$BATS_TEST_TMPDIR/vm.xml"
    [ "$status" -eq 0 ]
    has "$output" 10.9.0.20
    has "$output" lab0
    has "$output" one-20-0
    grep -qx "namespace    /run/netns/one-20" <<<"$output"
    grep -qx "route        default via 10.9.0.1" <<<"$output"
    grep -qx "request      POST /containers/create?name=one-20" <<<"$output"
    # what follows is the request's body
    same "$(sed '1,/^request /d' <<<"$output" | jq -c '[.HostConfig.Runtime, .HostConfig.Memory]')" '["vmdock",67108864]'
    nothing_left
}

@test "explain as JSON is the plan: what deploy asks the engine for, where, and with which routes" {
    local plan
    vm_xml 20 "$NIC" >"$BATS_TEST_TMPDIR/vm.xml"
    plan=$(vmdock --json explain "$BATS_TEST_TMPDIR/vm.xml")
    same "$(jq -c '[.vm, .namespace, .request.method, .request.path]' <<<"$plan")" \
        '["one-20","/run/netns/one-20","POST","/containers/create?name=one-20"]'
    same "$(jq -c '.links[0] | [.host_end, .guest_end, .bridge, .mac, .addresses, .routes]' <<<"$plan")" \
        '["one-20-0","eth0","lab0","02:00:0a:09:00:14",["10.9.0.20/24"],[{"to":"default","via":"10.9.0.1"}]]'
    nothing_left
    # and that is what deploy does
    vmdock --trace deploy "$BATS_TEST_TMPDIR/vm.xml" 2>"$BATS_TEST_TMPDIR/trace"
    has "$(grep ' engine POST ' "$BATS_TEST_TMPDIR/trace")" "$(jq -r .request.path <<<"$plan") "
    [ -e "$(jq -r .namespace <<<"$plan")" ]
    same "$(ip -j -n one-20 route show default | jq -c '.[0] | [.gateway, .dev]')" '["10.9.0.1","eth0"]'
    same "$(docker inspect one-20 | jq -cS '.[0] | [.Config.Labels, .HostConfig.Runtime, .HostConfig.Memory, .HostConfig.CgroupParent]')" \
        "$(jq -cS '.request.body | [.Labels, .HostConfig.Runtime, .HostConfig.Memory, .HostConfig.CgroupParent]' <<<"$plan")"
}

@test "the engine's restart policy never restarts a VM" {
    deploy 20 "$NIC"
    same "$(docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' one-20)" no
}
