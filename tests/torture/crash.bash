# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The points of an action at which it is killed, and what must be so afterwards. Loaded after actions.

# What changes nothing by itself is left out: openat counts where it makes a file.
CHANGING=write,pwrite64,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,rmdir,link,linkat,symlink
CHANGING+=,symlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,ftruncate,fallocate,fsync,fdatasync,mount
CHANGING+=,umount2,move_mount,unshare,setns,connect,sendto,sendmsg,flock,clone,clone3,vfork,execve,kill,openat
readonly CHANGING

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

# Kills the action, or a process of it, there.
killed() {
    local trace=$BATS_TEST_TMPDIR/broken
    strace -f -qq -o "$trace" -e trace="$1" -e inject="$1:signal=KILL:when=$2" "${COMMAND[@]}" <"$INPUT" &>/dev/null || true
    grep -q 'killed by SIGKILL' "$trace"
}

# broken_off ACTION CALL N: begins it, and kills it there. Its threads do not share their work alike each time, so
# now and then a call is not reached: then it begins again, twice at most.
broken_off() {
    local times
    runs=$((runs + 1))
    for times in 1 2 3; do
        prepare "$1" || return 1
        if killed "$2" "$3" 2>/dev/null; then
            kills=$((kills + 1))
            break
        fi
        [ "$times" -eq 3 ] || vmdock purge "one-$VM" >/dev/null
    done
}

# Breaks ACTION off at one point; a line for each thing that is not as it should be.
try() {
    local action=$1 call=$2 n=$3
    broken_off "$action" "$call" "$n" || return 1
    "${COMMAND[@]}" <"$INPUT" >/dev/null || fail "killed at $call $n: $action does not come through when it is given again" || return 1
    expected "$action" || fail "killed at $call $n, then given again: $action has not done its work" || return 1
    vmdock purge "one-$VM" >/dev/null
    if [ "$action" != purge ]; then
        broken_off "$action" "$call" "$n" || return 1
        vmdock cancel "one-$VM" >/dev/null || fail "killed at $call $n: cancel fails" || return 1
        vmdock purge "one-$VM" >/dev/null || fail "killed at $call $n: purge fails" || return 1
    fi
    all_gone || fail "killed at $call $n: $action, cancel and purge" || return 1
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
