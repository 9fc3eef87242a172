#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Somebody at a terminal: the console of a VM, and commands in it that are typed to.

load helpers

setup_file() {
    lab_ready
}

setup() {
    XML=$BATS_TEST_TMPDIR/vm.xml
    vm_xml 72 nic=lab0,10.9.0.72 command=/bin/sh >"$XML"
    remember_state
}

teardown() {
    engine thaw || true
    engine start
    sweep
}

# The script on stdin is what a person does, in the words of tests/lib/terminal.exp.
person() {
    cat "$SOURCES/tests/lib/terminal.exp" - >"$BATS_TEST_TMPDIR/person.exp"
    expect -f "$BATS_TEST_TMPDIR/person.exp"
}

# ---- the console ----

@test "the console shows what the VM prints, hands it what is typed, and is left by ctrl-]" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock console one-72
sees "console of one-72; ctrl-] leaves it"
within 5 is_raw
send "echo a\\ny\\thing\r"
sees "anything"
send "\x1d"
sees "left the console of one-72, which goes on"
ends 0
EXP
    same "$(container_state 72)" running
    # What was typed is the same shell's as before.
    person <<'EXP'
vmdock console one-72
within 5 is_raw
send "here=yes\r"
send "\x1d"
ends 0
vmdock console one-72
send "echo still-\$here\r"
sees "still-yes"
send "\x1d"
ends 0
EXP
}

@test "the window's size is the VM's terminal's, from the beginning and after each change" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock console one-72
within 5 is_raw
send "stty size\r"
sees "24 80"
resize 33 101
send "until stty size | grep -x '33 101'; do sleep 0.1; done; echo to\\ok\r"
sees "took"
resize 50 132
send "until stty size | grep -x '50 132'; do sleep 0.1; done; echo to\\ok\r"
sees "took"
send "\x1d"
ends 0
EXP
}

@test "ctrl-c, ctrl-z, ctrl-p and ctrl-q are the VM's" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock console one-72
within 5 is_raw
send "stty raw -echo; od -An -tx1 -N 5 -v; stty sane; echo do\\ne\r"
within 5 {expr {![catch {exec docker exec one-72 pidof od}]}}
send "\x03\x1a\x10\x11\x1c"
sees "03 1a 10 11 1c"
sees "done"
send "\x1d"
ends 0
EXP
}

@test "other keys leave it where they are asked for; what only looks like them goes to the VM" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock console --detach-keys ctrl-p,ctrl-q one-72
sees "ctrl-p,ctrl-q leaves it"
within 5 is_raw
send "stty raw -echo; od -An -tx1 -N 4 -v; stty sane; echo do\\ne\r"
within 5 {expr {![catch {exec docker exec one-72 pidof od}]}}
send "\x10"
send "\x10x\x1d"
sees "10 10 78 1d"
sees "done"
send "\x10"
after 200
send "\x11"
sees "left the console"
ends 0
EXP
    fails_with USAGE '"ctrl-1" is no key' vmdock console --detach-keys ctrl-1 one-72
    fails_with USAGE 'there would be no way out' vmdock console --detach-keys '' one-72
}

@test "the end of the VM ends its console" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock console one-72
within 5 is_raw
send "exit 3\r"
sees "the console of one-72 has ended; the VM is exited"
ends 0
EXP
    vmdock deploy "$XML"
    person <<'EXP'
vmdock console one-72
within 5 is_raw
exec vmdock cancel one-72
sees "the VM is exited"
ends 0
EXP
}

@test "whatever signal ends it, the terminal is as it was and the VM goes on" {
    export ASAN_OPTIONS="${ASAN_OPTIONS:-}:handle_segv=0"
    vmdock deploy "$XML"
    person <<'EXP'
foreach {signal end} {TERM 143 HUP 129 INT 130 QUIT 131 SEGV 139 USR1 138 ALRM 142 ABRT 134} {
    vmdock console one-72
    within 5 is_raw
    exec kill -$signal $pid
    ends $end
}
EXP
    same "$(container_state 72)" running
}

@test "stopped, it gives the terminal back, and takes it again when it goes on" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock console one-72
within 5 is_raw
exec kill -TSTP $pid
within 5 is_as_before
exec kill -CONT $pid
within 5 is_raw
send "echo a\\gain\r"
sees "again"
send "\x1d"
ends 0
EXP
}

