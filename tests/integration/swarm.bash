# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For the tests that need a second host on a network of its own: an engine in network and mount namespaces of
# its own, with vmdock's state and run directories its own too, joined to the lab by a cable. Loaded after
# helpers.

readonly FAR=$LAB_DIR/far FAR_NEAR_IP=172.30.77.1 FAR_IP=172.30.77.2

# far_start: the second host; "far COMMAND" runs there.
far_start() {
    local tries=100
    mkdir -p "$FAR"/{run,state,data}
    # shellcheck disable=SC2016 # expanded by the shell that holds the namespaces
    unshare --mount --net sh -c 'mount -t tmpfs far /run/netns 2>/dev/null || { mkdir -p /run/netns && mount -t tmpfs far /run/netns; }
        mount --make-shared /run/netns && mount --bind "$1/run" "$2" && mount --bind "$1/state" "$3" &&
        mount -t tmpfs far /run/docker 2>/dev/null; ip link set lo up && : >"$1/ready" && exec sleep 1000000' \
        sh "$FAR" "$RUN" "$STATE" </dev/null >"$FAR/holder.log" 2>&1 3>&- &
    echo $! >"$FAR/pid"
    until [ -e "$FAR/ready" ]; do
        [ $((tries -= 1)) -gt 0 ] || fail "$(cat "$FAR/holder.log")" || return 1
        sleep 0.05
    done
    ip link add far0 type veth peer name near0 netns "$(cat "$FAR/pid")"
    ip addr add "$FAR_NEAR_IP/24" dev far0
    ip link set far0 up
    far ip addr add "$FAR_IP/24" dev near0
    far ip link set near0 up
    jq ".hosts = [\"unix:///run/far.sock\"] | .[\"data-root\"] = \"$FAR/data\"" "$LAB_DIR/daemon.json" >"$FAR/daemon.json"
    far setsid env -i PATH="$PATH" HOME=/root dockerd --config-file "$FAR/daemon.json" --pidfile "$FAR/engine.pid" \
        --exec-root /run/far </dev/null >"$FAR/engine.log" 2>&1 3>&- &
    within 30 docker --host unix:///run/far.sock version || fail "$(tail -n 5 "$FAR/engine.log")" || return 1
    far mount --bind /run/far.sock /run/docker.sock
    docker save "$IMAGE" | far docker load >/dev/null
}

# far COMMAND…: as root there.
far() {
    nsenter --target "$(cat "$FAR/pid")" --mount --net -- env DOCKER_HOST=unix:///run/docker.sock "$@"
}

# Ends the second host; fine if it was never started.
far_end() {
    [ ! -e "$FAR/engine.pid" ] || kill "$(cat "$FAR/engine.pid")" 2>/dev/null || true
    within 20 test ! -e "$FAR/engine.pid" || true
    [ ! -e "$FAR/pid" ] || kill "$(cat "$FAR/pid")" 2>/dev/null || true
    ip link del far0 2>/dev/null || true
    umount -R "$FAR/data" 2>/dev/null || true
    rm -rf --one-file-system "$FAR" /run/far.sock
}

# swarm_start: both engines in one swarm; the lab's is its manager.
swarm_start() {
    docker swarm init --advertise-addr "$FAR_NEAR_IP" --listen-addr "$FAR_NEAR_IP:2377" >/dev/null
    far docker swarm join --advertise-addr "$FAR_IP" --listen-addr "$FAR_IP:2377" \
        --token "$(docker swarm join-token --quiet worker)" "$FAR_NEAR_IP:2377" >/dev/null
    within 30 swarm_of_two
}

swarm_of_two() {
    [ "$(docker node ls --format '{{.Status}}' | grep -c Ready)" -eq 2 ]
}

swarm_end() {
    far docker swarm leave --force &>/dev/null || true
    docker swarm leave --force &>/dev/null || true
    docker network rm docker_gwbridge &>/dev/null || true
}
