#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2030,SC2031 # each test has its own variables
# A real engine fails in the middle of each action: while the action stands still behind each of its requests
# it is killed, stopped or restarted, or one of the requests is answered badly (tests/lib/bad_engine). The
# action ends in bounded time and says one sentence; once the engine is back nothing of any VM is lost, the
# action, given again, does what it is to do, and cancel and purge leave nothing. A second VM stands beside the
# one of the action.
#
# Of each action the points tried are counted, and the longest time that one took.

load ../integration/helpers
load ../integration/front_end
load actions

BYSTANDER=82
ACTIONS=(deploy again shutdown cancel reboot reset attach_nic detach_nic snapshot_create snapshot_revert
    snapshot_delete poll purge)
# What an action that meets a failed engine may take: many times the time-outs below.
BOUND_S=60
readonly BYSTANDER ACTIONS BOUND_S

setup_file() {
    lab_ready
    front_end_ready
    action_files
    vm_xml "$BYSTANDER" nic=lab0,10.9.0.82 >"$BATS_FILE_TMPDIR/bystander.xml"
    cp "$CONF" "$BATS_FILE_TMPDIR/vmdock.conf"
}

# configure [LINE]…: the lab's configuration, and these lines of [engine].
configure() {
    { cat "$BATS_FILE_TMPDIR/vmdock.conf" && printf '\n[engine]\n' && printf '%s\n' "$@"; } >"$CONF"
}

# Where the engine does not answer it is not worth waiting for.
impatient() {
    configure 'connect_timeout_ms = 1000' 'request_timeout_ms = 3000' 'create_timeout_ms = 3000' \
        'poll_timeout_ms = 3000' 'commit_timeout_ms = 5000' "$@"
}

teardown_file() {
    configure
    live_restore false
}

setup() {
    front_end_files
}

teardown() {
    configure
    end_bad_engine
    engine thaw || true
    engine start
    sweep
}

# The engine starts anew, with or without live-restore.
live_restore() {
    LIVE=$1
    jq --argjson live "$1" '. + {"live-restore": $live}' "$LAB_DIR/daemon.json" >"$LAB_DIR/daemon.new"
    mv "$LAB_DIR/daemon.new" "$LAB_DIR/daemon.json"
    engine stop
    engine start
}

# ---- what a VM has --------------------------------------------------------------------------------

# What must not be lost of a VM: its NICs, their addresses and routes, where they are plugged, and its files.
belongings() {
    local link
    ip -j -n "one-$1" addr | jq -c '.[] | select(.ifname != "lo") |
        [.ifname, .address, [.addr_info[] | select(.scope == "global").local]]'
    ip -n "one-$1" route
    for link in "/sys/class/net/one-$1-"*; do
        printf '%s %s %s\n' "${link##*/}" "$(cat "$link/ifindex")" "$(basename "$(readlink "$link/master")")"
    done
    docker cp "one-$1:/root/note" - | tar -xO
}

write_note() {
    docker exec "one-$1" sh -c "echo of VM $1 >/root/note"
}