@test "a console is left at once when the engine does not answer" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock console one-72
within 5 is_raw
send "echo he\\re\r"
sees "here"
exec $env(LAB) engine $env(LAB_DIR) freeze
send "\x1d"
sees "left the console"
ends 0
EXP
    engine thaw
}

# What dies closes its connections and its socket one after the other.
@test "an engine that ends is told, and no end of the VM" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock console one-72
within 5 is_raw
send "echo he\\re\r"
sees "here"
exec $env(LAB) engine $env(LAB_DIR) kill
sees "container engine at"
ends {11 13}
EXP
    engine start
}

@test "what has no console is refused in a sentence" {
    vmdock deploy "$XML"
    fails_with USAGE "standard input is no terminal" vmdock console one-72 </dev/null
    vmdock cancel one-72
    fails_with STATE "VM one-72 does not run: it is exited" vmdock console one-72
    fails_with NO_VM "there is no VM one-73" vmdock console one-73
    vmdock purge one-72
    deploy 72 nic=lab0,10.9.0.72 user="$(element ONEDOCK_TERMINAL NO)"
    fails_with STATE "was made without a terminal; vmdock logs -f" vmdock console one-72
    vmdock purge one-72
    nothing_left
}

# ---- commands ----

@test "exec -it: a terminal of the window's size, what is typed, and the command's own status" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock exec -it one-72 sh -c {until stty size | grep -x '24 80'; do :; done; tty; read x; echo got $x; exit 7}
sees "/dev/pts/"
within 5 is_raw
send "some thing\r"
sees "got some thing"
ends 7
vmdock exec -i -t one-72 -- sh -c {until stty size | grep -x '40 90'; do sleep 0.1; done; echo resized}
within 5 is_raw
resize 40 90
sees "resized"
ends 0
EXP
}

@test "exec -it: the terminal is as it was after a signal and after the keys that leave it" {
    vmdock deploy "$XML"
    person <<'EXP'
vmdock exec -it one-72 sleep 1000
within 5 is_raw
exec kill -TERM $pid
ends 143
vmdock exec -it --detach-keys ctrl-x one-72 sh -c {echo ready; read x; echo $x >/tmp/after}
sees "ready"
send "\x18"
ends 0
EXP
    # What ran goes on, as the VM does.
    docker exec one-72 pidof sleep
    docker exec one-72 sh -c 'ps | grep -q "[s]h -c echo ready"'
}

@test "exec -i: the input, to its end, byte for byte, and errors apart" {
    vmdock deploy "$XML"
    head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/in"
    vmdock exec -i one-72 cat <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
    cmp "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/out"
    same "$(printf 'one\ntwo\n' | vmdock exec -i one-72 wc -l)" 2
    same "$(vmdock exec -i one-72 sh -c 'echo out; echo err >&2' </dev/null 2>/dev/null)" out
    same "$(vmdock exec -i one-72 sh -c 'echo out; echo err >&2' </dev/null 2>&1 >/dev/null)" err
    run vmdock exec -i one-72 sh -c 'cat; exit 9' </dev/null
    [ "$status" -eq 9 ]
    # A reader that takes little, and one that ends first.
    vmdock exec -i one-72 head -c 5 <"$BATS_TEST_TMPDIR/in" >"$BATS_TEST_TMPDIR/out"
    cmp "$BATS_TEST_TMPDIR/out" <(head -c 5 "$BATS_TEST_TMPDIR/in")
    run vmdock exec -i one-72 no-such-program </dev/null
    [ "$status" -eq 126 ] || [ "$status" -eq 127 ]
    has "$output" no-such-program
}

@test "exec -t: a terminal without input leaves ours alone, also where it is none" {
    vmdock deploy "$XML"
    has "$(vmdock exec -t one-72 tty </dev/null)" /dev/pts/
    fails_with USAGE "standard input is no terminal" vmdock exec -it one-72 true </dev/null
    person <<'EXP'
vmdock exec -t one-72 sh -c {echo started; sleep 1; stty size}
sees "started"
if {[is_raw]} { failed "the terminal was taken" }
sees "24 80"
ends 0
EXP
}
