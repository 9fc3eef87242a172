#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2030,SC2031 # each test has its own variables
# The crash matrix: an action is killed at each of its system calls that changes anything, one after the
# other, by strace's fault injection. After each kill the same action, given again, does what it is to do,
# and cancel and purge leave nothing of the VM on the host.
#
# Of each action the points tried are counted.

load ../integration/helpers
load ../integration/front_end
load actions
load crash

setup_file() {
    lab_ready
    front_end_ready
    action_files
}

setup() {
    front_end_files
    remember_state
}

teardown() {
    untrace_runtime
    sweep
}

# ---- the runtime ----------------------------------------------------------------------------------

RUNTIME=$LAB_PREFIX/libexec/vmdock/vmdock-runtime
readonly RUNTIME

# The engine runs the runtime under strace from now on, with the options that stand in a file; without
# one it runs as it is. What it finds is kept, for who runs it again.
trace_runtime() {
    cp "$RUNTIME" "$BATS_TEST_TMPDIR/vmdock-runtime"
    cat >"$BATS_TEST_TMPDIR/traced" <<SH
#!/bin/sh
case " \$* " in
    *" create "*)
        options=\$(cat "$BATS_TEST_TMPDIR/options" 2>/dev/null)
        rest=\${*#*--bundle }
        cp "\${rest%% *}/config.json" "$BATS_TEST_TMPDIR/config.json" ;;
esac
exec \${options:+strace -qq \$options} "$BATS_TEST_TMPDIR/vmdock-runtime" "\$@"
SH
    chmod 755 "$BATS_TEST_TMPDIR/traced"
    mount --bind "$BATS_TEST_TMPDIR/traced" "$RUNTIME"
}

untrace_runtime() {
    ! mountpoint -q "$RUNTIME" || umount "$RUNTIME"
}

# Its calls until it becomes the real runtime, that one too: "SYSCALL N". The call that begins it is none that
# strace breaks off, nor counts then.
runtime_points() {
    echo "-o $BATS_TEST_TMPDIR/trace -e trace=$CHANGING -e signal=none" >"$BATS_TEST_TMPDIR/options"
    vmdock deploy "$BATS_FILE_TMPDIR/one.xml" >/dev/null
    rm "$BATS_TEST_TMPDIR/options"
    vmdock purge "one-$VM"
    awk '
        match($0, /^[a-z_0-9]+\(/) {
            name = substr($0, 1, RLENGTH - 1)
            n = ++calls[name]
            if (name == "execve" && n == 2) exit
            if (name == "openat" && !/O_CREAT|O_TMPFILE|O_TRUNC/) next
            if (name != "execve") print name, n
        }
        END { print "execve", 1 }' "$BATS_TEST_TMPDIR/trace"
}

# Killed at one point, it makes the deploy fail, with nothing half done that a later one would meet.
try_runtime() {
    local call=$1 n=$2
    echo "-o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n" >"$BATS_TEST_TMPDIR/options"
    refused vmdock deploy "$BATS_FILE_TMPDIR/one.xml" &>/dev/null || fail "runtime killed at $call $n: deploy takes no notice" || return 1
    rm "$BATS_TEST_TMPDIR/options"
    nothing_left || fail "runtime killed at $call $n: the failed deploy" || return 1
    vmdock deploy "$BATS_FILE_TMPDIR/one.xml" >/dev/null && runs_with 10.9.0.80 || return 1
    # and a VM that has run before
    echo "-o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n" >"$BATS_TEST_TMPDIR/options"
    refused vmdock reboot "one-$VM" &>/dev/null || fail "runtime killed at $call $n: reboot takes no notice" || return 1
    rm "$BATS_TEST_TMPDIR/options"
    vmdock deploy "$BATS_FILE_TMPDIR/one.xml" >/dev/null || fail "runtime killed at $call $n: the VM does not come back" || return 1
    runs_with 10.9.0.80 || return 1
    vmdock cancel "one-$VM" && vmdock purge "one-$VM" && nothing_left
}

# ---- the actions ----------------------------------------------------------------------------------

# What the matrix looks at when the VM has gone.
all_gone() {
    nothing_left
}

@test "deploy killed at each change" {
    matrix deploy
}

@test "shutdown killed at each change" {
    matrix shutdown
}

@test "cancel killed at each change" {
    matrix cancel
}

@test "reboot killed at each change" {
    matrix reboot
}

@test "reset killed at each change" {
    matrix reset
}

@test "attach_nic killed at each change" {
    matrix attach_nic
}

@test "detach_nic killed at each change" {
    matrix detach_nic
}

@test "purge killed at each change" {
    matrix purge
}

# Its points are few: all are tried, whatever TORTURE_EVERY says.
@test "vmdock-runtime killed at each change" {
    local point tried=0 bad=0
    local -a list
    trace_runtime
    mapfile -t list < <(runtime_points)
    [ ${#list[@]} -gt 3 ] || fail "only ${#list[@]} points: is strace at work?"
    for point in "${list[@]}"; do
        tried=$((tried + 1))
        # shellcheck disable=SC2086 # two words
        try_runtime $point 2>&1 || { bad=$((bad + 1)) && { sweep || true; }; }
    done
    printf '# vmdock-runtime: %d points of %d, %d leaks or faults\n' "$tried" "${#list[@]}" "$bad" >&3
    [ "$bad" -eq 0 ]
}

@test "wherever vmdock-runtime is killed, config.json is what it was or what it is to be, whole" {
    local point call n id bundle=$BATS_TEST_TMPDIR/bundle old=0 new=0
    local -a list
    trace_runtime
    mapfile -t list < <(runtime_points)
    vmdock deploy "$BATS_FILE_TMPDIR/one.xml" >/dev/null
    untrace_runtime
    id=$(docker inspect --format '{{.Id}}' "one-$VM")
    mkdir "$bundle"
    for point in "${list[@]}"; do
        read -r call n <<<"$point"
        cp "$BATS_TEST_TMPDIR/config.json" "$bundle/config.json"
        strace -qq -o /dev/null -e trace="$call" -e inject="$call:signal=KILL:when=$n" \
            "$RUNTIME" create --bundle "$bundle" "$id" &>/dev/null && fail "not killed at $point" && return 1
        if cmp -s "$BATS_TEST_TMPDIR/config.json" "$bundle/config.json"; then
            old=$((old + 1))
        else
            same "$(jq -r '.linux.namespaces[] | select(.type == "network").path' "$bundle/config.json")" \
                "/run/netns/one-$VM" || fail "killed at $point" || return 1
            new=$((new + 1))
        fi
    done
    printf '# %d of %d points leave the old one, %d the new one\n' "$old" "${#list[@]}" "$new" >&3
    [ "$old" -ge 1 ] && [ "$new" -ge 1 ]
}
