#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # $stderr is set by run
# The probes, run as OpenNebula's monitoring client runs them: as an ordinary user without sbin in its
# PATH, in the client's folder, the configuration as XML on stdin, argv "onedock HOST_ID HOST".
#
# Contract: im/onedock-probes.d of OpenNebula 7.4.

load helpers

REMOTES=/var/tmp/one
PROBES=$REMOTES/im/onedock-probes.d
MONITOR=$RUN/monitor

setup_file() {
    local source
    lab_ready
    "$LAB" user "$LAB_DIR" oneadmin
    source=$(find "$LAB_PREFIX" -type d -path '*/im/onedock-probes.d')
    cp "$CONF" "$BATS_FILE_TMPDIR/conf"
    rm -rf "$REMOTES/im"
    mkdir -p "$REMOTES/im/onedock.d"
    cp -rL "$source" "$REMOTES/im/"
    echo 7.4.0 >"$REMOTES/VERSION"
    chmod -R a+rX "$REMOTES"
}

setup() {
    OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
    rm -rf "$MONITOR"
}

teardown() {
    cat "$BATS_FILE_TMPDIR/conf" >"$CONF"
    engine start
    sweep
}

# settings LINE…: further lines of the configuration, until the test's end.
settings() {
    printf '%s\n' "$@" >>"$CONF"
}

vmdock_one() {
    find "$LAB_PREFIX" -name vmdock-one -type f -path '*libexec*'
}

# probe FOLDER [SYNC_SECONDS]: every executable file of it, as the client does; output in $OUT, $ERR.
probe() {
    local file status=0
    : >"$OUT"
    for file in "$PROBES/$1"/*; do
        [ -x "$file" ] || continue
        printf '<MONITOR_CONFIGURATION><PROBES_PERIOD><SYNC_STATE_VM><![CDATA[%s]]></SYNC_STATE_VM></PROBES_PERIOD></MONITOR_CONFIGURATION>' \
            "${2:-180}" | runuser -u oneadmin -- env -i LANG=C PATH=/usr/bin:/bin HOME=/run/oneadmin \
            sh -c "cd $REMOTES/im/onedock.d && exec \"\$@\"" sh "$file" onedock 1 node1 >>"$OUT" 2>"$ERR" || status=$?
    done
    return "$status"
}

# What vm/status tells: "60 RUNNING", one VM a line; SYNC lines left out.
told() {
    probe vm/status "$@" && sed -n 's/^VM = \[ ID="\([0-9]*\)", DEPLOY_ID="one-\1", STATE="\([A-Z]*\)" \]$/\1 \2/p' "$OUT"
}

# The values of a VM in vm/monitor's output.
values() {
    sed -n "s/^VM = \[ ID=\"$1\", DEPLOY_ID=\"one-$1\", MONITOR=\"\([A-Za-z0-9+/=]*\)\" \]$/\1/p" "$OUT" | base64 --decode
}

# value ID KEY
value() {
    values "$1" | sed -n "s/^$2=\"\(.*\)\"$/\1/p"
}

disk_size() {
    values "$1" | sed -n "s/^DISK_SIZE=\[ ID=\"$2\", SIZE=\"\([0-9]*\)\" \]$/\1/p"
}

# The lock that an action on the VM holds; fd 7.
hold() {
    mkdir -p "$RUN/lock"
    exec 7>>"$RUN/lock/one-$1"
    flock 7
}

release() {
    exec 7>&-
}

@test "all seven folders are there, each with a probe" {
    local folder
    for folder in host/beacon host/system host/monitor vm/status vm/monitor vm/execution vm/snapshot; do
        [ -n "$(find "$PROBES/$folder" -type f -perm -111)" ] || fail "no probe in $folder"
        probe "$folder"
    done
    [ -z "$(find "$PROBES" -xtype l)" ]
}

@test "each probe is one process: its script becomes sudo, and vmdock-one starts nothing" {
    local folder one trace=$BATS_TEST_TMPDIR/trace
    one=$(find "$LAB_PREFIX" -name vmdock-one -type f -executable)
    deploy 60 nic=lab0,10.9.0.60
    deploy 61
    for folder in host/system host/monitor vm/status vm/monitor vm/execution vm/snapshot; do
        same "$(grep -cvE '^(#|$)' "$PROBES/$folder/onedock.sh")" 1
        grep -qE "^exec sudo -n [^ ]*/vmdock-one monitor $folder \"\\\$@\"\$" "$PROBES/$folder/onedock.sh"
        # the sanitizers' search for leaks does not work beside strace
        ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -qq -e trace=execve,fork,vfork,clone,clone3 \
            -o "$trace" "$one" monitor "$folder" onedock 0 node1 </dev/null >/dev/null
        same "$(grep -c execve "$trace")" 1
        # threads alone
        same "$(grep -E 'fork|clone' "$trace" | grep -vE 'CLONE_THREAD|resumed')" ""
    done
}