deploy_bystander() {
    vmdock deploy "$BATS_FILE_TMPDIR/bystander.xml" >/dev/null
    [ $# -gt 0 ] || write_note "$BYSTANDER"
    ALONE=$(docker inspect --format '{{.State.Pid}} {{.State.StartedAt}}' "one-$BYSTANDER")
}

# The second VM as it was: with live-restore it has noticed nothing, without it comes back by a deploy.
bystander_is_whole() {
    same "$(belongings "$BYSTANDER")" "$BELONGINGS" || return 1
    if [ "$LIVE" = true ] || [ "$1" = stopped ] || [ "$1" = paused ]; then
        same "$(docker inspect --format '{{.State.Pid}} {{.State.StartedAt}}' "one-$BYSTANDER")" "$ALONE" || return 1
    elif [ "$(container_state "$BYSTANDER")" != running ]; then
        deploy_bystander again || return 1
        same "$(belongings "$BYSTANDER")" "$BELONGINGS" || return 1
    fi
    ping -c 1 -W 2 -q 10.9.0.82 >/dev/null
}

# ---- the fault ------------------------------------------------------------------------------------

# The requests of ACTION to the engine, "SYSCALL N": the Nth call of that name in a thread of it. Of an
# action that asks the engine nothing, what it asks the kernel.
points() {
    local trace=$BATS_TEST_TMPDIR/trace
    ready "$1"
    strace -f -yy -qq -o "$trace" -e trace=sendto -e signal=none "${COMMAND[@]}" <"$INPUT" >/dev/null 2>&1
    vmdock purge "one-$VM"
    awk '
        match($0, /^[0-9]+ +sendto\(/) {
            n = ++calls[$1]
            of = /<UNIX/ ? "engine" : "kernel"
            if (!seen[of, n]++) found[of] = found[of] "sendto " n "\n"
        }
        END { printf "%s", found["engine"] ? found["engine"] : found["kernel"] }' "$trace"
}

# The requests of ACTION, "answer N": the Nth of all.
answers() {
    local trace=$BATS_TEST_TMPDIR/trace
    ready "$1"
    strace -f -qq -s 16 -o "$trace" -e trace=sendto,sendmsg,write -e signal=none "${COMMAND[@]}" <"$INPUT" >/dev/null 2>&1
    vmdock purge "one-$VM"
    grep -cE '"(GET|HEAD|POST|PUT|DELETE) /' "$trace" | xargs --no-run-if-empty seq | sed 's/^/answer /'
}

# The host as the action finds it, and a file in the VM's writable layer.
ready() {
    prepare "$1" || return 1
    [ "$1" = deploy ] || write_note "$VM" || return 1
    case $1 in
        again) vmdock cancel "one-$VM" ;;
        snapshot_revert | snapshot_delete)
            "$LAB_PREFIX/libexec/vmdock/vmdock-one" snapshot_create "one-$VM" 0 "$VM" node1 </dev/null >/dev/null ;;
    esac
}

fault() {
    case $1 in
        killed) engine kill ;;
        stopped | paused) engine freeze ;;
        restarted) engine stop && engine start ;;
    esac
}

# The action's processes that stand still at the point.
standing() {
    sed -n 's/^\([0-9]*\) .*stopped by SIGSTOP.*/\1/p' "$BATS_TEST_TMPDIR/broken" 2>/dev/null | sort -u
}

# Lets the action go on until it has ended; STATUS is its.
go_on() {
    local tracer=$1 deadline=$((SECONDS + BOUND_S)) standing
    while kill -s 0 "$tracer" 2>/dev/null; do
        mapfile -t standing < <(standing)
        if [ "$SECONDS" -gt "$deadline" ]; then
            kill -s KILL "${standing[@]}"
            fail "does not end within $BOUND_S s"
            return 1
        fi
        kill -s CONT "${standing[@]}" 2>/dev/null || true
        sleep 0.02
    done
    STATUS=0
    wait "$tracer" || STATUS=$?
}

# Runs the action with an engine whose Nth answer is as HOW says.
badly_answered() {
    local how=$1 n=$2 begin
    rm -f "$BATS_TEST_TMPDIR"/{bad.sock,taken}
    python3 "$SOURCES/tests/lib/bad_engine" "$BATS_TEST_TMPDIR/bad.sock" /run/docker.sock "$how" "$n" \
        "$BATS_TEST_TMPDIR/taken" 3>&- &
    BAD=$!
    within 10 test -S "$BATS_TEST_TMPDIR/bad.sock"
    impatient "socket = $BATS_TEST_TMPDIR/bad.sock"
    begin=${EPOCHREALTIME/[.,]/}
    STATUS=0
    timeout --signal=KILL "$BOUND_S" "${COMMAND[@]}" <"$INPUT" >"$OUT" 2>"$ERR" || STATUS=$?
    took $((${EPOCHREALTIME/[.,]/} - begin))
    end_bad_engine
    [ ! -s "$BATS_TEST_TMPDIR/taken" ] || reached=$((reached + 1))
    [ "$STATUS" -ne 137 ] || fail "does not end within $BOUND_S s"
}

