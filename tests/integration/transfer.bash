# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034 # texts that are not expanded; variables for the tests
# For the tests of OpenNebula's transfer actions: nodes, a front end, and what stands in for its ssh.

WORK=$LAB_DIR/transfer
SYS=/run/one//datastores/102
REGISTRY=127.0.0.1:5007
NIC=nic=lab0,10.9.0.80

# transfer_ready [two]: for setup_file; "two" for a second node.
transfer_ready() {
    lab_ready
    "$LAB" user "$LAB_DIR" oneadmin
    start_registry
    rm -rf "$WORK"
    local place
    for place in node1 node2 front; do
        install -d -o oneadmin "$WORK/$place/one" "$WORK/$place/one/datastores" "$WORK/$place/one/datastores/104"
    done
    mkdir -p /run/one "$WORK/bin"
    { cat "$CONF" && printf '\n[engine]\nsocket = /run/no-engine.sock\n[datastore]\ncredentials = /run/one/keys\n[transfer]\nfront_end = fe\n'; } >"$WORK/front/vmdock.conf"
    write_stand_ins
    start_node1
    [ "${1:-}" != two ] || start_node2
    chmod -R a+rX "$WORK/bin"
    chmod a+x "$LAB_DIR" "$WORK"
    ship "$IMAGE" "$REGISTRY/lab/vm:1"
}

# What an earlier run in this lab has started goes on.
start_registry() {
    "$LAB" registry "$LAB_DIR" --port "${REGISTRY#*:}" >/dev/null
}

teardown_file() {
    local pid
    for pid in engine2 node2; do
        [ ! -e "$WORK/$pid.pid" ] || kill "$(cat "$WORK/$pid.pid")" 2>/dev/null || true
    done
    [ ! -e "$WORK/engine2.pid" ] || within 10 engine2_gone || true
    ip link del docker2 2>/dev/null || true
    rm -f /etc/sudoers.d/transfer-test /run/docker2.sock
    sweep
    umount /run/one || true
    rm -rf --one-file-system "$WORK" 2>/dev/null || true
}

engine2_gone() {
    ! kill -0 "$(cat "$WORK/engine2.pid")" 2>/dev/null
}

setup() {
    ERR=$BATS_TEST_TMPDIR/err OUT=$BATS_TEST_TMPDIR/out
    remember_state
    echo '' >"$WORK/bin/registry"
    echo 3 >"$WORK/bin/lcm_state"
    echo '' >"$WORK/bin/sizes"
    vm_has_snapshots
}

teardown() {
    engine start
    sweep
    local node
    [ ! -e "$WORK/node2.pid" ] || on node2 bash -c 'docker ps -aq | xargs -r docker rm -f; docker images --format "{{.Repository}}:{{.Tag}}" | xargs -r docker rmi' >/dev/null 2>&1 || true
    [ ! -e "$WORK/node2.pid" ] || on node2 find "$STATE" "$RUN" -mindepth 1 -delete 2>/dev/null || true
    for node in node1 node2 front; do
        rm -rf "$WORK/$node/one/datastores/102" "$WORK/$node/one/datastores/104"/*
    done
    docker images --format '{{.Repository}}:{{.Tag}}' "$REGISTRY/*/*" | xargs -r docker rmi >/dev/null 2>&1 || true
}

# ---- nodes and the front end --------------------------------------------------------------------

# A process that holds a node's mount namespace, in which SCRIPT has set up what is the node's own.
hold_node() {
    local node=$1 script=$2 tries=100
    unshare --mount sh -c "mount --bind '$WORK/$node/one' /run/one && $script && : >'$WORK/$node.ready' && exec sleep 1000000" \
        </dev/null >"$WORK/$node.log" 2>&1 3>&- &
    echo $! >"$WORK/$node.pid"
    until [ -e "$WORK/$node.ready" ]; do
        [ $((tries -= 1)) -gt 0 ] || fail "$(cat "$WORK/$node.log")" || return 1
        sleep 0.05
    done
}

# The lab itself: what its engine is to see, must be mounted where that engine is.
start_node1() {
    mount --bind "$WORK/node1/one" /run/one
    echo 1 >"$WORK/node1.pid"
}