@test "host/beacon: something" {
    probe host/beacon
    [ "$(cat "$OUT")" -gt 1700000000 ]
}

@test "host/system: the host as the kernel and the engine have it" {
    deploy 60 nic=lab0,10.9.0.60
    deploy 61
    vmdock cancel one-61
    probe host/system
    for line in HYPERVISOR=onedock "TOTALCPU=$(($(getconf _NPROCESSORS_ONLN) * 100))" \
        "TOTALMEMORY=$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)" "ARCH=\"$(uname -m)\"" \
        "HOSTNAME=\"$(uname -n)\"" 'VERSION="7.4.0"' 'ENGINE="docker"' \
        "ENGINE_VERSION=\"$(docker version --format '{{.Server.Version}}')\"" \
        "ENGINE_STORAGE=\"$(docker info --format '{{.Driver}}')\"" CONTAINERS=2 CONTAINERS_RUNNING=1; do
        grep -qxF -- "$line" "$OUT" || fail "no $line in $(cat "$OUT")"
    done
    grep -q '^DISK0_SIZE="' "$OUT"
    grep -qE "^BRIDGES=\".*lab0 $((1023 - $(ip -o link show master lab0 | wc -l)))" "$OUT"
    grep -qE '^BRIDGE_PORTS_FREE=[0-9]+$' "$OUT"
    # every line is an attribute
    refused grep -vE '^[A-Z0-9_]+=([0-9]+|onedock|"[^"]*")$' "$OUT"
}

@test "host/monitor: what is used and what is free add up" {
    probe host/monitor
    # shellcheck source=/dev/null
    . "$OUT"
    # shellcheck disable=SC2153 # from the output
    same "$((USEDCPU + FREECPU))" "$(($(getconf _NPROCESSORS_ONLN) * 100))"
    same "$((USEDMEMORY + FREEMEMORY))" "$(awk '/^MemTotal/ { print $2 }' /proc/meminfo)"
    [ "$USEDMEMORY" -gt 0 ] && [ "$FREEMEMORY" -gt 0 ]
    [ "$NETRX" -ge 0 ] && [ "$NETTX" -ge 0 ]
    probe host/monitor
}

@test "an engine that is down fails the host's probes with one sentence, and vm/status tells nothing" {
    deploy 60
    same "$(told)" "60 RUNNING"
    settings '[poll]' 'engine_grace_ms = 0'
    engine stop
    local folder
    for folder in host/system host/monitor vm/status vm/monitor; do
        refused probe "$folder"
        same "$(cat "$OUT")" ""
        same "$(wc -l <"$ERR")" 1
        has "$(cat "$ERR")" engine
    done
    engine start
    # it took the VM with it, which is told now
    same "$(told)" "60 POWEROFF"
}

@test "an engine that restarts is waited for" {
    engine stop
    (sleep 1; engine start) 3>&- &
    probe host/monitor
    wait $!
    grep -q '^USEDCPU=' "$OUT"
}

@test "vm/status: the first run and each sync tell all, the others what has changed" {
    deploy 60
    deploy 61
    probe vm/status
    same "$(head -n 2 "$OUT")" "SYNC_STATE=yes
MISSING_STATE=POWEROFF"
    same "$(sed 1,2d "$OUT")" 'VM = [ ID="60", DEPLOY_ID="one-60", STATE="RUNNING" ]
VM = [ ID="61", DEPLOY_ID="one-61", STATE="RUNNING" ]'
    probe vm/status
    same "$(cat "$OUT")" ""
    vmdock pause one-61
    same "$(told)" "61 SUSPENDED"
    vmdock resume one-61
    same "$(told)" "61 RUNNING"
    sleep 1.1
    same "$(told 1)" "60 RUNNING
61 RUNNING"
    grep -q '^SYNC_STATE=yes$' "$OUT"
}

@test "a container that is killed is told as POWEROFF by the next run, with its exit code" {
    deploy 60
    probe vm/status
    docker kill --signal KILL one-60 >/dev/null
    same "$(told)" "60 POWEROFF"
    same "$(told)" ""
    probe vm/monitor
    same "$(value 60 EXIT_CODE)" 137
    same "$(value 60 CPU)" 0.0
    same "$(value 60 MEMORY)" 0
    same "$(value 60 OOM_KILLS)" 0
}