end_bad_engine() {
    [ -n "${BAD:-}" ] || return 0
    kill "$BAD"
    wait "$BAD" || true
    BAD=''
    configure
}

# Runs the action to the point CALL N, lets FAULT happen there, and the action go on.
broken() {
    local fault=$1 call=$2 n=$3 tracer thaw='' begin result=0
    [ "$call" != answer ] || { badly_answered "$fault" "$n"; return; }
    [ "$fault" != stopped ] || impatient
    rm -f "$BATS_TEST_TMPDIR/broken"
    strace -f -qq -o "$BATS_TEST_TMPDIR/broken" -e trace="$call" -e inject="$call:signal=STOP:when=$n" "${COMMAND[@]}" \
        <"$INPUT" >"$OUT" 2>"$ERR" 3>&- &
    tracer=$!
    until [ -n "$(standing)" ]; do
        kill -s 0 "$tracer" 2>/dev/null || { STATUS=0 && { wait "$tracer" || STATUS=$?; }; return 0; }
        sleep 0.01
    done
    reached=$((reached + 1))
    fault "$fault"
    begin=${EPOCHREALTIME/[.,]/}
    if [ "$fault" = paused ]; then
        { sleep 0.3; engine thaw; } 3>&- &
        thaw=$!
    fi
    go_on "$tracer" || result=1
    configure
    took $((${EPOCHREALTIME/[.,]/} - begin))
    [ -z "$thaw" ] || wait "$thaw"
    return "$result"
}

took() {
    [ "$1" -le "$longest" ] || longest=$1
}

engine_back() {
    case $1 in
        killed) engine start ;;
        stopped) engine thaw ;;
    esac
    within 30 docker version
}

# It succeeds, or says one sentence. An engine that was slow for a moment is no reason to fail.
says_one_sentence() {
    local sentences
    [ "$STATUS" -ne 0 ] || return 0
    [ "$1" != paused ] || fail "fails: $(cat "$ERR")" || return 1
    if [ "$STATUS" -eq 42 ] || [ "$STATUS" -ge 128 ]; then
        fail "status $STATUS: $(cat "$ERR")"
        return 1
    fi
    sentences=$(grep -cvE '^(warning|note|INFO|WARN|DEBUG): ' "$ERR") || true
    [ "$sentences" -eq 1 ] || fail "not one sentence: $(cat "$ERR")"
}

# What the VM of the action has, whatever became of the action. Where the action removes it, or makes it, that
# is judged by its result; an exchange of its container that broke off is settled first, as a probe would.
nothing_lost() {
    [ "$1" != snapshot_revert ] || vmdock gc >/dev/null
    case $1 in
        deploy | purge) return 0 ;;
        shutdown | cancel | again) same "$(docker cp "one-$VM:/root/note" - | tar -xO)" "of VM $VM" ;;
        *) has "$(belongings "$VM")" '"10.9.0.80"' && has "$(belongings "$VM")" "of VM $VM" ;;
    esac
}

# What ended with the engine is started as the cloud would start it, before what needs a VM that runs.
brought_back() {
    case $1 in
        attach_nic | detach_nic | snapshot_*)
            [ "$(container_state "$VM")" = running ] || vmdock deploy "$BATS_FILE_TMPDIR/$2.xml" >/dev/null ;;
    esac
}

# ---- the points -----------------------------------------------------------------------------------

