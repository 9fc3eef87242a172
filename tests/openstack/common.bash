# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What all parts share: steps and their table, waiting, the cloud's answers, processes. Expects
# tests/lib/common.bash, BUILD, WORK (the folder of this run), LOGS, and inside the lab RUN.

readonly TABLE=$WORK/table
# Which part of the run the steps belong to.
PART=stack

# step NAME COMMAND [ARG…]: one row of the table. What the command prints goes to the log of steps; after a
# failure its end is shown, and the run ends.
step() {
    local name=$1 begin status=0 log
    shift
    begin=$EPOCHREALTIME
    log=$LOGS/steps.log
    printf '%-12s %-44s ' "$PART" "$name"
    printf '== %s: %s\n' "$PART" "$name" >>"$log"
    # Behind a || the shell would pass over failures within.
    set +e
    (set -euo pipefail; "$@") >"$LOGS/step.log" 2>&1 </dev/null
    status=$?
    set -e
    cat "$LOGS/step.log" >>"$log"
    record "$name" "$status" "$(since "$begin")"
    [ "$status" -eq 0 ] || { tail -n 30 "$LOGS/step.log" | sed 's/^/    | /'; exit 1; }
}

record() {
    local word=ok
    [ "$2" -eq 0 ] || word=FAILED
    printf '%s\t%s\t%s\t%s\n' "$PART" "$1" "$word" "$3" >>"$TABLE"
    printf '%-6s %7s s\n' "$word" "$3"
}

show_table() {
    local line
    printf '\n%-12s  %-44s  %-6s  %7s\n' part step result seconds
    while IFS=$'\t' read -r -a line; do
        printf '%-12s  %-44s  %-6s  %7s\n' "${line[@]}"
    done <"$TABLE"
}

# The value of a folder's variable in the build's Makefile.
made() {
    # shellcheck disable=SC2016 # make's own
    printf 'include Makefile\nvmdock-print:\n\t@printf "%%s" "$(%s)"\n' "$1" | make -s -C "$BUILD" -f - vmdock-print
}

# wait_for SECONDS WHAT COMMAND [ARG…]
wait_for() {
    local end=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { echo "waited in vain for $what: $*"; return 1; }
        sleep 0.3
    done
}

# expect WHAT IS SHOULD
expect() {
    [ "$2" = "$3" ] || { printf '%s: %s instead of %s\n' "$1" "$2" "$3"; return 1; }
}

# ---- the cloud -----------------------------------------------------------------------------------

# ask URL FILTER: jq's FILTER of an answer of the cloud's
ask() {
    curl --silent --show-error --fail --header "X-Auth-Token: $(cat "$RUN/token")" "$1" | jq -r "$2"
}

# ---- processes: no systemd is here --------------------------------------------------------------

# service NAME USER COMMAND…: starts it in the background, with an environment of its own, as a boot would; what
# it prints is its log.
service() {
    local name=$1 user=$2
    shift 2
    setsid runuser -u "$user" -- env -i PATH="$PATH" LC_ALL=C.UTF-8 HOME="$(home_of "$user")" "$@" >>"$LOGS/$name.out" 2>&1 </dev/null &
    echo $! >"$RUN/$name.pid"
}

home_of() {
    getent passwd "$1" | cut -d : -f 6
}

# With all that it has started; it may be runuser that is known by its pid.
end_service() {
    local pid
    pid=$(cat "$RUN/$1.pid")
    kill -TERM -- "-$pid" 2>/dev/null || true
    wait_for 20 "the end of $1" no_process_of "$pid" || kill -KILL -- "-$pid"
    rm -f "$RUN/$1.pid"
}

no_process_of() {
    ! kill -0 -- "-$1"
}

listens() {
    : <"/dev/tcp/127.0.0.1/$1"
}

# serves NAME PORT: waits until the service answers there, as long as it lives.
serves() {
    local end=$((SECONDS + 90))
    until listens "$2" 2>/dev/null; do
        if [ "$SECONDS" -ge "$end" ] || ! kill -0 "$(cat "$RUN/$1.pid")" 2>/dev/null; then
            tail -n 20 "$LOGS/$1.out"
            echo "$1 does not answer on port $2"
            return 1
        fi
        sleep 0.3
    done
}
