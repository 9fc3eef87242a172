#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # texts that are not expanded
# The scripts that start, stop and look at a VM, called as OpenNebula 7.4, 6.4 and 5.12 call them.

load helpers
load front_end

NIC=nic=lab0,10.9.0.60

setup_file() {
    lab_ready
    front_end_ready
}

setup() {
    remember_state
    front_end_files
}

teardown() {
    engine start
    sweep
}

@test "deploy: stdout is one line, one word, the deploy id; the VM runs" {
    one_deploy 60 "$NIC"
    same "$(cat "$OUT")" one-60
    same "$(wc -l <"$OUT")" 1
    same "$(container_state 60)" running
    same "$(addresses 60)" 10.9.0.60/24
}

@test "deploy with the stdin of the records" {
    local xml=${VMDOCK_RECORDS:+$VMDOCK_RECORDS/opennebula/xml/deploy-full.xml} id name
    xml=${xml:-$SOURCES/examples/vm.xml}
    # its swap disk, which no container can have, is one with a file system here
    sed 's/CDATA\[swap\]/CDATA[fs]/' "$xml" >"$BATS_TEST_TMPDIR/vm.xml"
    xml=$BATS_TEST_TMPDIR/vm.xml
    id=$(xmllint --xpath 'string(/VM/ID)' "$xml")
    # the recorded VM runs nginx, with options of its own
    image "vmdock/one-$id:disk.0" 'RUN ln -s first /bin/nginx'
    for name in $(bridges_of "$xml"); do
        bridge "$name"
    done
    disk_files "$xml"
    remote deploy "/var/lib/one//datastores/102/$id/deployment.0" node1 "$id" node1 <"$xml"
    same "$(cat "$OUT")" "one-$id"
    same "$(container_state "$id")" running
    for name in $(bridges_of "$xml"); do
        ip link del "$name"
    done
}

@test "shutdown, deploy again, reboot, reset, cancel: silent on stdout, and done" {
    one_deploy 60 "$NIC"
    docker exec one-60 sh -c 'echo kept >/root/note'
    local action
    for action in reboot reset; do
        one "$action" 60 "$NIC"
        same "$(cat "$OUT")" ""
        same "$(container_state 60)" running
        same "$(addresses 60)" 10.9.0.60/24
    done
    one shutdown 60 "$NIC"
    same "$(cat "$OUT")" ""
    same "$(container_state 60)" exited
    one_deploy 60 "$NIC"
    same "$(docker exec one-60 cat /root/note)" kept
    one cancel 60 "$NIC"
    same "$(cat "$OUT")" ""
    same "$(container_state 60)" exited
}

@test "shutdown, reboot and reset of a VM that is not there: one sentence that names it; to poll it is off" {
    local action
    for action in shutdown reboot reset; do
        denied NO_VM one-61 one "$action" 61
        same "$(cat "$OUT")" ""
    done
    remote poll one-61 node1 </dev/null
    same "$(cat "$OUT")" STATE=d
    nothing_left
}

@test "shutdown, reboot, reset and poll while the engine is down: one sentence, and the VM is as it was" {
    local action
    one_deploy 60 "$NIC"
    engine stop
    for action in shutdown reboot reset; do
        denied ENGINE_DOWN "container engine" one "$action" 60 "$NIC"
        same "$(cat "$OUT")" ""
    done
    denied ENGINE_DOWN "container engine" remote poll one-60 node1 </dev/null
    same "$(cat "$OUT")" ""
    engine start
    one reset 60 "$NIC"
    same "$(container_state 60)" running
    same "$(addresses 60)" 10.9.0.60/24
}

@test "resize and exec while the engine is down: one sentence, and the VM's description stays" {
    local before
    one_deploy 60 "$NIC" memory=64
    before=$(cat "$STATE/one-60/spec.json")
    engine stop
    denied ENGINE_DOWN "container engine" remote_direct resize one-60 60 node1 < <(action_data 60 "$NIC" memory=128)
    denied ENGINE_DOWN "container engine" remote_direct exec 60 node1 'echo never' < <(action_data 60 "$NIC")
    same "$(cat "$STATE/one-60/spec.json")" "$before"
    [ ! -e "$RUN/exec/one-60.json" ]
}