# FAULT at one point of ACTION; a line for each thing that is not as it should be.
try() {
    local fault=$1 action=$2 call=$3 n=$4 at="$1 at $3 $4 of $2" before=one
    [ "$action" != detach_nic ] || before=two
    ready "$action" || fail "$at: cannot be prepared" || return 1
    broken "$fault" "$call" "$n" || fail "$at: the action" || return 1
    engine_back "$fault"
    says_one_sentence "$fault" || fail "$at: the action" || return 1
    nothing_lost "$action" || fail "$at: something of the VM is lost" || return 1
    bystander_is_whole "$fault" || fail "$at: the other VM" || return 1
    brought_back "$action" "$before" || fail "$at: the VM does not come back" || return 1
    "${COMMAND[@]}" <"$INPUT" >/dev/null || fail "$at: given again it fails" || return 1
    [ "$action" != poll ] || brought_back snapshot_create one || return 1
    expected "$action" || fail "$at: given again it has not done its work" || return 1
    nothing_lost "$action" || fail "$at: given again, something of the VM is lost" || return 1
    vmdock purge "one-$VM" >/dev/null
    if [ "$action" != purge ]; then
        ready "$action" || return 1
        broken "$fault" "$call" "$n" || fail "$at: the action" || return 1
        engine_back "$fault"
        bystander_is_whole "$fault" || fail "$at: the other VM" || return 1
        vmdock cancel "one-$VM" >/dev/null 2>"$ERR" || grep -q "no VM" "$ERR" || fail "$at: cancel fails: $(cat "$ERR")" || return 1
        vmdock purge "one-$VM" >/dev/null || fail "$at: purge fails" || return 1
    fi
    nothing_left || fail "$at: cancel and purge" || return 1
}

# matrix FAULT BEGIN [POINTS]: each fault begins at another of the points, so that few of them are shared where not
# all are taken.
matrix() {
    local fault=$1 action point call n i=$2 points=${3:-points} all=0 tried=0 bad=0 longest=0 reached=0
    local -a list
    deploy_bystander
    remember_state
    BELONGINGS=$(belongings "$BYSTANDER")
    for action in "${ACTIONS[@]}"; do
        describe "$action"
        mapfile -t list < <("$points" "$action")
        [ ${#list[@]} -ge 1 ] || [ "$points" = answers ] || fail "$action has no point: is strace at work?"
        for point in "${list[@]}"; do
            i=$((i + 1)) all=$((all + 1))
            [ $((i % ${TORTURE_ENGINE_EVERY:-$EVERY})) -eq 0 ] || continue
            read -r call n <<<"$point"
            tried=$((tried + 1))
            try "$fault" "$action" "$call" "$n" || { bad=$((bad + 1)) && anew; }
        done
    done
    printf '# %s, live-restore %s: %d points of %d in %d actions, reached %d times, the longest took %d ms, %d faults\n' \
        "$fault" "$LIVE" "$tried" "$all" "${#ACTIONS[@]}" "$reached" $((longest / 1000)) "$bad" >&3
    [ "$tried" -gt 0 ]
    [ "$bad" -eq 0 ]
    [ "$reached" -ge "$tried" ] || fail "too few of the points were reached"
}

anew() {
    end_bad_engine
    engine thaw || true
    engine start
    sweep
    deploy_bystander
    remember_state
    BELONGINGS=$(belongings "$BYSTANDER")
}

@test "the engine is killed in the middle of each action, with live-restore" {
    live_restore true
    matrix killed 0
}

@test "the engine is restarted in the middle of each action, with live-restore" {
    live_restore true
    matrix restarted 1
}

@test "the engine is stopped in the middle of each action, for longer than any time-out" {
    live_restore true
    matrix stopped 2
}

@test "the engine is stopped in the middle of each action for a moment: no action fails" {
    live_restore true
    matrix paused 3
}

@test "the engine is killed in the middle of each action" {
    live_restore false
    matrix killed 4
}

@test "the engine is restarted in the middle of each action" {
    live_restore false
    matrix restarted 5
}

# One test each, so that a VM that one has broken does not stand in the next one's way.
answered() {
    live_restore true
    matrix "$@" answers
}

@test "the engine stalls in an answer to each action" {
    answered stall 0
}

@test "the engine breaks an answer off in the middle of each action" {
    answered truncate 2
}

@test "the engine answers garbage in the middle of each action" {
    answered garbage 4
}

@test "the engine answers with an error in the middle of each action" {
    answered error 6
}
