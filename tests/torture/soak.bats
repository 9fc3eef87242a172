#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# VMs that come and go all day: SOAK_CYCLES=N (60) times deploy, reboot, cancel and purge, 20 VMs at a time.
# Each tenth of the cycles, with no VM there, the host is measured: descriptors, threads and memory of the engine
# and of containerd, links, namespaces, cgroups, mounts, processes, files of vmdock, containers and images. It
# must be flat from the first measurement to the last.
#
# Flat means: the same number to the unit of whatever vmdock makes; for the engine and containerd, which keep
# idle connections and threads and a heap of their own, at most 20 descriptors and 20 threads more, and a
# quarter and 16 MB of memory more.

load ../integration/helpers

CYCLES=${SOAK_CYCLES:-60}
AT_ONCE=20
FIRST=500
MORE_HANDLES=20 MORE_PERCENT=25 MORE_KB=16384
readonly CYCLES AT_ONCE FIRST MORE_HANDLES MORE_PERCENT MORE_KB

setup_file() {
    lab_ready
    local n
    for ((n = 0; n < AT_ONCE; n++)); do
        vm_xml $((FIRST + n)) "nic=lab0,10.9.0.$((10 + n))" >"$BATS_FILE_TMPDIR/$((FIRST + n)).xml"
    done
}

teardown() {
    sweep
}

# cycles ID COUNT: so many lives of one VM.
cycles() {
    local i
    for ((i = 0; i < $2; i++)); do
        vmdock deploy "$BATS_FILE_TMPDIR/$1.xml" && vmdock reboot "one-$1" &&
            ping -c 1 -W 5 -q "10.9.0.$((10 + $1 - FIRST))" >/dev/null &&
            vmdock cancel "one-$1" && vmdock purge "one-$1" || return 1
    done
}

# batch COUNT: that many cycles, AT_ONCE of them at a time.
batch() {
    local id status=0
    local -A pids=()
    for ((id = FIRST; id < FIRST + AT_ONCE; id++)); do
        cycles "$id" $((($1 + FIRST + AT_ONCE - 1 - id) / AT_ONCE)) &>"$BATS_TEST_TMPDIR/$id.out" 3>&- &
        pids[$id]=$!
    done
    for id in "${!pids[@]}"; do
        wait "${pids[$id]}" || { status=1 && echo "VM $id: $(tail -n 3 "$BATS_TEST_TMPDIR/$id.out")"; }
    done
    return "$status"
}

# process NAME PID: its descriptors, threads and resident memory in kB, as "NAME.fds 12" and so on.
process() {
    printf '%s.fds %d\n' "$1" "$(find "/proc/$2/fd" -mindepth 1 | wc -l)"
    sed -n "s/^Threads:\t*\([0-9]*\)/$1.threads \1/p; s/^VmRSS:\t* *\([0-9]*\) kB/$1.kB \1/p" "/proc/$2/status"
}

# One "NAME NUMBER" a line.
measure() {
    local engine containerd
    engine=$(cat /run/lab/engine.pid)
    containerd=$(pgrep -P "$engine" -x containerd)
    process engine "$engine"
    process containerd "$containerd"
    printf 'links %d\n' "$(ip -oneline link show | wc -l)"
    printf 'names %d\n' "$(find /run/netns -mindepth 1 2>/dev/null | wc -l)"
    printf 'namespaces %d\n' "$(stat -L -c %i /proc/[0-9]*/ns/net /run/netns/* 2>/dev/null | sort -u | wc -l)"
    printf 'cgroups %d\n' "$(find /sys/fs/cgroup -type d -path "*/$PARENT*" | wc -l)"
    printf 'mounts %d\n' "$(wc -l </proc/self/mountinfo)"
    printf 'processes %d\n' "$(find /proc -maxdepth 1 -name '[0-9]*' -exec sh -c 'for p; do readlink "$p/exe"; done' sh {} + 2>/dev/null |
        grep -cE '/(containerd-shim[^/]*|vmdock[^/]*|runc|crun)$')"
    printf 'files %d\n' "$(find "$STATE" "$RUN" | wc -l)"
    printf 'containers %d\n' "$(docker ps --all --quiet | wc -l)"
    printf 'images %d\n' "$(docker images --all --quiet | wc -l)"
}

# What ends takes a moment for it: shims, and what the kernel clears away behind their backs.
is_quiet() {
    [ -z "$(docker ps --all --quiet)" ] && ! pgrep -f '^[^ ]*containerd-shim'
}

# limit NAME FIRST: how much it may be at the last.
limit() {
    case $1 in
        *.fds | *.threads) echo $(($2 + MORE_HANDLES)) ;;
        *.kB) echo $(($2 + $2 * MORE_PERCENT / 100 + MORE_KB)) ;;
        *) echo "$2" ;;
    esac
}

# The table of all measurements, "NAME NUMBER…", and whether it is flat.
verdict() {
    local name first rest most bad=0
    local -a numbers
    while read -r name first rest; do
        read -ra numbers <<<"$first $rest"
        most=$(limit "$name" "$first")
        printf '# %-20s' "$name" >&3
        printf ' %8s' "${numbers[@]}" >&3
        [ "${numbers[-1]}" -le "$most" ] || { printf '   more than %s' "$most" >&3 && bad=1; }
        echo >&3
    done < <(awk '{ if (!($1 in row)) order[++n] = $1; row[$1] = row[$1] " " $2 } END { for (i = 1; i <= n; i++) print order[i] row[order[i]] }' "$1")
    [ "$bad" -eq 0 ] || fail "it grows"
}

@test "$CYCLES cycles of deploy, reboot, cancel and purge, $AT_ONCE at a time: nothing grows" {
    local done=0 step=$((CYCLES / 10 > AT_ONCE ? CYCLES / 10 : AT_ONCE)) begin=$SECONDS
    while [ "$done" -lt "$CYCLES" ]; do
        batch "$step"
        done=$((done + step))
        within 60 is_quiet
        measure >>"$BATS_TEST_TMPDIR/measured"
    done
    printf '# %d cycles in %d s, measured each %d\n' "$done" $((SECONDS - begin)) "$step" >&3
    verdict "$BATS_TEST_TMPDIR/measured"
}
