#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2030,SC2031 # commands for the VM's shell; each test has its own variables
# Commands that the cloud runs in a VM, begun and cancelled as OpenNebula does it, and what is kept for
# the probe that tells their result.

load helpers
load front_end

NIC=nic=lab0,10.9.0.100

setup_file() {
    lab_ready
    front_end_ready
}

setup() {
    front_end_files
    remember_state
    RECORD=$RUN/exec/one-100.json
}

teardown() {
    ! mountpoint -q "$CONF" || umount "$CONF"
    sweep
}

begin() {
    remote_direct exec 100 node1 "$@" < <(action_data 100)
}

cancel() {
    remote_direct exec_cancel 100 node1 < <(action_data 100)
}

status_is() {
    [ "$(jq -r .status "$RECORD")" = "$1" ]
}

# What the record keeps under KEY, decoded.
kept() {
    jq -r ".$1" "$RECORD" | base64 -d
}

done_soon() {
    within 15 status_is DONE
}

in_vm() {
    docker exec one-100 ps | grep -v grep | grep -q "$1"
}

not_in_vm() {
    ! in_vm "$1"
}

# The monitoring client's probe.
probe_execution() {
    remote_direct im/onedock-probes.d/vm/execution/onedock.sh onedock 1 node1 </dev/null
}

vmdock_one() {
    find "$LAB_PREFIX" -name vmdock-one -type f -executable
}

@test "exec runs a shell's command and keeps output, errors and status for the probe" {
    deploy 100 "$NIC"
    begin 'echo "to $0 | out" | tr a-z A-Z; echo wrong >&2; exit 3'
    same "$(cat "$OUT")" ""
    done_soon
    same "$(jq -c '[.id, .status, .return_code]' "$RECORD")" '["100","DONE",3]'
    same "$(kept stdout)" "TO /BIN/SH | OUT"
    same "$(kept stderr)" wrong
    [ "$(jq .pid "$RECORD")" -gt 0 ]
    same "$(stat -c '%a %U' "$RECORD")" "600 root"
    local pid
    pid=$(jq .pid "$RECORD")
    probe_execution
    same "$(cat "$OUT")" "VM=[ID=\"100\",PID=\"$pid\",STATUS=\"DONE\",RETURN_CODE=\"3\",STDOUT=\"$(base64 <<<"TO /BIN/SH | OUT")\",STDERR=\"$(base64 <<<wrong)\"]"
    probe_execution
    same "$(cat "$OUT")" ""
    vmdock purge one-100
    nothing_left
}

@test "sudo's log has other actions, but neither an exec's command nor what it reads" {
    deploy 100 "$NIC"
    local log=$BATS_TEST_TMPDIR/sudo.log
    printf 'Defaults logfile=%s, !syslog\n' "$log" >/etc/sudoers.d/zz-log
    begin 'echo private-command; cat' "$(printf private-input | base64)"
    done_soon
    cancel
    rm /etc/sudoers.d/zz-log
    has "$(cat "$log")" exec_cancel
    has_not "$(tr -d ' \n' <"$log")" private-command
    has_not "$(tr -d ' \n' <"$log")" "$(printf private-input | base64)"
}

@test "exec and exec_cancel with the very stdin and words of the records" {
    deploy 1
    remote_direct exec 1 onenode1 'uname -a' < <(recorded exec)
    RECORD=$RUN/exec/one-1.json
    done_soon
    has "$(kept stdout)" Linux
    remote_direct exec_cancel 1 onenode1 < <(recorded exec_cancel)
    [ ! -e "$RECORD" ]
}

@test "exec answers while the command runs, with nothing of it held by the caller" {
    local began=$SECONDS
    deploy 100 "$NIC"
    begin 'echo begun; sleep 4; echo ended'
    [ $((SECONDS - began)) -le 3 ]
    status_is RUNNING
    kill -s 0 "$(jq .pid "$RECORD")"
    # the VM's lock is free
    vmdock pause one-100
    vmdock resume one-100
    done_soon
    same "$(kept stdout)" "begun
ended"
}

@test "exec gives the command its stdin, to the end and byte for byte" {
    deploy 100 "$NIC"
    head -c 60000 /dev/urandom >"$BATS_TEST_TMPDIR/input"
    begin 'md5sum; sleep 1; echo end' "$(base64 -w0 "$BATS_TEST_TMPDIR/input")"
    # what is typed may be a secret: no command line shows it for as long as the command runs
    base64 -w0 "$BATS_TEST_TMPDIR/input" | head -c 40 >"$BATS_TEST_TMPDIR/secret"
    refused grep -aqs -f "$BATS_TEST_TMPDIR/secret" /proc/[0-9]*/cmdline
    done_soon
    same "$(kept stdout)" "$(md5sum <"$BATS_TEST_TMPDIR/input")
end"
    # one that does not read it
    begin 'echo careless' "$(base64 -w0 "$BATS_TEST_TMPDIR/input")"
    done_soon
    same "$(kept stdout)" careless
    denied USAGE "not in base64" begin 'cat' 'no base64!'
}

@test "exec without stdin does not wait for any" {
    deploy 100 "$NIC"
    begin 'cat; echo no input'
    done_soon
    same "$(kept stdout)" "no input"
}

@test "one command at a time; the next one after it" {
    deploy 100 "$NIC"
    begin 'sleep 1000'
    denied STATE "another command runs" begin 'echo second'
    in_vm "sleep 1000"
    cancel
    begin 'echo third'
    done_soon
    same "$(kept stdout)" third
}

