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

# What changes nothing by itself is left out: openat counts where it makes a file.
CHANGING=write,pwrite64,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink
CHANGING+=,symlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,ftruncate,fallocate,fsync,fdatasync,mount
CHANGING+=,umount2,move_mount,unshare,setns,connect,sendto,sendmsg,flock,clone,clone3,vfork,execve,kill,openat
readonly CHANGING

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

# ---- the points -----------------------------------------------------------------------------------

# Runs the action under strace and prints its points, "SYSCALL N": the Nth call of that name in a
# process or thread of it.
points() {
    local trace=$BATS_TEST_TMPDIR/trace
    prepare "$1"
    strace -f -qq -o "$trace" -e trace="$CHANGING" -e signal=none "${COMMAND[@]}" <"$INPUT" >/dev/null 2>&1
    vmdock purge "one-$VM"
    awk '
        match($0, /^[0-9]+ +[a-z_0-9]+\(/) {
            split($0, word, /[ (]+/)
            n = ++calls[word[1], word[2]]
            if (word[2] == "openat" && !/O_CREAT|O_TMPFILE|O_TRUNC/) next
            if (word[2] == "execve" && n == 1 && NR == 1) next
            if (!seen[word[2], n]++) print word[2], n
        }' "$trace"
}

# Kills the action, or a process of it, there. Its threads do not share their work alike each time, so now and
# then a call is not reached.
broken_off() {
    local trace=$BATS_TEST_TMPDIR/broken
    strace -f -qq -o "$trace" -e trace="$1" -e inject="$1:signal=KILL:when=$2" "${COMMAND[@]}" <"$INPUT" &>/dev/null || true
    runs=$((runs + 1))
    ! grep -q 'killed by SIGKILL' "$trace" || kills=$((kills + 1))
}

# Breaks ACTION off at one point; a line for each thing that is not as it should be.
try() {
    local action=$1 call=$2 n=$3
    prepare "$action" || return 1
    broken_off "$call" "$n" 2>/dev/null
    "${COMMAND[@]}" <"$INPUT" >/dev/null || fail "killed at $call $n: $action does not come through when it is given again" || return 1
    expected "$action" || fail "killed at $call $n, then given again: $action has not done its work" || return 1
    vmdock purge "one-$VM" >/dev/null
    if [ "$action" != purge ]; then
        prepare "$action" || return 1
        broken_off "$call" "$n" 2>/dev/null
        vmdock cancel "one-$VM" >/dev/null || fail "killed at $call $n: cancel fails" || return 1
        vmdock purge "one-$VM" >/dev/null || fail "killed at $call $n: purge fails" || return 1
    fi
    nothing_left || fail "killed at $call $n: $action, cancel and purge" || return 1
}

matrix() {
    local action=$1 point call n tried=0 bad=0 i=0 runs=0 kills=0
    local -a list
    describe "$action"
    mapfile -t list < <(points "$action")
    [ ${#list[@]} -gt 10 ] || fail "only ${#list[@]} points: is strace at work?"
    for point in "${list[@]}"; do
        i=$((i + 1))
        [ $((i % EVERY)) -eq 0 ] || continue
        read -r call n <<<"$point"
        tried=$((tried + 1))
        try "$action" "$call" "$n" || { bad=$((bad + 1)) && { sweep || true; }; }
    done
    printf '# %s: %d points of %d, %d kills in %d runs, %d leaks or faults\n' "$action" "$tried" "${#list[@]}" \
        "$kills" "$runs" "$bad" >&3
    [ "$bad" -eq 0 ]
    [ $((kills * 10)) -ge $((runs * 8)) ] || fail "too few of the points were reached"
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