# Another engine, and its own of all that vmdock keeps. Like a host that was made of the same disk image
# it has the first engine's identity, and a boot of its own.
start_node2() {
    mkdir -p "$WORK"/node2/{run,state,docker,data,exec}
    # where that stands: up to Docker 23, and since
    cp /etc/docker/key.json "$WORK/node2/docker/" 2>/dev/null ||
        cp "$(docker info --format '{{.DockerRootDir}}')/engine-id" "$WORK/node2/data/"
    echo 11111111-2222-3333-4444-555555555555 >"$WORK/node2/boot_id"
    ip link add docker2 type bridge 2>/dev/null || true
    ip addr add 172.31.255.1/24 dev docker2 2>/dev/null || true
    ip link set docker2 up
    hold_node node2 "mount --bind '$WORK/node2/run' '$RUN' && mount --bind '$WORK/node2/state' '$STATE' && mount --bind '$WORK/node2/docker' /etc/docker && mount --bind '$WORK/node2/boot_id' /proc/sys/kernel/random/boot_id"
    jq ".hosts = [\"unix:///run/docker2.sock\"] | .[\"data-root\"] = \"$WORK/node2/data\"" "$LAB_DIR/daemon.json" >"$WORK/node2/daemon.json"
    nsenter --target "$(cat "$WORK/node2.pid")" --mount -- setsid env -i PATH="$PATH" HOME=/root \
        dockerd --config-file "$WORK/node2/daemon.json" --pidfile "$WORK/node2/pid" --exec-root /run/docker2 \
        --bridge docker2 --iptables=false --ip6tables=false </dev/null >"$WORK/engine2.log" 2>&1 3>&- &
    echo $! >"$WORK/engine2.pid"
    within 30 docker --host unix:///run/docker2.sock version || fail "$(tail -n 5 "$WORK/engine2.log")" || return 1
    cp "$WORK/node2/pid" "$WORK/engine2.pid"
    nsenter --target "$(cat "$WORK/node2.pid")" --mount -- mount --bind /run/docker2.sock /run/docker.sock
}

# on NODE COMMAND…: as root there.
on() {
    local node=$1
    shift
    nsenter --target "$(cat "$WORK/$node.pid")" --mount -- env DOCKER_HOST=unix:///run/docker.sock "$@"
}

# ssh runs the command as oneadmin on the node that is named; "down" is no node. onevm and onedatastore say
# what a test wants them to.
write_stand_ins() {
    cat >"$WORK/bin/ssh" <<'SH'
#!/bin/sh
while [ "$1" = -o ]; do shift 2; done
host=$1
shift
exec sudo -n "${0%/*}/enter" "$host" "$*"
SH
    cat >"$WORK/bin/enter" <<SH
#!/bin/sh
case \$1 in
    node1 | node2) ;;
    slow) exec sleep 100 ;;
    *) echo "ssh: connect to host \$1 port 22: No route to host" >&2; exit 255 ;;
esac
echo "\$1 \$2" >>"$WORK/calls"
exec nsenter --target "\$(cat "$WORK/\$1.pid")" --mount -- runuser -u oneadmin -- \\
    env -i LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin HOME=/run/oneadmin USER=oneadmin sh -c "\$2"
SH
    cat >"$WORK/bin/onevm" <<'SH'
