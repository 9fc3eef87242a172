#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # texts that are not expanded; tests have variables of their own; $stderr is set by run
# Bad input and a failing host: one clear sentence, its own exit status, within its time-out, nothing
# left behind and nothing lost.

load helpers

NIC=nic=lab0,10.9.0.50

setup_file() {
    lab_ready
}

setup() {
    engine thaw 2>/dev/null || true
    engine start
    remember_state
    XML=$BATS_TEST_TMPDIR/vm.xml
}

teardown() {
    engine thaw 2>/dev/null || true
    engine start
    ! mountpoint -q "$STATE/tiny" || umount "$STATE/tiny"
    sweep
}

# Writes stdin to the file $XML.
xml_file() {
    cat >"$XML"
}

# ---- what is written ----------------------------------------------------------------------------

@test "no XML at all, an empty file, another document" {
    fails_with SPEC "" vmdock deploy - </dev/null
    xml_file <<<'{"ID": 50}'
    fails_with SPEC "" vmdock deploy "$XML"
    xml_file <<<'<HOST><ID>50</ID></HOST>'
    fails_with SPEC "" vmdock deploy "$XML"
    nothing_left
}

@test "XML cut off at any place" {
    vm_xml 50 "$NIC" | tr -d '\n' >"$BATS_TEST_TMPDIR/whole.xml"
    local size length
    size=$(stat -c %s "$BATS_TEST_TMPDIR/whole.xml")
    for length in 1 10 $((size / 4)) $((size / 2)) $((size - 10)) $((size - 1)); do
        head -c "$length" "$BATS_TEST_TMPDIR/whole.xml" >"$BATS_TEST_TMPDIR/cut.xml"
        fails_with SPEC "" vmdock deploy "$BATS_TEST_TMPDIR/cut.xml" || fail "$length of $size bytes"
    done
    nothing_left
}

@test "XML of 100 MB is refused at once and costs no memory" {
    {
        printf '<VM><ID>50</ID><NAME>'
        head -c 100000000 /dev/zero | tr '\0' a
        printf '</NAME></VM>'
    } >"$BATS_TEST_TMPDIR/big.xml"
    local begin=$SECONDS
    fails_with SPEC "xml_max_bytes" peak_memory vmdock deploy "$BATS_TEST_TMPDIR/big.xml"
    [ "$(cat "$BATS_TEST_TMPDIR/peak")" -le 65536 ] || fail "$(cat "$BATS_TEST_TMPDIR/peak") KB"
    fails_with SPEC "xml_max_bytes" peak_memory vmdock deploy - <"$BATS_TEST_TMPDIR/big.xml"
    [ "$(cat "$BATS_TEST_TMPDIR/peak")" -le 65536 ] || fail "$(cat "$BATS_TEST_TMPDIR/peak") KB"
    [ $((SECONDS - begin)) -le 5 ]
    nothing_left
}

# peak_memory COMMAND…: leaves the most memory that it had at any time in the file peak, in KB.
peak_memory() {
    python3 -c '
import resource, subprocess, sys
status = subprocess.call(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=file)
sys.exit(status)' "$BATS_TEST_TMPDIR/peak" "$@"
}

@test "a bomb of entities does not go off" {
    xml_file <<'XML'
<?xml version="1.0"?>
<!DOCTYPE VM [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">
<!ENTITY e "&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;"><!ENTITY f "&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;">
<!ENTITY g "&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;"><!ENTITY h "&g;&g;&g;&g;&g;&g;&g;&g;&g;&g;">]>
<VM><ID>50</ID><NAME>&h;</NAME><TEMPLATE/></VM>
XML
    local begin=$SECONDS
    fails_with SPEC "" vmdock deploy "$XML"
    [ $((SECONDS - begin)) -le 2 ]
    nothing_left
}

@test "an external entity is neither read nor asked for" {
    printf 'a secret of the host\n' >"$BATS_TEST_TMPDIR/secret"
    xml_file <<XML
<!DOCTYPE VM [<!ENTITY x SYSTEM "file://$BATS_TEST_TMPDIR/secret">]>
<VM><ID>50</ID><NAME>&x;</NAME><TEMPLATE/></VM>
XML
    fails_with SPEC "" vmdock deploy "$XML"
    has_not "$output" secret
    run vmdock explain "$XML"
    has_not "$output" "a secret of the host"
    nothing_left
}