@test "several deploys at once, each by its own script" {
    local n pids=()
    for n in 60 61 62 63; do
        mkdir -m 755 "$BATS_TEST_TMPDIR/$n"
        BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR/$n one_deploy "$n" "nic=lab0,10.9.0.$n" 3>&- &
        pids+=($!)
    done
    for n in "${pids[@]}"; do wait "$n"; done
    for n in 60 61 62 63; do
        same "$(cat "$BATS_TEST_TMPDIR/$n/out")" "one-$n"
        same "$(container_state "$n") $(addresses "$n")" "running 10.9.0.$n/24"
    done
}

@test "cancel is idempotent, also for a VM that was never deployed" {
    one cancel 61
    one cancel 61
    nothing_left
}

@test "poll: one line of the old probe's form, for a VM that runs, is paused, has stopped" {
    one_deploy 60 "$NIC"
    poll_is a
    has "$(cat "$OUT")" USEDMEMORY=
    has "$(cat "$OUT")" USEDCPU=
    has "$(cat "$OUT")" NETRX=
    has "$(cat "$OUT")" NETTX=
    vmdock pause one-60
    poll_is p
    vmdock resume one-60
    vmdock shutdown one-60
    poll_is d
}

poll_is() {
    remote poll one-60 node1 </dev/null
    grep -qE "(^| )STATE=$1( |$)" "$OUT" || fail "no STATE=$1: $(cat "$OUT")"
}

@test "an error reaches the user of every front end as one sentence, and the status is never 42" {
    local version status sentence first=
    for version in 7.4.0 7.0.1 6.10.0 6.4.0 6.2.0 6.0.0.2 5.12.0.4 4.14.2; do
        echo "$version" >"$REMOTES/VERSION"
        status=0
        one_deploy 60 nic=nobridge,10.9.0.60 || status=$?
        [ "$status" -ne 0 ]
        [ "$status" -ne 42 ]
        sentence=$(message | sed 's/[. ]*$//')
        has "$sentence" nobridge || fail "version $version: $(cat "$ERR")"
        # the same sentence for all, without what belongs to one version's form
        first=${first:-$sentence}
        same "$sentence" "$first" || fail "version $version"
        [[ $sentence != ERROR:* && $sentence != *8\<--* && $sentence != *$'\n'* ]]
    done
    nothing_left
}

@test "a VERSION that is missing or nonsense still gives the sentence" {
    local content
    for content in '' 'not a version'; do
        rm -f "$REMOTES/VERSION"
        [ -z "$content" ] || echo "$content" >"$REMOTES/VERSION"
        refused one_deploy 60 nic=nobridge,10.9.0.60
        has "$(cat "$ERR")" nobridge
    done
}

@test "broken XML, a huge one and none at all" {
    refused remote deploy /d host 60 host <<<'<VM><ID>60</ID>'
    [ -n "$(message)" ]
    refused remote deploy /d host 60 host </dev/null
    [ -n "$(message)" ]
    { printf '<VM><ID>60</ID><X>'; head -c 20000000 /dev/zero | tr '\0' x; printf '</X></VM>'; } >"$BATS_TEST_TMPDIR/huge"
    denied SPEC "stdin is larger than" remote deploy /d node1 60 node1 <"$BATS_TEST_TMPDIR/huge"
    nothing_left
}

# Later front ends hand everything but deploy's description over so.
@test "a stdin in base64 is the same" {
    one_deploy 60 "$NIC"
    remote reboot one-60 node1 60 node1 < <(action_data 60 "$NIC" | base64 -w 0)
    same "$(container_state 60)" running
    remote shutdown one-60 node1 60 node1 < <(action_data 60 "$NIC" | base64)
    same "$(container_state 60)" exited
    remote deploy /d node1 60 node1 < <(vm_xml 60 "$NIC" | base64 -w 0)
    same "$(cat "$OUT")" one-60
    same "$(addresses 60)" 10.9.0.60/24
}