@test "a VM that ends by itself, and one that the kernel kills for want of memory" {
    local wait='while [ ! -e /go ]; do sleep 0.1; done'
    deploy 60 user="$(element ONEDOCK_COMMAND "sh -c '$wait; exit 7'")"
    deploy 61 memory=16 user="$(element ONEDOCK_COMMAND "sh -c '$wait; exec tail /dev/zero'")"
    probe vm/status
    docker exec one-60 touch /go || true # which ends with its VM
    docker exec one-61 touch /go || true
    within 10 docker_exited one-60
    within 10 docker_exited one-61
    same "$(told)" "60 POWEROFF
61 POWEROFF"
    probe vm/monitor
    same "$(value 60 EXIT_CODE)" 7
    same "$(value 60 OOM_KILLS)" 0
    same "$(value 61 EXIT_CODE)" 137
    same "$(value 61 OOM_KILLS)" 1
}

docker_exited() {
    [ "$(docker inspect --format '{{.State.Status}}' "$1")" = exited ]
}

@test "a container that is removed behind OpenNebula's back is off after two runs, a purged VM too" {
    deploy 60
    deploy 61
    probe vm/status
    docker rm --force one-60 >/dev/null
    vmdock purge one-61
    same "$(told)" ""
    same "$(told)" "60 POWEROFF
61 POWEROFF"
    same "$(told)" ""
}

@test "a VM that an action holds is not told, also not as missing" {
    deploy 60
    same "$(told)" "60 RUNNING"
    hold 60
    docker kill --signal KILL one-60 >/dev/null
    same "$(told)" ""
    sleep 1.1
    same "$(told 1)" "60 RUNNING"
    grep -q '^SYNC_STATE=yes$' "$OUT"
    deploy 61
    release
    hold 61
    same "$(told)" "60 POWEROFF"
    release
    same "$(told)" "61 RUNNING"
}

@test "what an unfinished deploy left is no VM" {
    docker create --name one-62 --runtime vmdock --cgroup-parent "/$PARENT" --network none \
        --label vmdock.vm=one-62 "$IMAGE" >/dev/null
    same "$(told)" ""
    probe vm/monitor
    same "$(cat "$OUT")" ""
}

@test "containers that are no VMs, and VMs of another cloud, are not OpenNebula's" {
    docker run --detach --name one-63 --label vmdock.vm=one-63 "$IMAGE" >/dev/null
    docker run --detach --name other "$IMAGE" >/dev/null
    same "$(told)" ""
    probe vm/monitor
    same "$(cat "$OUT")" ""
}

@test "another host id is told everything" {
    deploy 60
    same "$(told)" "60 RUNNING"
    same "$(told)" ""
    run "$(vmdock_one)" monitor vm/status onedock 2 node1 </dev/null
    has "$output" SYNC_STATE=yes
    has "$output" one-60
}

# Bytes that the VM sent.
sent_by() {
    in_sandbox "$1" cat /proc/net/dev | awk '/eth0:/ { print $10 }'
}

@test "vm/monitor: the values are the kernel's" {
    deploy 60 nic=lab0,10.9.0.60 vcpu=1
    in_sandbox 60 ping -qc 3 -i 0.05 10.9.0.1 >/dev/null
    local before
    before=$(sent_by 60)
    probe vm/monitor
    # IPv6 asks for routers whenever it likes
    [ "$before" -gt 0 ]
    [ "$(value 60 NETTX)" -ge "$before" ]
    [ "$(value 60 NETTX)" -le "$(sent_by 60)" ]
    [ "$(value 60 MEMORY)" -gt 0 ]
    same "$(value 60 PIDS)" "$(cgroup_value 60 pids pids.current)"
    same "$(value 60 EXIT_CODE)" -
    same "$(value 60 RESTARTS)" 0
    [[ $(value 60 CPU) =~ ^[0-9]+\.[0-9]$ ]]
    [[ $(value 60 THROTTLED) =~ ^[0-9]+$ ]]
    same "$(values 60 | grep -cvE '^[A-Z_]+=("[^"]*"|\[ ID="[0-9]+", SIZE="[0-9]+" \])$')" 0
    vmdock reboot one-60
    probe vm/monitor
    same "$(value 60 RESTARTS)" 1
}

