#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # texts that are not expanded; tests have variables of their own; $stderr is set by run
# What a hostile template can ask for is refused or confined; secrets stay where they belong; and the cloud's user
# gets through sudo no further than the cloud's own VMs.

load helpers
load front_end

NIC=nic=lab0,10.9.0.120

setup_file() {
    lab_ready
    front_end_ready
}

setup() {
    front_end_files
    remember_state
}

teardown() {
    sweep
}

# asks_for [as vm_xml, without the id]: deploys VM 120; one sentence, or it runs.
asks_for() {
    local status=0
    vm_xml 120 "$NIC" "$@" | vmdock deploy - 2>"$BATS_TEST_TMPDIR/said" || status=$?
    [ "$status" -eq 0 ] || same "$(grep -c '^vmdock: ' "$BATS_TEST_TMPDIR/said")" 1
    [ "$status" -lt 128 ] || fail "$(cat "$BATS_TEST_TMPDIR/said")"
}

container() {
    docker inspect one-120 2>/dev/null | jq -c "(.[0] // {}) | $1"
}

# If it runs, it runs as any other container: nothing of the host is in it.
is_confined() {
    local pid kind
    [ "$(container_state 120 2>/dev/null)" = running ] || return 0
    same "$(container '[.HostConfig | .Privileged, .PidMode, .IpcMode, .UTSMode, (.CapAdd // []), (.Devices // []), (.Binds // []), (.VolumesFrom // []), (.SecurityOpt // [])]')" \
        '[false,"","private","",[],[],[],[],[]]' || return 1
    same "$(container '[.Mounts[].Source | select(endswith("/one-120/context") | not)]')" '[]' || return 1
    pid=$(container .State.Pid)
    for kind in mnt net pid ipc uts; do
        [ "$(readlink "/proc/$pid/ns/$kind")" != "$(readlink "/proc/self/ns/$kind")" ] || fail "it is in the host's $kind namespace" || return 1
    done
    # the engine's own fourteen capabilities, and its filter of system calls
    same "$(sed -n 's/^CapBnd:\t//p' "/proc/$pid/status")" 00000000a80425fb || return 1
    same "$(sed -n 's/^Seccomp:\t//p' "/proc/$pid/status")" 2
}

# ---- a hostile template ---------------------------------------------------------------------------

@test "no attribute brings a folder of the host into a VM" {
    local attribute
    for attribute in "$(element VOLUMES /etc:/host)" "$(element BINDS /:/host)" "$(element ONEDOCK_VOLUMES /etc:/host)" \
        "$(element ONEDOCK_TMPFS /etc:/host)" "$(element ONEDOCK_TMPFS ../../etc)" "$(element ONEDOCK_TMPFS /x/../../etc)" \
        "<RAW>$(element DATA '<filesystem><source dir="/"/></filesystem>')</RAW>"; do
        asks_for "user=$attribute"
        is_confined
        refused docker exec one-120 test -e /host/shadow
        vmdock purge one-120
    done
    nothing_left
}

@test "a disk is no path of the host, by whatever way it is written" {
    local path
    for path in /etc/passwd ../../../../etc/passwd docker:///etc/passwd file:///etc/passwd /dev/sda "/proc/1/root/etc/passwd"; do
        fails_with NO_IMAGE "" deploy 120 "$NIC" "image=$path" || fails_with SPEC "" deploy 120 "$NIC" "image=$path"
    done
    for path in ../../etc relative /../../etc /mnt/../../etc; do
        vm_xml 120 "$NIC" "template=<DISK>$(element DISK_ID 1)$(element SIZE 1)$(element TYPE fs)$(element ONEDOCK_MOUNT "$path")</DISK>" |
            sed 's|</VM>|<HISTORY_RECORDS><HISTORY><DS_ID>102</DS_ID></HISTORY></HISTORY_RECORDS></VM>|' >"$BATS_TEST_TMPDIR/vm.xml"
        fails_with SPEC ONEDOCK_MOUNT vmdock deploy "$BATS_TEST_TMPDIR/vm.xml" || fail "$path: $output" || return 1
    done
    nothing_left
}