@test "bytes that are not the encoding they say" {
    printf '<?xml version="1.0" encoding="UTF-8"?><VM><ID>50</ID><NAME>h\xf6he</NAME><TEMPLATE/></VM>' | xml_file
    fails_with SPEC "" vmdock deploy "$XML"
    printf '<?xml version="1.0" encoding="no-such-encoding"?><VM><ID>50</ID></VM>' | xml_file
    fails_with SPEC "" vmdock deploy "$XML"
    printf '<VM><ID>50\0</ID></VM>' | xml_file
    fails_with SPEC "" vmdock deploy "$XML"
    nothing_left
}

@test "an ID that is missing, empty or no number" {
    local id
    vm_xml 50 "$NIC" | sed 's|<ID>50</ID>||' | xml_file
    fails_with SPEC ID vmdock deploy "$XML"
    for id in '' ../../x -1 '5 0' '50;id' '$(id)' 1e3 99999999999999999999 '٥'; do
        vm_xml 50 "$NIC" | sed "s|<ID>50</ID>|<ID>$id</ID>|" | xml_file
        fails_with SPEC "" vmdock deploy "$XML" || fail "ID: $id"
    done
    nothing_left
}

@test "deploy ids on the command line that are none" {
    local id verb
    for id in ../../x one-../x one-1/../2 'one-1;id' 'one 1' '' . ONE-1 "one-$(printf '1%.0s' {1..200})"; do
        for verb in cancel purge reboot show; do
            run -"$(status_of SPEC)" --separate-stderr vmdock "$verb" "$id" ||
                run -"$(status_of USAGE)" --separate-stderr vmdock "$verb" "$id" || fail "$verb '$id': $status"
        done
    done
    nothing_left
}

@test "names with everything a shell would love are only names" {
    local name='a"b$(touch /tmp/owned)`id`;rm -rf /|&<>'"'"'\n --privileged'
    deploy 50 "$NIC" name="$name"
    [ ! -e /tmp/owned ]
    same "$(docker inspect one-50 | jq -r '.[].Config.Labels["vmdock.name"]')" "$name"
    run vmdock show one-50
    [ "$status" -eq 0 ]
}

@test "a name of control characters and overrides reaches no terminal" {
    deploy 50 "$NIC" name=$'x\t\u009b31mred\u202eder\ny\u007f'
    local verb
    for verb in list poll "show one-50"; do
        # shellcheck disable=SC2086 # a verb and its argument
        run vmdock $verb
        has_not "$output" $'\u009b'
        has_not "$output" $'\u202e'
        has_not "$output" $'\u007f'
        has_not "$output" $'\t'
    done
}

@test "memory and CPU that make no sense" {
    fails_with SPEC "" deploy 50 memory=1
    fails_with SPEC "" deploy 50 memory=-5
    fails_with SPEC "" deploy 50 memory=lots
    fails_with SPEC "" deploy 50 cpu=-1
    fails_with SPEC "" deploy 50 vcpu=0.5
    nothing_left
}

# ---- images -------------------------------------------------------------------------------------

@test "a disk whose source is no reference and that nobody has prepared" {
    fails_with NO_IMAGE /var/lib/one/datastores/1/abc deploy 50 "$NIC" image=/var/lib/one/datastores/1/abc
    nothing_left
}

@test "an image that its registry does not have, and a registry that is not there" {
    "$LAB" registry "$LAB_DIR" --port 5050 >/dev/null
    fails_with NO_IMAGE lab/none deploy 50 "$NIC" image=docker://127.0.0.1:5050/lab/none:1
    fails_with REGISTRY 127.0.0.1:5059 deploy 50 "$NIC" image=docker://127.0.0.1:5059/lab/none:1
    nothing_left
}