@test "exec_cancel ends the command and what it started, at once, and keeps nothing of it" {
    local pid
    deploy 100 "$NIC"
    begin 'sleep 1001 & (sleep 1002; echo never) & trap "" TERM; sleep 1003; echo never'
    within 5 in_vm "sleep 1003"
    pid=$(jq .pid "$RECORD")
    cancel
    same "$(cat "$OUT")" ""
    within 2 not_in_vm "sleep 100[123]"
    refused kill -s 0 "$pid"
    [ ! -e "$RECORD" ]
    # and its keeper, when it has seen the end, brings nothing back
    sleep 3
    [ ! -e "$RECORD" ]
    same "$(container_state 100)" running
    cancel
    vmdock purge one-100
    nothing_left
}

@test "exec_cancel touches no other process of the VM" {
    deploy 100 "$NIC"
    docker exec --detach one-100 sleep 1004
    begin 'sleep 1005'
    cancel
    within 2 not_in_vm "sleep 1005"
    in_vm "sleep 1004"
}

@test "exec_cancel when the command has ended, when there never was one, and without VM: fine" {
    deploy 100 "$NIC"
    cancel
    begin 'echo ended'
    done_soon
    cancel
    [ ! -e "$RECORD" ]
    vmdock purge one-100
    cancel
    nothing_left
}

@test "an image without a shell gives a clear error, and nothing is kept" {
    deploy 100 "$NIC"
    docker exec one-100 rm /bin/sh
    denied ENGINE_REFUSED "cannot start /bin/sh" begin 'echo never'
    has "$(message)" "no such file or directory"
    [ ! -e "$RECORD" ]
    # the same status from a shell is no such error
    docker exec one-100 ln -s busybox /bin/sh
    begin 'no-such-program'
    done_soon
    same "$(jq .return_code "$RECORD")" 127
    has "$(kept stderr)" "not found"
}

@test "output beyond the limit is read and dropped, and the record says so" {
    deploy 100 "$NIC"
    mount --bind "$(config_with '[limits]' 'exec_output_bytes = 5000')" "$CONF"
    begin 'yes | head -c 3000000; echo short >&2; exit 7'
    done_soon
    same "$(kept stdout | wc -c)" 5000
    has "$(kept stderr)" short
    has "$(kept stderr)" "only the first 5000 bytes of its output are kept"
    same "$(jq .return_code "$RECORD")" 7
}

@test "a VM that stops under its command: the result says how it ended" {
    deploy 100 "$NIC"
    begin 'sleep 1006'
    vmdock cancel one-100
    done_soon
    same "$(jq .return_code "$RECORD")" 137
    vmdock purge one-100
    nothing_left
}

@test "a keeper that is killed: the next command, or a cancel, ends the old one" {
    deploy 100 "$NIC"
    begin 'sleep 1007'
    kill -s KILL "$(jq .worker "$RECORD")"
    cancel
    within 2 not_in_vm "sleep 1007"
    begin 'sleep 1008'
    kill -s KILL "$(jq .worker "$RECORD")"
    sleep 0.2
    begin 'echo next'
    done_soon
    same "$(kept stdout)" next
    within 2 not_in_vm "sleep 1008"
}

@test "a keeper that is told to stop ends the command and says so" {
    deploy 100 "$NIC"
    begin 'echo partly; sleep 1009'
    sleep 0.3
    kill -s TERM "$(jq .worker "$RECORD")"
    within 5 status_is ERROR
    same "$(kept stdout)" partly
    has "$(kept stderr)" interrupted
    within 2 not_in_vm "sleep 1009"
}

@test "an exec whose caller is interrupted: the command runs and is known, or it does not run" {
    local delay
    deploy 100 "$NIC"
    action_data 100 >"$BATS_TEST_TMPDIR/data"
    for delay in 0.02 0.04 0.07 0.12; do
        timeout --foreground --signal=TERM "$delay" "$(vmdock_one)" exec 100 node1 'sleep 1010' \
            <"$BATS_TEST_TMPDIR/data" &>/dev/null 3>&- || true
        sleep 1
        if [ -e "$RECORD" ]; then
            in_vm "sleep 1010"
            cancel
        fi
        within 2 not_in_vm "sleep 1010"
        [ ! -e "$RECORD" ]
    done
}

@test "exec: no such VM, one that is stopped or paused, another's description, numbers that are none" {
    denied NO_VM "no VM one-100" begin 'echo never'
    deploy 100 "$NIC"
    vmdock pause one-100
    denied STATE "is paused" begin 'echo never'
    vmdock resume one-100
    vmdock shutdown one-100
    denied STATE "does not run" begin 'echo never'
    denied SPEC "description of VM 101" remote_direct exec 100 node1 'echo never' < <(action_data 101)
    denied SPEC "" remote_direct exec 100 node1 'echo never' </dev/null
    denied USAGE "" remote_direct exec '1;id' node1 'echo never' < <(action_data 100)
    denied USAGE "" remote_direct exec 100 node1 '' < <(action_data 100)
    denied USAGE "" remote_direct exec 100 node1 < <(action_data 100)
    denied USAGE "" remote_direct exec_cancel ../100 node1 < <(action_data 100)
    [ ! -e "$RECORD" ]
    vmdock purge one-100
    nothing_left
}

@test "two VMs run their commands at the same time" {
    deploy 100 "$NIC"
    deploy 101 nic=lab0,10.9.0.101
    begin 'sleep 1; echo one'
    remote_direct exec 101 node1 'echo two' < <(action_data 101)
    done_soon
    same "$(kept stdout)" one
    same "$(jq -r .stdout "$RUN/exec/one-101.json" | base64 -d)" two
}