#!/bin/sh
echo "<VM><LCM_STATE>$(cat "${0%/*}/lcm_state")</LCM_STATE><TEMPLATE>$(cat "${0%/*}/sizes")</TEMPLATE>$(cat "${0%/*}/snapshots")</VM>"
SH
    cat >"$WORK/bin/onedatastore" <<'SH'
#!/bin/sh
echo "<DATASTORE><ID>$3</ID><BASE_PATH>/run/one//datastores/$3</BASE_PATH><TEMPLATE><REGISTRY><![CDATA[$(cat "${0%/*}/registry")]]></REGISTRY></TEMPLATE></DATASTORE>"
SH
    chmod 755 "$WORK"/bin/*
    echo "oneadmin ALL=(root) NOPASSWD: $WORK/bin/enter" >/etc/sudoers.d/transfer-test
    chmod 440 /etc/sudoers.d/transfer-test
}

# vm_has_snapshots NUMBER…: of disk 0, as the front end has them.
vm_has_snapshots() {
    local number list=''
    for number; do
        list+="<SNAPSHOT><ID>$number</ID><NAME>s</NAME></SNAPSHOT>"
    done
    echo "<SNAPSHOTS><DISK_ID>0</DISK_ID>$list</SNAPSHOTS><SNAPSHOTS><DISK_ID>1</DISK_ID><SNAPSHOT><ID>77</ID></SNAPSHOT></SNAPSHOTS>" >"$WORK/bin/snapshots"
}

# tm ACTION ARGUMENT…: the script, on the front end; its answers in $OUT and $ERR.
tm() {
    local action=$1 status=0
    shift
    : >"$WORK/calls"
    unshare --mount sh -c 'mount --bind "$1/front/one" /run/one && mount --bind "$1/front/vmdock.conf" "$2" && shift 2 && exec "$@"' \
        sh "$WORK" "$CONF" runuser -u oneadmin -- env -i LANG=C.UTF-8 ONE_XMLRPC=http://127.0.0.1:2633/RPC2 \
        PATH="$WORK/bin:/usr/local/bin:/usr/bin:/bin" HOME=/run/oneadmin USER=oneadmin \
        sh -c 'cd && exec "$@"' sh "$LAB_PREFIX/share/vmdock/remotes/opennebula/tm/onedock/$action" "$@" \
        >"$OUT" 2>"$ERR" || status=$?
    return "$status"
}

# It must fail, with one sentence that has TEXT.
tm_fails() {
    local text=$1
    shift
    refused tm "$@"
    same "$(grep -cvE '^(INFO|WARN): ' "$ERR")" 1 || fail "$(cat "$ERR")" || return 1
    has "$(grep -vE '^(INFO|WARN): ' "$ERR")" "$text"
}

# without_registry COMMAND…: the command, while whoever asks the registry finds nobody there.
without_registry() {
    local status=0 rule=(OUTPUT -o lo -p tcp --dport "${REGISTRY#*:}" -j REJECT --reject-with tcp-reset)
    iptables -w 5 -I "${rule[@]}"
    "$@" || status=$?
    iptables -w 5 -D "${rule[@]}"
    return "$status"
}

# counting COMMAND…: the command; how many bytes went to the registry and came from it is in $PASSED then.
counting() {
    local status=0 way ways=("--dport ${REGISTRY#*:}" "--sport ${REGISTRY#*:}")
    # shellcheck disable=SC2086 # words
    for way in "${ways[@]}"; do iptables -w 5 -I OUTPUT -o lo -p tcp $way; done
    "$@" || status=$?
    PASSED=$(iptables -w 5 -nvxL OUTPUT | awk -v port=":${REGISTRY#*:}" '$0 ~ "[ds]pt" port { sum += $2 } END { print sum }')
    # shellcheck disable=SC2086 # words
    for way in "${ways[@]}"; do iptables -w 5 -D OUTPUT -o lo -p tcp $way; done
    return "$status"
}

# An image of the engine's, in the registry.
ship() {
    docker tag "$1" "$2"
    docker push --quiet "$2" >/dev/null
    docker rmi "$2" >/dev/null
}

digest_of() {
    curl -sfI -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
        "http://$REGISTRY/v2/${1%:*}/manifests/${1##*:}" | tr -d '\r' | sed -n 's/^docker-content-digest: //Ip'
}

# start ID [as vm_xml]: the VM's deploy on a node.
start_on() {
    local node=$1
    shift
    vm_xml "$@" | on "$node" vmdock deploy - >/dev/null
}

held_on() {
    on "$1" docker image inspect --format '{{.Id}}' "vmdock/one-$2:disk.0" 2>/dev/null
}

# Nothing of VM ID on NODE: container, image names, folder, saved spec.
nothing_on() {
    same "$(on "$1" docker ps -aq --filter "name=^one-$2\$")" ""
    same "$(on "$1" docker images -q "vmdock/one-$2")" ""
    [ ! -e "$WORK/$1/one/datastores/102/$2" ] || fail "its folder stays" || return 1
    [ -z "$(on "$1" find "$STATE/one-$2" 2>/dev/null)" ] || fail "its state stays"
}

REFERENCE=docker://$REGISTRY/lab/vm:1