# The pipes of its output break while it works; what it has to say is a screen that no VM here has.
@test "a front end that goes away in the middle of a deploy: all of the VM or nothing" {
    local delay xml=$BATS_TEST_TMPDIR/vm.xml gone=0
    vm_xml 60 "$NIC" 'template=<GRAPHICS><TYPE>VNC</TYPE></GRAPHICS>' >"$xml"
    chmod a+r "$xml"
    set -o pipefail
    for delay in 0 0.05 0.1 0.2; do
        # shellcheck disable=SC2216 # it reads nothing: that is the point
        runuser -u oneadmin -- env -i PATH=/usr/bin:/bin HOME=/run/oneadmin USER=oneadmin \
            sh -c "cd; exec $SCRIPTS/deploy /d node1 60 node1 <'$xml'" 2>&1 3>&- | sleep "$delay" || gone=$((gone + 1))
        if [ -e "$STATE/one-60" ]; then
            same "$(container_state 60) $(addresses 60)" "running 10.9.0.60/24" || return 1
            vmdock purge one-60
        fi
        nothing_left || fail "after $delay s" || return 1
    done
    [ "$gone" -ge 1 ]
}

@test "the stdin of the records: reboot, reset, shutdown, cancel" {
    local action
    one_deploy 1 "$NIC"
    for action in reboot reset shutdown; do
        remote "$action" one-1 onenode1 1 onenode1 < <(recorded "$action")
        same "$(cat "$OUT")" "" || return 1
    done
    same "$(container_state 1)" exited
    one_deploy 1 "$NIC"
    remote cancel one-1 onenode1 1 onenode1 < <(recorded cancel)
    same "$(cat "$OUT")" ""
    same "$(container_state 1)" exited
}

@test "a VM whose XML has another id than argv says" {
    refused remote deploy /d node1 61 node1 < <(vm_xml 60 "$NIC")
    [ -n "$(message)" ]
    nothing_left
}

@test "the user may run these actions and nothing else" {
    local vmdock_one
    vmdock_one=$(find "$LAB_PREFIX" -name vmdock-one -type f -executable)
    run runuser -u oneadmin -- sudo -n "$(command -v vmdock)" list
    [ "$status" -ne 0 ]
    run runuser -u oneadmin -- sudo -n /bin/sh -c id
    [ "$status" -ne 0 ]
    run runuser -u oneadmin -- sudo -n "$vmdock_one" --config=/tmp/x cancel one-60
    [ "$status" -ne 0 ]
    run runuser -u oneadmin -- sudo -n "$vmdock_one" exec one-60 -- id
    [ "$status" -ne 0 ]
    run runuser -u oneadmin -- sudo -n "$vmdock_one" purge one-60
    [ "$status" -ne 0 ]
}

@test "deploy ids that are none, as arguments" {
    local id
    for id in ../../x 'one-1;id' '$(id)' '' --config=/x; do
        refused remote cancel "$id" node1 60 node1 < <(action_data 60)
        [ -n "$(message)" ]
    done
    nothing_left
}

@test "no socket, file or variable of the caller's counts" {
    one_deploy 60 "$NIC"
    printf '#!/bin/sh\ntouch /run/oneadmin/owned\n' >/run/oneadmin/docker
    chmod 755 /run/oneadmin/docker
    local vmdock_one
    vmdock_one=$(find "$LAB_PREFIX" -name vmdock-one -type f -executable)
    run runuser -u oneadmin -- env DOCKER_HOST=unix:///nowhere LD_PRELOAD=/nowhere.so PATH=/run/oneadmin:/usr/bin:/bin \
        sudo -n "$vmdock_one" reboot one-60 node1 60 node1 < <(action_data 60 "$NIC")
    same "$(container_state 60)" running
    [ ! -e /run/oneadmin/owned ]
}