@test "an image is pulled by tag and by digest, and held by the VM's own name" {
    "$LAB" registry "$LAB_DIR" --port 5051 >/dev/null
    local name=127.0.0.1:5051/lab/pulled digest
    docker tag "$IMAGE" "$name:1"
    digest=$(docker push "$name:1" | sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p')
    docker rmi "$name:1"
    deploy 50 "$NIC" "image=docker://$name:1"
    docker image inspect vmdock/one-50:disk.0 >/dev/null
    vmdock purge one-50
    docker rmi "$name:1" 2>/dev/null || true
    deploy 50 "$NIC" "image=docker://$name@$digest"
    same "$(container_state 50)" running
}

@test "a registry that wants a password gets it from the file, and nobody else sees it" {
    "$LAB" registry "$LAB_DIR" --port 5052 --password >/dev/null
    local name=127.0.0.1:5052/lab/private:1
    docker tag "$IMAGE" "$name"
    docker --config "$BATS_TEST_TMPDIR/docker" login -u lab -p secret 127.0.0.1:5052 2>/dev/null
    docker --config "$BATS_TEST_TMPDIR/docker" push -q "$name"
    docker rmi "$name"
    fails_with REGISTRY "" deploy 50 "$NIC" "image=docker://$name"
    install -m 600 "$BATS_TEST_TMPDIR/docker/config.json" "${CONF%/*}/registry.json"
    # no other program is told, of which there would be arguments to see
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 run --separate-stderr strace -f -qq -e trace=execve \
        -o "$BATS_TEST_TMPDIR/trace" vmdock --trace deploy - < <(vm_xml 50 "$NIC" "image=docker://$name")
    rm "${CONF%/*}/registry.json"
    [ "$status" -eq 0 ]
    same "$(grep -c execve "$BATS_TEST_TMPDIR/trace")" 1
    has "$stderr" "/images/create?fromImage="
    has_no_secret "$stderr$(docker inspect one-50; cat "$STATE"/one-50/*)"
}

# ---- the container ------------------------------------------------------------------------------

# What dies "at once" needs longer than the default of 20 ms on a slow machine.
patient() {
    vmdock --config "$(config_with '[vm]' 'boot_watch_ms = 5000')" deploy "$BATS_TEST_TMPDIR/vm.xml"
}

@test "dead on arrival: a failed deploy with the exit status and the last lines" {
    image lab/dead:1 'CMD ["sh", "-c", "echo line one; echo the reason; exit 9"]'
    vm_xml 50 "$NIC" image=docker://lab/dead:1 >"$BATS_TEST_TMPDIR/vm.xml"
    fails_with DEAD "the reason" patient
    has "$output" 9
    nothing_left_but_images
}

@test "a command that is not in the image" {
    fails_with ENGINE_REFUSED /no/such/program deploy 50 "$NIC" command=/no/such/program
    nothing_left
}

@test "a VM that ran before and now dies at once keeps its container and its files" {
    image lab/fragile:1 'CMD ["sh", "-c", "[ ! -e /root/broken ] || exit 3; sleep 1000"]'
    deploy 50 "$NIC" image=docker://lab/fragile:1
    vmdock exec one-50 -- touch /root/broken
    vmdock cancel one-50
    local id
    id=$(container_id 50)
    vm_xml 50 "$NIC" image=docker://lab/fragile:1 >"$BATS_TEST_TMPDIR/vm.xml"
    fails_with DEAD 3 patient
    same "$(container_id 50)" "$id"
    [ ! -e /run/netns/one-50 ]
    docker cp one-50:/root/broken - >/dev/null
}

# Images that a test made stay; all else of the VM is gone.
nothing_left_but_images() {
    diff <(grep -v '^image name lab/' <<<"$STATE_BEFORE") <(host_state | grep -v '^image name lab/')
}

@test "a foreign container of the VM's name is not touched" {
    docker run -d --name one-50 "$IMAGE" >/dev/null
    local id verb
    id=$(container_id 50)
    fails_with STATE one-50 deploy 50 "$NIC"
    for verb in shutdown cancel reboot reset purge; do
        run vmdock "$verb" one-50
    done
    same "$(container_id 50)" "$id"
    same "$(container_state 50)" running
}

# ---- the engine ---------------------------------------------------------------------------------

@test "another program under the runtime's name: the VM would run outside its network, and does not" {
    local other
    other=$(config_with '[runtime]' 'name = runc')
    fails_with SANDBOX 'what the engine runs as "runc" is not vmdock-runtime' \
        vmdock --config "$other" deploy - < <(vm_xml 50 "$NIC")
    has_not "$(vmdock --config "$other" --json doctor | jq -r '.[] | select(.id == "runtime.registered") | .level')" ok
    nothing_left
}

@test "an engine that is down" {
    engine stop
    fails_with ENGINE_DOWN "" deploy 50 "$NIC"
    fails_with ENGINE_DOWN "" vmdock list
    fails_with ENGINE_DOWN "" vmdock poll
    fails_with ENGINE_DOWN "" vmdock cancel one-50
    engine start
    nothing_left
}

@test "an engine that hangs" {
    local short begin=$SECONDS
    short=$(config_with '[engine]' 'connect_timeout_ms = 500' 'request_timeout_ms = 1000' \
        'create_timeout_ms = 1000' 'poll_timeout_ms = 1000')
    engine freeze
    vm_xml 50 "$NIC" | xml_file
    fails_with ENGINE_TIMEOUT "" vmdock --config "$short" deploy "$XML"
    fails_with ENGINE_TIMEOUT "" vmdock --config "$short" poll
    [ $((SECONDS - begin)) -le 10 ]
    engine thaw
    sleep 1
    vmdock cancel one-50
    vmdock purge one-50
    nothing_left
}

# bad_engine HOW [AT]: a socket behind which the engine answers badly (tests/lib/bad_engine); BAD_CONF says to ask there.
bad_engine() {
    BAD_CONF=$(config_with '[engine]' "socket = $BATS_TEST_TMPDIR/bad.sock" 'connect_timeout_ms = 500' \
        'poll_timeout_ms = 1000' 'request_timeout_ms = 1000' 'create_timeout_ms = 1000' 'max_answer_bytes = 1048576')
    rm -f "$BATS_TEST_TMPDIR/bad.sock" "$BATS_TEST_TMPDIR/taken"
    python3 "$SOURCES/tests/lib/bad_engine" "$BATS_TEST_TMPDIR/bad.sock" /run/docker.sock "$1" "${2:-0}" \
        "$BATS_TEST_TMPDIR/taken" 3>&- &
    BAD=$!
    within 5 test -S "$BATS_TEST_TMPDIR/bad.sock"
}

bad_engine_end() {
    kill "$BAD"
    wait "$BAD" 2>/dev/null || true
}

# answers_badly KIND TEXT HOW…: whatever is asked of such an engine ends with KIND, and TEXT in its one sentence, a
# VM that runs notices nothing, and one that is to be made leaves nothing.
answers_badly() {
    local kind=$1 text=$2 how verb begin before
    shift 2
    deploy 50 "$NIC"
    docker exec one-50 sh -c 'echo kept >/root/note'
    vm_xml 51 nic=lab0,10.9.0.51 | xml_file
    before=$(host_state)
    for how; do
        bad_engine "$how"
        for verb in list poll "deploy $XML" "shutdown one-50" "cancel one-50" "reboot one-50" "reset one-50" "purge one-50"; do
            begin=$SECONDS
            # shellcheck disable=SC2086 # a verb and its argument
            fails_with "$kind" "$text" vmdock --config "$BAD_CONF" $verb || fail "$how: $verb" || return 1
            [ $((SECONDS - begin)) -le 20 ] || fail "$how: $verb takes $((SECONDS - begin)) s" || return 1
            has_not "$output" $'\e'
        done
        bad_engine_end
        same "$(host_state)" "$before" || fail "$how" || return 1
    done
    same "$(container_state 50)" running
    same "$(addresses 50)" 10.9.0.50/24
    same "$(docker exec one-50 cat /root/note)" kept
    ping -c 1 -W 2 -q 10.9.0.50
}

@test "an engine that stalls in its answer, or says nothing" {
    answers_badly ENGINE_TIMEOUT "" stall silence
}

@test "an engine that breaks its answer off, after each byte too, or answers garbage" {
    answers_badly ENGINE_GARBLED "" truncate bytes garbage json
}

@test "an engine whose answer has no end is heard no longer than the cap" {
    answers_badly ENGINE_GARBLED "" flood
    [ -s "$BATS_TEST_TMPDIR/taken" ]
    awk '$1 > 8000000 { exit 1 }' "$BATS_TEST_TMPDIR/taken"
}

@test "an engine that fails in itself: its word on it" {
    answers_badly ENGINE_REFUSED "out of everything" error
}

@test "an engine that sends its callers elsewhere is not followed" {
    answers_badly ENGINE_GARBLED redirect redirect
}

@test "a VM that the engine starts although its deploy was given up: no VM, and gone with gc" {
    start_given_up
    local id
    id=$(container_id 50)
    same "$(container_state 50)" running
    [ -e "$STATE/doomed/$id" ]
    [ ! -e "$STATE/one-50" ]
    same "$(vmdock poll --json | jq -r '.. | .state? // empty')" dead
    has "$(vmdock gc --dry-run)" one-50
    same "$(container_state 50)" running
    vmdock gc
    nothing_left_but_the_name
}

# It may be a transfer's, of a VM that is to be deployed: it goes when the cloud gives up the VM.
nothing_left_but_the_name() {
    same "$(docker ps --all --quiet)" ""
    vmdock purge one-50
    nothing_left
}

@test "a VM that the engine starts although its deploy was given up: purge, or the next deploy, removes it" {
    start_given_up
    vmdock purge one-50
    nothing_left
    start_given_up
    local id
    id=$(container_id 50)
    deploy 50 "$NIC"
    [ "$(container_id 50)" != "$id" ]
    [ ! -e "$STATE/doomed/$id" ]
    vmdock gc
    same "$(container_state 50)" running
    vmdock purge one-50
    nothing_left
}

@test "a mark of a doomed container that has gone goes too" {
    start_given_up
    local id
    id=$(container_id 50)
    docker rm --force one-50 >/dev/null
    vmdock gc
    [ ! -e "$STATE/doomed/$id" ]
    nothing_left_but_the_name
}

@test "a VM that runs is never swept, whatever is missing of it" {
    deploy 50 "$NIC"
    local other
    other=$(config_with '[paths]' "state = $BATS_TEST_TMPDIR/state" "run = $BATS_TEST_TMPDIR/run" \
        "netns = $BATS_TEST_TMPDIR/netns")
    vmdock --config "$other" gc
    same "$(container_state 50)" running
    rm -rf "${STATE:?}"/* "${RUN:?}"/*
    ip netns del one-50
    vmdock gc
    same "$(container_state 50)" running
    vmdock purge one-50
}

# A deploy of VM 50 whose engine goes down, without a word, when it has started the container.
start_given_up() {
    local socket=$BATS_TEST_TMPDIR/between.sock between at
    between=$(config_with '[engine]' "socket = $socket")
    vm_xml 50 "$NIC" | xml_file
    for at in 1 2 3 4 5 6; do
        engine_between "$socket" "{\"at\": $at, \"how\": \"after\"}"
        fails_with ENGINE_DOWN "" vmdock --config "$between" deploy "$XML"
        end_between
        [ "$(container_state 50)" != running ] || return 0
        vmdock purge one-50
    done
    fail "the engine was never asked to start it"
}

@test "the engine is killed and started again under running VMs" {
    deploy 50 "$NIC"
    engine kill
    engine start
    # Without live-restore the engine ends its containers when it comes back; the VM can be deployed again.
    deploy 50 "$NIC"
    same "$(addresses 50)" 10.9.0.50/24
    same "$(container_state 50)" running
    ping -c 1 -W 2 -q 10.9.0.50
}

# ---- disks --------------------------------------------------------------------------------------

@test "a full disk where the state lies" {
    tiny_state
    fails_with NO_SPACE "No space left on device" vmdock --config "$TINY_CONF" deploy "$XML"
    umount "$STATE/tiny"
    rmdir "$STATE/tiny"
    nothing_left
}

# A state directory on a file system without room.
tiny_state() {
    mkdir "$STATE/tiny"
    mount -t tmpfs -o size=4k,nr_inodes=8 tiny "$STATE/tiny"
    head -c 4096 /dev/zero >"$STATE/tiny/filler"
    TINY_CONF=$(config_with '[paths]' "state = $STATE/tiny")
    vm_xml 50 "$NIC" | xml_file
}

@test "a full disk when a VM that runs is deployed again keeps the VM as it was" {
    deploy 50 "$NIC"
    tiny_state
    fails_with NO_SPACE "No space left on device" vmdock --config "$TINY_CONF" deploy "$XML"
    same "$(container_state 50)" running
    same "$(addresses 50)" 10.9.0.50/24
    umount "$STATE/tiny"
    rmdir "$STATE/tiny"
}

# ---- signals ------------------------------------------------------------------------------------

# Runs a deploy and sends it SIGNAL after each of some delays; each time either the VM runs as it
# should or nothing of it is left.
deploy_and_signal() {
    local signal=$1 delay status pid began ended=0
    vm_xml 50 "$NIC" | xml_file
    for delay in 0.005 0.02 0.05 0.1 0.15 0.2; do
        env --default-signal=INT,TERM,HUP vmdock deploy "$XML" \
            >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
        pid=$!
        sleep "$delay"
        kill -s "$signal" "$pid" 2>/dev/null || true
        status=0 began=$EPOCHSECONDS
        wait "$pid" || status=$?
        [ $((EPOCHSECONDS - began)) -le 15 ] || fail "it went on for $((EPOCHSECONDS - began)) s" || return 1
        if [ "$status" -eq 0 ]; then
            same "$(container_state 50)" running || return 1
        else
            ended=$((ended + 1))
            same "$status" $((128 + $(kill -l "$signal"))) || fail "$(cat "$BATS_TEST_TMPDIR/err")" || return 1
            # one that came before the first word of the program has none
            [ ! -s "$BATS_TEST_TMPDIR/err" ] ||
                same "$(grep -c "^vmdock: .*interrupted by signal $(kill -l "$signal") " "$BATS_TEST_TMPDIR/err")" 1 ||
                fail "$(cat "$BATS_TEST_TMPDIR/err")" || return 1
        fi
        [ "$status" -ne 0 ] || vmdock purge one-50
        nothing_left || fail "after $delay s: $(cat "$BATS_TEST_TMPDIR/err")" || return 1
    done
    [ "$ended" -ge 1 ] || fail "no signal came in time"
}

@test "SIGINT in the middle of a deploy" {
    deploy_and_signal INT
}

@test "SIGTERM in the middle of a deploy" {
    deploy_and_signal TERM
}

@test "SIGHUP in the middle of a deploy: ssh went away" {
    deploy_and_signal HUP
}

@test "SIGKILL in the middle of a deploy: the next deploy, and gc, clear what it left" {
    local delay
    vm_xml 50 "$NIC" | xml_file
    for delay in 0.01 0.05 0.1 0.15 0.2; do
        vmdock deploy "$XML" &>/dev/null 3>&- &
        local pid=$!
        sleep "$delay"
        kill -s KILL "$pid" 2>/dev/null || true
        wait "$pid" || true
        # the engine may still be busy with what it was asked
        sleep 0.5
        deploy 50 "$NIC"
        same "$(container_state 50)" running
        same "$(addresses 50)" 10.9.0.50/24
        vmdock purge one-50
        nothing_left
    done
}

@test "SIGKILL in the middle of a deploy: gc clears what it left" {
    local delay pid cleared=0
    vm_xml 50 "$NIC" | xml_file
    # the first as soon as there is something to leave behind, the others whenever that is
    for delay in 0 0.005 0.01 0.02 0.03 0.05; do
        vmdock deploy "$XML" &>/dev/null 3>&- &
        pid=$!
        while [ "$delay" = 0 ] && [ ! -e /run/netns/one-50 ] && kill -s 0 "$pid" 2>/dev/null; do :; done
        sleep "$delay"
        kill -s KILL "$pid" 2>/dev/null || true
        wait "$pid" || true
        sleep 0.5
        # killed too late, it runs; then it is a VM like any other, and none of gc's
        if [ "$(container_state 50 2>/dev/null)" = running ]; then
            vmdock purge one-50
            continue
        fi
        vmdock gc
        cleared=$((cleared + 1))
        nothing_left
    done
    [ "$cleared" -ge 1 ]
}

@test "a reader of stdout that went away" {
    vm_xml 50 "$NIC" | xml_file
    # closed before it starts, and a pipe that nobody reads
    run -"$(status_of IO)" bash -c "vmdock deploy '$XML' >&-"
    nothing_left
    run bash -c "set -o pipefail; vmdock deploy '$XML' | true"
    [ "$status" -eq 0 ] || [ "$status" -eq "$(status_of IO)" ]
    [ "$status" -ne 0 ] || vmdock purge one-50
    nothing_left
}

@test "a full device as stdout" {
    vm_xml 50 "$NIC" | xml_file
    run -"$(status_of NO_SPACE)" bash -c "vmdock deploy '$XML' >/dev/full"
    nothing_left
}

# ---- the host -----------------------------------------------------------------------------------

# What a reboot of the host takes: containers end, namespaces and links go, /run is empty.
reboot_host() {
    local name
    engine stop
    for name in /run/netns/*; do
        [ ! -e "$name" ] || ip netns del "${name##*/}"
    done
    ! mountpoint -q /run/netns || umount /run/netns
    rmdir /run/netns
    find "$RUN" -mindepth 1 -delete
    engine start
}