@test "vm/monitor: the size of disk 0 is that of the writable layer, of further disks their files'" {
    settings '[poll]' 'layer_period_s = 0' '[opennebula]' "datastores = $BATS_TEST_TMPDIR/datastores"
    mkdir -p "$BATS_TEST_TMPDIR/datastores/0/60"
    dd if=/dev/zero of="$BATS_TEST_TMPDIR/datastores/0/60/disk.1" bs=1M count=3 status=none
    deploy 60
    probe vm/monitor
    [ "$(disk_size 60 0)" -le 1 ]
    same "$(disk_size 60 1)" 3
    docker exec one-60 dd if=/dev/zero of=/root/big bs=1M count=20 2>/dev/null
    vmdock cancel one-60
    probe vm/monitor
    [ "$(disk_size 60 0)" -ge 20 ] && [ "$(disk_size 60 0)" -le 22 ]
}

@test "vm/monitor: the engine is asked for no size, for which it would walk all files of a layer" {
    settings '[poll]' 'layer_period_s = 0'
    deploy 60
    local trace=$BATS_TEST_TMPDIR/trace asked
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -qq -e trace=write,writev,sendto,sendmsg -s 1000 \
        -o "$trace" "$LAB_PREFIX/libexec/vmdock/vmdock-one" monitor vm/monitor onedock 0 node1 \
        </dev/null >"$OUT"
    [ "$(disk_size 60 0)" -ge 0 ]
    asked=$(grep -oE '(GET|POST|HEAD|PUT|DELETE) /[^ "]* HTTP' "$trace")
    has "$asked" /containers/json
    same "$(grep -E '^(POST|PUT|DELETE)|size=|/system/df|/stats' <<<"$asked")" ""
}

@test "vmdock poll, as the probes: one process, no call for statistics, and no rest between two readings" {
    deploy 60 nic=lab0,10.9.0.60
    deploy 61
    local trace=$BATS_TEST_TMPDIR/trace asked arguments
    vmdock poll >/dev/null
    for arguments in poll '--json poll'; do
        # shellcheck disable=SC2086 # words
        ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -qq -s 1000 -o "$trace" \
            -e trace=execve,fork,vfork,clone,clone3,nanosleep,clock_nanosleep,pause,write,writev,sendto,sendmsg \
            vmdock $arguments >"$OUT"
        has "$(cat "$OUT")" one-60
        same "$(grep -c execve "$trace")" 1
        # threads alone
        same "$(grep -E 'fork|clone\(|clone3' "$trace" | grep -vE 'CLONE_THREAD|resumed')" ""
        same "$(grep -E 'nanosleep|pause\(' "$trace")" ""
        asked=$(grep -oE '(GET|POST|HEAD|PUT|DELETE) /[^ "]* HTTP' "$trace")
        has "$asked" /containers/json
        same "$(grep -E '^(POST|PUT|DELETE)|size=|/system/df|/stats' <<<"$asked")" ""
        # however many VMs there are
        [ "$(grep -c /containers/ <<<"$asked")" -le 2 ] || fail "$asked"
    done
}

# exec_record ID STATUS WORKER START: what the action exec keeps of a command.
exec_record() {
    printf '{"id":"%s","pid":7,"status":"%s","return_code":0,"stdout":"aGkK","stderr":"",' "$1" "$2"
    printf '"exec":"e1","worker":%s,"worker_start":%s}' "$3" "$4"
}

@test "vm/execution: what has ended is told once, and what nobody waits for any more" {
    mkdir -p "$RUN/exec"
    exec_record 60 DONE 1 1 >"$RUN/exec/one-60.json"
    # this process waits for the second one, nobody for the third
    exec_record 61 RUNNING "$$" "$(sed 's/.*) //' "/proc/$$/stat" | cut -d ' ' -f 20)" >"$RUN/exec/one-61.json"
    exec_record 62 RUNNING "$$" 1 >"$RUN/exec/one-62.json"
    probe vm/execution
    same "$(grep 'ID="60"' "$OUT")" 'VM=[ID="60",PID="7",STATUS="DONE",RETURN_CODE="0",STDOUT="aGkK",STDERR=""]'
    grep -q 'ID="62",PID="7",STATUS="ERROR"' "$OUT"
    same "$(wc -l <"$OUT")" 2
    probe vm/execution
    same "$(cat "$OUT")" ""
    [ -e "$RUN/exec/one-61.json" ]
    rm -rf "$RUN/exec"
}