@test "devices: none but those that the host's configuration names, by the name that stands there" {
    local device allowed
    allowed=$(config_with '[policy]' 'devices = /dev/fuse')
    for device in /dev/kmsg /dev/fuse/../kmsg /dev/../dev/kmsg /dev/./fuse //dev/fuse /dev/fuse:/dev/kmsg:rwm /dev '*' ''; do
        vm_xml 120 "$NIC" "user=$(element ONEDOCK_DEVICES "$device")" >"$BATS_TEST_TMPDIR/vm.xml"
        run vmdock --config "$allowed" deploy "$BATS_TEST_TMPDIR/vm.xml"
        if [ "$status" -eq 0 ]; then
            [[ $(container '[.HostConfig.Devices[]? | .PathOnHost] | unique') =~ ^\[(\"/dev/fuse\")?\]$ ]] || fail "$device: $(container .HostConfig.Devices)"
        fi
        # the kernel's log, by whatever name
        has_not "$(docker exec one-120 sh -c 'stat -c %t:%T /dev/* /dev/*/*' 2>/dev/null)" 1:b
        vmdock purge one-120
    done
    nothing_left
}

@test "capabilities: none by any spelling" {
    local capability
    for capability in SYS_ADMIN CAP_SYS_ADMIN sys_admin ALL all 'NET_RAW SYS_ADMIN' 'NET_RAW,SYS_ADMIN' CAP_BPF NONSENSE; do
        fails_with POLICY "" deploy 120 "$NIC" "user=$(element ONEDOCK_CAP_ADD "$capability")" ||
            fails_with SPEC "" deploy 120 "$NIC" "user=$(element ONEDOCK_CAP_ADD "$capability")" || fail "$capability"
    done
    nothing_left
}

@test "privileged: by no spelling, and by no attribute of others" {
    local word attribute
    for word in yes YES true 1 on; do
        fails_with POLICY "" deploy 120 "$NIC" "user=$(element ONEDOCK_PRIVILEGED "$word")" ||
            fails_with SPEC "" deploy 120 "$NIC" "user=$(element ONEDOCK_PRIVILEGED "$word")" || fail "$word"
    done
    for attribute in PRIVILEGED DOCKER_PRIVILEGED LXC_UNPRIVILEGED; do
        asks_for "user=$(element "$attribute" yes)"
        is_confined
        vmdock purge one-120
    done
    nothing_left
}

@test "namespaces of the host: no attribute leads into one" {
    local attribute
    for attribute in "$(element PID_MODE host)" "$(element ONEDOCK_PID host)" "$(element NETWORK_MODE host)" \
        "$(element ONEDOCK_NETWORK host)" "$(element ONEDOCK_USERNS host)" "$(element IPC host)" "$(element UTS host)"; do
        asks_for "user=$attribute"
        is_confined
        vmdock purge one-120
    done
    nothing_left
}

@test "DOCKERRUN holds words of a command, never options of the engine" {
    local words
    for words in '--privileged -v /:/host --net=host sh' '-it --pid host sh -c id' '; --privileged' '$(id) `id` | sh'; do
        asks_for "command=$words"
        is_confined
        same "$(container '.HostConfig.Privileged // false')" false
        vmdock purge one-120
    done
    asks_for 'command=first --privileged -v /:/host'
    is_confined
    same "$(container .Config.Cmd)" '["first","--privileged","-v","/:/host"]'
}

@test "labels are vmdock's own, whatever the template calls itself" {
    asks_for name=$'x\nvmdock.vm=one-7' "user=$(element LABELS vmdock.vm=one-7)$(element ONEDOCK_LABELS a=b)$(element vmdock.vm one-7)"
    same "$(container '[.Config.Labels | keys[] | select(startswith("vmdock.") | not)]')" '[]'
    same "$(container '.Config.Labels["vmdock.vm"]')" '"one-120"'
    same "$(vmdock list --ids)" one-120
}

@test "the environment is the guest's alone: what starts it is told none of it" {
    local pid shim
    asks_for "user=$(element ONEDOCK_ENV 'LD_PRELOAD=/none.so GODEBUG=x VMDOCK_VM=one-7 PATH=/bin:/usr/bin HOST_SECRET=shown')"
    same "$(container_state 120)" running
    pid=$(container .State.Pid)
    has "$(tr '\0' '\n' <"/proc/$pid/environ")" HOST_SECRET=shown
    shim=$(sed -n 's/^PPid:\t//p' "/proc/$pid/status")
    has_not "$(tr '\0' '\n' <"/proc/$shim/environ")" HOST_SECRET
    has_not "$(tr '\0' '\n' <"/proc/$shim/environ")" LD_PRELOAD
    same "$(addresses 120)" 10.9.0.120/24
    is_confined
}

# many COUNT TEXT: that many of it, each with its number for @.
many() {
    awk -v count="$1" -v text="$2" 'BEGIN { for (i = 0; i < count; i++) { one = text; gsub(/@/, i, one); printf "%s", one } }'
}

@test "oversized everything is refused with a sentence, in time and whole" {
    local long begin=$SECONDS
    long=$(head -c 200000 /dev/zero | tr '\0' a)
    local -a cases
    cases=("name=$long" "command=$long" "image=docker://$long" "memory=9223372036854775807" "cpu=1e300" "vcpu=99999999999")
    cases+=("user=$(element ONEDOCK_ENV "A=$long")" "user=$(element ONEDOCK_WORKDIR "/$long")" "user=$(element ONEDOCK_USER "$long")")
    cases+=("user=$(element ONEDOCK_PIDS_LIMIT 99999999999999999999)" "user=$(element ONEDOCK_STOP_TIMEOUT 99999999999)")
    cases+=("user=$(element ONEDOCK_TMPFS "$(many 200 '/t@ ')")" "user=$(element ONEDOCK_DEVICES "$(many 200 '/dev/@ ')")")
    cases+=("user=$(element ONEDOCK_CAP_ADD "$(many 200 'CAP_@ ')")")
    cases+=("template=$(many 2000 '<NIC><NIC_ID>@</NIC_ID><BRIDGE>lab0</BRIDGE></NIC>')")
    cases+=("template=$(many 2000 '<DISK><DISK_ID>@</DISK_ID><TYPE>fs</TYPE><SIZE>1</SIZE></DISK>')")
    cases+=("template=<CONTEXT>$(many 5000 '<V@>x</V@>')</CONTEXT>" "template=$(many 3000 '<A>')$(many 3000 '</A>')")
    local one i=0
    for one in "${cases[@]}"; do
        vm_xml 120 "$NIC" "$one" >"$BATS_TEST_TMPDIR/vm.xml"
        run --separate-stderr timeout 60 vmdock deploy "$BATS_TEST_TMPDIR/vm.xml"
        [ "$status" -lt 124 ] || fail "case $i (${one:0:60}): status $status" || return 1
        [ "$status" -eq 0 ] || same "$(grep -c '^vmdock: ' <<<"$stderr")" 1 || fail "case $i (${one:0:60}): $stderr" || return 1
        [ ${#stderr} -lt 10000 ] || fail "case $i (${one:0:60}): a sentence of ${#stderr} bytes" || return 1
        vmdock purge one-120
        i=$((i + 1))
    done
    [ $((SECONDS - begin)) -le 120 ]
    nothing_left
}

# U+009B begins an escape sequence in a terminal, U+202E turns the line around; XML lets both through.
@test "control characters reach no terminal, in whatever attribute they stand" {
    local evil=$'x\u009b31m\u202ey\u0085z' attribute command
    for attribute in "image=docker://$evil" "command=$evil" "nic=$evil,10.9.0.121" "nic=lab0,10.9.0.121,target=$evil" \
        "user=$(element ONEDOCK_USER "$evil")" "user=$(element ONEDOCK_WORKDIR "$evil")" "user=$(element ONEDOCK_CAP_ADD "$evil")" \
        "user=$(element ONEDOCK_DEVICES "$evil")" "user=$(element ONEDOCK_TMPFS "$evil")" "user=$(element ONEDOCK_STOP_SIGNAL "$evil")"; do
        vm_xml 120 "$attribute" >"$BATS_TEST_TMPDIR/vm.xml"
        run vmdock deploy "$BATS_TEST_TMPDIR/vm.xml"
        for command in list poll "show one-120" "explain $BATS_TEST_TMPDIR/vm.xml"; do
            output+=$(script -qec "vmdock $command" /dev/null </dev/null || true)
        done
        has_not "$output" $'\u009b' || fail "$attribute" || return 1
        has_not "$output" $'\u202e' || fail "$attribute" || return 1
        has_not "$output" $'\u0085' || fail "$attribute" || return 1
        vmdock purge one-120
    done
    nothing_left
}

# ---- secrets --------------------------------------------------------------------------------------

SECRETS=(s3cretPassword s3cretVnc s3cretScript)

secret_template() {
    printf '<CONTEXT>%s%s</CONTEXT><GRAPHICS>%s%s</GRAPHICS>' "$(element PASSWORD s3cretPassword)" \
        "$(element START_SCRIPT '#s3cretScript')" "$(element TYPE VNC)" "$(element PASSWD s3cretVnc)"
}

has_no_secret() {
    local secret
    for secret in "${SECRETS[@]}"; do
        ! grep -qaF -e "$secret" -e "$(printf %s "$secret" | base64)" "$1" || fail "$2 has $secret" || return 1
    done
}

@test "secrets are in no argument, no environ, no label, no log and no trace" {
    local xml=$BATS_TEST_TMPDIR/vm.xml log
    vm_xml 120 "$NIC" "template=$(secret_template)" >"$xml"
    log=$(wc -c <"$LAB_DIR/engine.log")
    # each program that is run, with its arguments and its environment, by the shim and by what it starts
    ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -qq -v -s 100000 -e trace=execve -o "$BATS_TEST_TMPDIR/execs" vmdock --trace deploy "$xml" >"$BATS_TEST_TMPDIR/out" 2>&1
    same "$(container_state 120)" running
    has_no_secret "$BATS_TEST_TMPDIR/execs" "an argument or environ"
    has_no_secret "$BATS_TEST_TMPDIR/out" "the trace"
    docker inspect one-120 >"$BATS_TEST_TMPDIR/inspect"
    has_no_secret "$BATS_TEST_TMPDIR/inspect" "the container's labels, environment or command"
    tail -c "+$((log + 1))" "$LAB_DIR/engine.log" >"$BATS_TEST_TMPDIR/log"
    has_no_secret "$BATS_TEST_TMPDIR/log" "the engine's log"
    { vmdock show one-120; vmdock --json show one-120; vmdock list; vmdock poll --json; } >"$BATS_TEST_TMPDIR/shown"
    has_no_secret "$BATS_TEST_TMPDIR/shown" "what is shown"
    cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n' | grep -v bats >"$BATS_TEST_TMPDIR/all" || true
    has_no_secret "$BATS_TEST_TMPDIR/all" "a process"
}

@test "a password of the template is in no command line while it is set" {
    local watch
    { while [ ! -e "$BATS_TEST_TMPDIR/stop" ]; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' '; done >"$BATS_TEST_TMPDIR/seen"; } 3>&- &
    watch=$!
    vm_xml 120 "$NIC" "template=$(secret_template)" | vmdock deploy - 2>/dev/null
    touch "$BATS_TEST_TMPDIR/stop"
    wait "$watch"
    [ -s "$BATS_TEST_TMPDIR/seen" ]
    has_no_secret "$BATS_TEST_TMPDIR/seen" "a command line"
}

@test "no program leaves a core" {
    local program vmdock_one
    vmdock_one=$LAB_PREFIX/libexec/vmdock/vmdock-one
    export ASAN_OPTIONS="${ASAN_OPTIONS:-}:handle_segv=0"
    for program in "vmdock deploy -" "$vmdock_one deploy /d node1 120 node1"; do
        # shellcheck disable=SC2086 # words
        run python3 - "$BATS_TEST_TMPDIR" $program <<'PY'
import os, resource, signal, subprocess, sys, time
def unlimited():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
    os.chdir(sys.argv[1])
child = subprocess.Popen(sys.argv[2:], stdin=subprocess.PIPE, preexec_fn=unlimited)
child.stdin.write(b'<VM><ID>120</ID><TEMPLATE>s3cretPassword')
child.stdin.flush()
limits = '/proc/%d/limits' % child.pid
def core():
    with open(limits) as file:
        return [line.split()[4:6] for line in file if line.startswith('Max core file size')][0]
for _ in range(1000):
    with open('/proc/%d/wchan' % child.pid) as file:
        if 'pipe' in file.read():
            break
    time.sleep(0.01)
print(*core())
child.send_signal(signal.SIGSEGV)
status = os.waitpid(child.pid, 0)[1]
print(os.WTERMSIG(status), os.WCOREDUMP(status))
PY
        same "$output" "0 0
11 False" || return 1
    done
    same "$(find "$BATS_TEST_TMPDIR" -name 'core*')" ""
}

@test "what is made belongs to root, with no right of anybody else's to write, and to read where nobody need" {
    local file
    vm_xml 120 "$NIC" "template=$(secret_template)" | vmdock deploy - 2>/dev/null
    vmdock poll >/dev/null
    "$LAB_PREFIX/libexec/vmdock/vmdock-one" snapshot_create one-120 0 120 node1 </dev/null >/dev/null
    same "$(find "$STATE" "$RUN" ! -user root -o ! -group root | grep -v '/context/' || true)" ""
    same "$(find "$STATE" "$RUN" ! -type l -perm /022)" ""
    same "$(stat -c '%a' "$STATE/one-120")" 700
    while read -r file; do
        same "$(stat -c '%a' "$file")" 600 || fail "$file" || return 1
    done < <(find "$STATE" "$RUN" -type f ! -path '*/context/*')
    same "$(find "$STATE" "$RUN" -perm /6000)" ""
    # as OpenNebula's user sees it
    refused runuser -u oneadmin -- cat "$STATE/one-120/spec.json"
    refused runuser -u oneadmin -- ls "$STATE/one-120"
}

# ---- through sudo ---------------------------------------------------------------------------------

VMDOCK_ONE=$LAB_PREFIX/libexec/vmdock/vmdock-one
readonly VMDOCK_ONE

sudo_one() {
    timeout 60 runuser -u oneadmin -- sudo -n "$VMDOCK_ONE" "$@"
}

actions() {
    sed -n 's/^ *X("\([a-z_]*\)", one_[a-z_]*).*/\1/p' "$SOURCES/shim/one.h"
}

# What of the host must be as it was: files where root alone may write, the configuration, foreign containers.
host_files() {
    find /etc /root /usr/local "$LAB_PREFIX/etc" -xdev -type f -printf '%p %s %m %u %T@\n' 2>/dev/null | sort
    docker inspect --format '{{.Id}} {{.State.Status}} {{.State.StartedAt}} {{.Name}}' foreign
}

@test "hostile arguments through sudo read, write and touch nothing" {
    local action before count i=0
    local -a words rotated
    printf 'a secret of root\n' >/root/vmdock-secret
    docker run --detach --name foreign "$IMAGE" >/dev/null
    before=$(host_files)
    [ "$(actions | wc -l)" -ge 40 ]
    words=(/root/vmdock-secret --config=/run/oneadmin/own.conf ../../../root/vmdock-secret 'one-120;touch /root/owned'
        '$(touch /root/owned)' foreign "$(printf 'a%.0s' {1..5000})" --help one-120/../foreign)
    while read -r action; do
        # one to six of them, as many as some action takes, and each in every place over the actions
        for _ in 1 2; do
            i=$((i + 1)) count=$((i % 6 + 1))
            rotated=("${words[@]:i % ${#words[@]}}" "${words[@]:0:i % ${#words[@]}}")
            run sudo_one "$action" "${rotated[@]:0:count}" </dev/null
            [ "$status" -ne 0 ] || [ "$action" = monitor ] || [ "$action" = disk_engine ] || fail "$action ${rotated[*]:0:count} succeeds: $output" || return 1
            [ "$status" -ne 124 ] || fail "$action ${rotated[*]:0:count} hangs" || return 1
            has_not "$output" "a secret of root" || fail "$action" || return 1
        done
    done < <(actions)
    same "$(host_files)" "$before"
    [ ! -e /root/owned ]
    rm /root/vmdock-secret
    docker rm --force foreign >/dev/null
    nothing_left
}

@test "hostile stdin through sudo reads, writes and touches nothing" {
    local action before input inputs
    printf 'a secret of root\n' >/root/vmdock-secret
    docker run --detach --name foreign "$IMAGE" >/dev/null
    before=$(host_files)
    printf '<!DOCTYPE VM [<!ENTITY x SYSTEM "file:///root/vmdock-secret">]><VM><ID>120</ID><NAME>&x;</NAME></VM>' >"$BATS_TEST_TMPDIR/entity"
    head -c 200000 /dev/urandom >"$BATS_TEST_TMPDIR/random"
    { printf '<VM>' && head -c 20000000 /dev/zero | tr '\0' a; } >"$BATS_TEST_TMPDIR/large"
    printf '\0\0\0' >"$BATS_TEST_TMPDIR/nothing"
    while read -r action; do
        inputs='entity random'
        [[ $action != deploy && $action != attach_nic && $action != exec ]] || inputs+=' large nothing'
        for input in $inputs; do
            run sudo_one "$action" one-120 node1 120 node1 <"$BATS_TEST_TMPDIR/$input"
            [ "$status" -ne 124 ] || fail "$action hangs over $input" || return 1
            has_not "$output" "a secret of root" || fail "$action" || return 1
        done
    done < <(actions)
    same "$(host_files)" "$before"
    rm /root/vmdock-secret
    docker rm --force foreign >/dev/null
    vmdock purge one-120
    nothing_left
}

@test "the caller's environment changes nothing: no configuration, no library, no program, no engine of its own" {
    local own=/run/oneadmin/own variable
    mkdir -p "$own"
    printf '#!/bin/sh\ntouch /run/oneadmin/owned\n' >"$own/ip"
    cp "$own/ip" "$own/nft"
    cp "$own/ip" "$own/iptables"
    cp "$own/ip" "$own/docker"
    chmod 755 "$own"/*
    printf '[policy]\nprivileged = true\n' >"$own/vmdock.conf"
    for variable in VMDOCK_CONFIG="$own/vmdock.conf" DOCKER_HOST=unix:///nowhere DOCKER_CONFIG="$own" LD_PRELOAD="$own/x.so" LD_LIBRARY_PATH="$own" \
        PATH="$own:$PATH" GIO_EXTRA_MODULES="$own" G_MESSAGES_DEBUG=all GCONV_PATH="$own" LOCPATH="$own" XML_CATALOG_FILES="$own/c" \
        CURL_HOME="$own" SSL_CERT_FILE="$own/x" http_proxy=http://127.0.0.1:9 HOME="$own" TMPDIR="$own" XDG_CONFIG_HOME="$own" IFS=/; do
        vm_xml 120 "$NIC" "user=$(element ONEDOCK_PRIVILEGED yes)" >"$BATS_TEST_TMPDIR/vm.xml"
        run runuser -u oneadmin -- env "$variable" sudo -n "$VMDOCK_ONE" deploy /d node1 120 node1 <"$BATS_TEST_TMPDIR/vm.xml"
        [ "$status" -eq "$(status_of POLICY)" ] || fail "$variable: status $status: $output" || return 1
        run runuser -u oneadmin -- env "$variable" sudo -n "$VMDOCK_ONE" deploy /d node1 120 node1 < <(vm_xml 120 "$NIC")
        [ "$status" -eq 0 ] || fail "$variable: $output" || return 1
        same "$(addresses 120)" 10.9.0.120/24 || return 1
        vmdock purge one-120
    done
    [ ! -e /run/oneadmin/owned ]
    refused runuser -u oneadmin -- sudo -n VMDOCK_CONFIG="$own/vmdock.conf" "$VMDOCK_ONE" poll one-120 node1
    refused runuser -u oneadmin -- sudo -n -E "$VMDOCK_ONE" poll one-120 node1 || true
    nothing_left
}

@test "containers that are not the cloud's cannot be reached by any action" {
    local action name before
    for name in foreign one-121; do
        docker run --detach --name "$name" "$IMAGE" >/dev/null
    done
    before=$(docker inspect --format '{{.Id}} {{.State.Status}} {{.State.StartedAt}} {{.Name}}' foreign one-121)
    while read -r action; do
        for name in foreign one-121; do
            run sudo_one "$action" "$name" node1 121 node1 < <(action_data 121)
            run sudo_one "$action" "$name" snap.0 121 node1 < <(action_data 121)
            run sudo_one "$action" "$name" 02:00:0a:09:00:79 lab0 - bridge x 121 node1 < <(action_data 121 nic=lab0,10.9.0.121)
        done
    done < <(actions)
    run sudo_one deploy /d node1 121 node1 < <(vm_xml 121 nic=lab0,10.9.0.121)
    [ "$status" -ne 0 ]
    same "$(docker inspect --format '{{.Id}} {{.State.Status}} {{.State.StartedAt}} {{.Name}}' foreign one-121)" "$before"
    docker rm --force foreign one-121 >/dev/null
    vmdock purge one-121
    nothing_left
}