@test "after a reboot of the host: list, show, poll and deploy with the files that were there" {
    deploy 50 "$NIC"
    vmdock exec one-50 -- sh -c 'echo kept >/root/note'
    reboot_host
    run vmdock list
    [ "$status" -eq 0 ]
    has "$output" one-50
    vmdock show one-50
    vmdock poll
    deploy 50 "$NIC"
    same "$(addresses 50)" 10.9.0.50/24
    same "$(docker exec one-50 cat /root/note)" kept
    ping -c 1 -W 2 -q 10.9.0.50
}

@test "after a reboot of the host: reset brings the VM back without its XML" {
    deploy 50 "$NIC"
    reboot_host
    vmdock reset one-50
    same "$(addresses 50)" 10.9.0.50/24
    ping -c 1 -W 2 -q 10.9.0.50
}

@test "after a reboot of the host: an operator's docker start is refused with the VM's name" {
    deploy 50 "$NIC"
    reboot_host
    run docker start one-50
    [ "$status" -ne 0 ]
    has "$output" one-50
    vmdock reset one-50
    same "$(container_state 50)" running
}

@test "after a reboot of the host: cancel, then purge leaves nothing" {
    deploy 50 "$NIC"
    reboot_host
    vmdock cancel one-50
    vmdock purge one-50
    nothing_left
}