@test "vm/execution: a result that nobody could take is told again, one that cannot be read hides no other" {
    mkdir -p "$RUN/exec"
    exec_record 60 DONE 1 1 >"$RUN/exec/one-60.json"
    exec_record 61 DONE 1 1 | head -c 40 >"$RUN/exec/one-61.json"
    echo nonsense >"$RUN/exec/one-62.json"
    local file
    file=$(find "$PROBES/vm/execution" -type f)
    run -"$(status_of NO_SPACE)" --separate-stderr runuser -u oneadmin -- \
        env -i PATH=/usr/bin:/bin sh -c "'$file' onedock 1 node1 >/dev/full"
    same "$(grep -c . <<<"$stderr")" 1
    probe vm/execution
    same "$(cat "$OUT")" 'VM=[ID="60",PID="7",STATUS="DONE",RETURN_CODE="0",STDOUT="aGkK",STDERR=""]'
    rm -rf "$RUN/exec"
}

@test "vm/execution: results that cannot be looked for fail the probe with one sentence" {
    rm -rf "$RUN/exec"
    touch "$RUN/exec"
    refused probe vm/execution
    same "$(cat "$OUT")" ""
    same "$(wc -l <"$ERR")" 1
    has "$(cat "$ERR")" "$RUN/exec"
    rm "$RUN/exec"
}

@test "vm/snapshot: an engine that is down fails it with one sentence, and nothing is cleared" {
    deploy 60 nic=lab0,10.9.0.60
    docker rm --force one-60 >/dev/null
    settings '[poll]' 'sweep_after_s = 0' 'engine_grace_ms = 0'
    engine stop
    refused probe vm/snapshot
    same "$(cat "$OUT")" ""
    same "$(wc -l <"$ERR")" 1
    has "$(cat "$ERR")" "container engine"
    ip link show one-60-0 >/dev/null
    [ -e "$STATE/one-60" ]
    engine start
    probe vm/snapshot
    refused ip link show one-60-0
}

@test "vm/status: a VM whose container is being exchanged, by an action that was killed, is not missing" {
    deploy 60 nic=lab0,10.9.0.60
    same "$(told)" "60 RUNNING"
    docker rename one-60 one-60.old
    touch "$STATE/one-60/swap"
    for _ in 1 2 3 4 5; do
        same "$(told)" ""
    done
    vmdock gc
    same "$(container_state 60)" running
    same "$(told)" ""
}

@test "vm/snapshot: what was left is cleared once it has lain there for a while" {
    remember_state
    deploy 60 nic=lab0,10.9.0.60
    docker rm --force one-60 >/dev/null
    probe vm/snapshot
    probe vm/snapshot
    same "$(cat "$OUT")" ""
    ip link show one-60-0 >/dev/null
    settings '[poll]' 'sweep_after_s = 1'
    sleep 1.1
    probe vm/snapshot
    nothing_left
}

@test "vm/snapshot: a VM that ended by itself loses its network and nothing else; resume brings it back" {
    deploy 60 nic=lab0,10.9.0.60
    deploy 61 nic=lab0,10.9.0.61
    docker exec one-60 sh -c 'echo kept >/root/note'
    docker kill --signal KILL one-60 >/dev/null
    settings '[poll]' 'sweep_after_s = 0'
    probe vm/snapshot
    refused ip link show one-60-0
    refused test -e /run/netns/one-60
    same "$(container_state 60)" exited
    same "$(addresses 61)" 10.9.0.61/24
    same "$(container_state 61)" running
    deploy 60 nic=lab0,10.9.0.60
    same "$(addresses 60)" 10.9.0.60/24
    same "$(docker exec one-60 cat /root/note)" kept
}

@test "vm/snapshot: what an action holds, runs or was stopped by it stays" {
    deploy 60 nic=lab0,10.9.0.60
    deploy 61 nic=lab0,10.9.0.61
    deploy 62 nic=lab0,10.9.0.62
    vmdock shutdown one-61
    docker kill --signal KILL one-62 >/dev/null
    hold 62
    local before
    before=$(host_state)
    settings '[poll]' 'sweep_after_s = 0'
    probe vm/snapshot
    release
    same "$(host_state)" "$before"
}

@test "arguments that are none" {
    local arguments
    for arguments in 'monitor' 'monitor vm' 'monitor ../x' 'monitor vm/status onedock ../1 x' \
        'monitor vm/status onedock -1 x' 'monitor vm/status onedock 99999999999999999999 x'; do
        # shellcheck disable=SC2086 # words
        run runuser -u oneadmin -- sudo -n "$(vmdock_one)" $arguments </dev/null
        same "$status" "$(status_of USAGE)"
    done
    [ ! -e "$MONITOR" ]
}