@test "after a reboot of the host: purge alone leaves nothing" {
    deploy 50 "$NIC"
    reboot_host
    vmdock purge one-50
    nothing_left
}

@test "gc clears what a container removed behind its back has left" {
    deploy 50 "$NIC"
    docker rm --force one-50
    vmdock gc
    nothing_left
}

@test "gc of a host in order touches nothing" {
    deploy 50 "$NIC"
    local before
    before=$(host_state)
    vmdock gc
    same "$(host_state)" "$before"
    ping -c 1 -W 2 -q 10.9.0.50
}

# ---- the command line ---------------------------------------------------------------------------

@test "verbs, options and configuration that are none" {
    fails_with USAGE frobnicate vmdock frobnicate
    fails_with USAGE --frobnicate vmdock --frobnicate list
    fails_with USAGE "" vmdock
    fails_with USAGE "" vmdock cancel
    fails_with CONFIG /no/such/file vmdock --config /no/such/file list
    printf '[engine]\nfrobnicate = 1\n' >"$BATS_TEST_TMPDIR/bad.conf"
    fails_with CONFIG frobnicate vmdock --config "$BATS_TEST_TMPDIR/bad.conf" list
}

@test "no kind of error has the exit status 42, none has another's" {
    local statuses
    statuses=$(sed -n 's/^ *X([A-Z_]*, \([0-9]*\), .*/\1/p' "$SOURCES/driver/error.h")
    [ "$(wc -l <<<"$statuses")" -ge 20 ]
    same "$(sort <<<"$statuses" | uniq -d)" ""
    refused grep -qx 42 <<<"$statuses"
}
