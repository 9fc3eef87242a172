#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmdock-runtime under a real engine, without the rest of vmdock: the tests make sandboxes, containers
# and maps by hand, and look at the result with docker and ip.
#
# Expects to run as root in network and mount namespaces that are nobody else's, with
#   DOCKER_HOST     an engine in the same namespaces, whose runtime "vmdock" is the binary under test
#   VMDOCK_CONF     the settings file that this binary was built to read (VMDOCK_SYSCONFDIR/vmdock.conf);
#                   in a lab (tests/lib/lab) it is found under LAB_PREFIX
#   VMDOCK_RUNTIME  the binary; asked of the engine if not set
# The settings file is replaced while the tests run and put back at their end; its state and run
# folders are then in the tests' own folder.

bats_require_minimum_version 1.5.0
BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-180}
export BATS_TEST_TIMEOUT
CONF=${VMDOCK_CONF:-${LAB_PREFIX:-}/etc/vmdock/vmdock.conf}
readonly CONF IMAGE=vmdock-runtime-test:1 NETNS=/run/netns

setup_file() {
    VMDOCK_RUNTIME=${VMDOCK_RUNTIME:-$(docker info --format '{{(index .Runtimes "vmdock").Path}}')}
    export VMDOCK_RUNTIME
    [ ! -e "$CONF" ] || cp -a "$CONF" "$BATS_FILE_TMPDIR/conf.before"
    mkdir -p "$BATS_FILE_TMPDIR/image/bin" "$NETNS"
    cp "$(command -v busybox)" "$BATS_FILE_TMPDIR/image/bin/busybox"
    local tool
    for tool in sh sleep ip cat readlink; do
        ln -s busybox "$BATS_FILE_TMPDIR/image/bin/$tool"
    done
    # What an image can say of itself, it says: that it is another VM.
    tar -C "$BATS_FILE_TMPDIR/image" -c . | docker import \
        --change 'LABEL vmdock.vm=one-9002 vmdock.cloud=opennebula vmdock.netns=/run/netns/one-9002' \
        --change 'ENV VMDOCK_VM=one-9002 VMDOCK_NETNS=/run/netns/one-9002' - "$IMAGE" >/dev/null
    # Real runtimes that keep the bundle they are given.
    for tool in runc crun; do
        cat >"$BATS_FILE_TMPDIR/$tool" <<RUNTIME
#!/bin/bash
printf '%s %s\n' $tool "\$*" >>$BATS_FILE_TMPDIR/calls
while read -r bundle; do cp "\$bundle/config.json" $BATS_FILE_TMPDIR/seen.json; done \
    < <(grep -oP -- ' create .*--bundle \K[^ ]+' <<<" \$*")
exec $(command -v "$tool") "\$@"
RUNTIME
        chmod 755 "$BATS_FILE_TMPDIR/$tool"
    done
}

teardown_file() {
    docker rmi "$IMAGE" >/dev/null
    rm -f "$CONF"
    [ ! -e "$BATS_FILE_TMPDIR/conf.before" ] || cp -a "$BATS_FILE_TMPDIR/conf.before" "$CONF"
}

settings() {
    mkdir -p "${CONF%/*}"
    printf '[runtime]\nreal=%s\n[paths]\nstate=%s/state\nrun=%s/run\n' \
        "$BATS_FILE_TMPDIR/$1" "$BATS_FILE_TMPDIR" "$BATS_FILE_TMPDIR" >"$CONF"
}

setup() {
    rm -rf "$BATS_FILE_TMPDIR/run" "$BATS_FILE_TMPDIR/state" "$BATS_FILE_TMPDIR/calls"
    rm -f "$BATS_FILE_TMPDIR/seen.json"
    mkdir -p "$BATS_FILE_TMPDIR/run/sandbox" "$BATS_FILE_TMPDIR/state/container"
    settings runc
    sandbox one-9001 10.99.0.1/24
    sandbox one-9002 10.99.0.2/24
}

teardown() {
    local container vm
    for container in $(docker ps --all --quiet --filter "ancestor=$IMAGE"); do
        docker rm --force "$container" >/dev/null
    done
    for vm in one-9001 one-9002; do
        ip netns del "$vm" 2>/dev/null || rm -f "$NETNS/$vm"
    done
}

# sandbox VM ADDRESS: a namespace with one NIC, up.
sandbox() {
    ip netns add "$1"
    ip -n "$1" link add eth0 type veth peer name far0
    ip -n "$1" link set far0 up
    ip -n "$1" addr add "$2" dev eth0
    ip -n "$1" link set eth0 up
}

parent() {
    case $(docker info --format '{{.CgroupDriver}}') in
        systemd) echo vmdock.slice ;;
        *) echo /vmdock ;;
    esac
}

# vm VM [docker create option]… -- COMMAND…: a container of vmdock's; prints its id.
vm() {
    local name=$1 id
    local -a options=()
    shift
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    id=$(docker create --runtime vmdock --network none --cgroup-parent "$(parent)" \
        "${options[@]}" "$IMAGE" "${@:2}")
    map "$id" "$name"
    printf '%s\n' "$id"
}

# map ID VM [RUNTIME [KEEP_HOOK]]: as vmdock writes it before a start.
map() {
    printf '{"vm": "%s", "netns": "%s/%s", "runtime": "%s", "keep_hook": %s}\n' "$2" "$NETNS" "$2" \
        "$BATS_FILE_TMPDIR/${3:-runc}" "${4:-false}" >"$BATS_FILE_TMPDIR/run/sandbox/$1"
    printf '%s\n' "$2" >"$BATS_FILE_TMPDIR/state/container/$1"
    chmod 600 "$BATS_FILE_TMPDIR/run/sandbox/$1" "$BATS_FILE_TMPDIR/state/container/$1"
}

same() {
    [ "$1" = "$2" ] || { printf 'is: %s\nshould be: %s\n' "$1" "$2" >&2; false; }
}

seen() {
    jq --raw-output "$1" "$BATS_FILE_TMPDIR/seen.json"
}

# The namespace that the container's first process is in, and that of a VM: the inode.
namespace_of() {
    stat -L --format %i "/proc/$(docker inspect --format '{{.State.Pid}}' "$1")/ns/net"
}

namespace() {
    stat --format %i "$NETNS/$1"
}

@test "the address is there before the container's first instruction" {
    id=$(vm one-9001 -- ip -o -4 addr show)
    run docker start --attach "$id"
    [ "$status" -eq 0 ]
    [[ $output == *"inet 10.99.0.1/24 "*eth0* ]]
    [[ $output != *10.99.0.2* ]]
}

@test "the container is in the VM's very namespace, and the set-key hook is gone" {
    id=$(vm one-9001 -- sleep 1000)
    docker start "$id"
    same "$(namespace_of "$id")" "$(namespace one-9001)"
    same "$(seen '.linux.namespaces[] | select(.type == "network").path')" "$NETNS/one-9001"
    same "$(seen '[.hooks.prestart[]?.args[0]] | index("libnetwork-setkey")')" null
    docker exec "$id" ip -o -4 addr show | grep -q 10.99.0.1/24
}

@test "a VM whose map says so keeps the engine's hook" {
    id=$(vm one-9001 -- sleep 1000)
    map "$id" one-9001 runc true
    if docker start "$id"; then
        same "$(namespace_of "$id")" "$(namespace one-9001)"
    fi
    local version
    version=$(docker version --format '{{.Server.Version}}')
    [ "${version%%.*}" -gt 27 ] || same "$(seen '.hooks.prestart[0].args[0]')" libnetwork-setkey
}

@test "docker restart, stop and start, and a kill keep the sandbox" {
    id=$(vm one-9001 -- sleep 1000)
    docker start "$id"
    docker restart --time 0 "$id"
    same "$(namespace_of "$id")" "$(namespace one-9001)"
    docker stop --time 0 "$id"
    docker start "$id"
    same "$(namespace_of "$id")" "$(namespace one-9001)"
    docker kill "$id"
    docker start "$id"
    same "$(namespace_of "$id")" "$(namespace one-9001)"
    docker exec "$id" ip -o -4 addr show | grep -q 10.99.0.1/24
}

@test "pause, update, top and logs pass straight through" {
    id=$(vm one-9001 -- sh -c 'echo said; sleep 1000')
    docker start "$id"
    docker pause "$id"
    docker unpause "$id"
    docker update --pids-limit 50 "$id"
    docker top "$id" | grep -q 'sleep 1000'
    docker logs "$id" | grep -q said
    "$VMDOCK_RUNTIME" --version | grep -q '^runc version'
}

@test "a foreign container is left as it is, whatever it says of itself" {
    docker run --detach --name one-9002 --hostname one-9002 --runtime vmdock --network none \
        --label vmdock.vm=one-9002 --label com.vmdock.cgroupsPath=/vmdock \
        --env VMDOCK_VM=one-9002 --env NETNS="$NETNS/one-9002" "$IMAGE" sleep 1000
    [ "$(namespace_of one-9002)" != "$(namespace one-9002)" ]
    same "$(seen '.linux.namespaces[] | select(.type == "network").path')" null
    run docker exec one-9002 ip -o -4 addr show
    [[ $output != *10.99.0* ]]
    docker rm --force one-9002
    same "$(ls "$BATS_FILE_TMPDIR/run/runtime")" ""
}

@test "a cgroup parent that only looks like vmdock's is foreign" {
    case $(parent) in
        /vmdock) set -- /vmdock-test /vmdock-test/vmdock /vmdock/../vmdock-test ;;
        *) set -- vmdock-test.slice ;;
    esac
    local look
    for look; do
        id=$(docker run --detach --runtime vmdock --network none --cgroup-parent "$look" "$IMAGE" \
            sleep 1000)
        [ "$(namespace_of "$id")" != "$(namespace one-9002)" ]
        same "$(seen '.linux.namespaces[] | select(.type == "network").path')" null
        docker rm --force "$id"
    done
    # the engine leaves the parents that it made
    find /sys/fs/cgroup -depth -type d -path '*/vmdock-test*' -exec rmdir {} + || true
}

@test "a container in vmdock's parent that vmdock does not know is refused" {
    run docker run --runtime vmdock --network none --cgroup-parent "$(parent)" \
        --label vmdock.vm=one-9002 --name one-9002 "$IMAGE" ip addr
    [ "$status" -ne 0 ]
    [[ $output == *"vmdock knows no VM of it"* ]]
    [[ $output != *10.99.0* ]]
}

@test "a VM's image and template cannot choose another VM's sandbox" {
    id=$(vm one-9001 --name one-9002 --hostname one-9002 --label vmdock.vm=one-9002 \
        --label "vmdock.netns=$NETNS/one-9002" --env VMDOCK_VM=one-9002 --env "NETNS=$NETNS/one-9002" \
        --env 'x="linux":{"cgroupsPath":"/vmdock/1","namespaces":[{"type":"network"}]}' \
        --workdir "$NETNS/one-9002" -- sleep 1000)
    docker start "$id"
    same "$(namespace_of "$id")" "$(namespace one-9001)"
    same "$(docker exec "$id" cat /proc/1/environ | tr '\0' '\n' | grep ^x=)" \
        'x="linux":{"cgroupsPath":"/vmdock/1","namespaces":[{"type":"network"}]}'
}

@test "a missing sandbox: docker start says which VM and what to do" {
    id=$(vm one-9001 -- sleep 1000)
    ip netns del one-9001
    sentence="VM one-9001: its network sandbox $NETNS/one-9001 is missing; start the VM through its"
    # shellcheck disable=SC2016 # the backquotes are the sentence's
    sentence+=' cloud or with `vmdock deploy`, not with the engine'
    run docker start "$id"
    [ "$status" -ne 0 ]
    [[ $output == *"$sentence"* ]]
    # as after a reboot of the host
    rm "$BATS_FILE_TMPDIR/run/sandbox/$id"
    run docker start "$id"
    [[ $output == *"$sentence"* ]]
    same "$(docker inspect --format '{{.State.Running}}' "$id")" false
    sandbox one-9001 10.99.0.1/24
    map "$id" one-9001
    docker start "$id"
    same "$(namespace_of "$id")" "$(namespace one-9001)"
}

@test "what is no namespace, another VM's or the host's own is refused" {
    id=$(vm one-9001 -- ip addr)
    ip netns del one-9001
    : >"$NETNS/one-9001"
    run docker start --attach "$id"
    [[ $output == *"VM one-9001: $NETNS/one-9001 is not a network namespace"* ]]
    mount --bind /proc/self/ns/net "$NETNS/one-9001"
    run docker start --attach "$id"
    umount "$NETNS/one-9001"
    [[ $output == *"is the host's own network namespace"* ]]
    sed -i "s|$NETNS/one-9001|$NETNS/one-9002|" "$BATS_FILE_TMPDIR/run/sandbox/$id"
    run docker start --attach "$id"
    [[ $output == *"names another sandbox than $NETNS/one-9001"* ]]
    [[ $output != *10.99.0* ]]
}

@test "a VM on the host's network, or on another container's, is refused" {
    id=$(docker create --runtime vmdock --network host --cgroup-parent "$(parent)" "$IMAGE" ip addr)
    map "$id" one-9001
    run docker start --attach "$id"
    [ "$status" -ne 0 ]
    # by its path, or as newer engines say it, by there being none
    [[ $output == *"VM one-9001: its container joins another network namespace already"* ||
        $output == *"VM one-9001: its container shares the host's network"* ]]
    other=$(vm one-9002 -- sleep 1000)
    docker start "$other"
    id=$(docker create --runtime vmdock --network "container:$other" --cgroup-parent "$(parent)" \
        "$IMAGE" ip addr)
    map "$id" one-9001
    run docker start --attach "$id"
    [ "$status" -ne 0 ]
    [[ $output == *"VM one-9001: its container joins another network namespace already"* ]]
}

@test "the runtime that made a container serves it to its end" {
    id=$(vm one-9001 -- sleep 1000)
    docker start "$id"
    same "$(cat "$BATS_FILE_TMPDIR/run/runtime/$id")" "$BATS_FILE_TMPDIR/runc"
    settings crun
    docker exec "$id" ip -o -4 addr show | grep -q 10.99.0.1/24
    docker stop --time 0 "$id"
    grep -q "^runc .* kill .*$id" "$BATS_FILE_TMPDIR/calls"
    grep -q "^runc .* delete .*$id" "$BATS_FILE_TMPDIR/calls"
    run ! grep "^crun .* kill .*$id" "$BATS_FILE_TMPDIR/calls"
    [ ! -e "$BATS_FILE_TMPDIR/run/runtime/$id" ]
}

@test "crun as the real runtime joins the sandbox, stops and restarts" {
    settings crun
    docker run --rm --runtime vmdock --network none "$IMAGE" sleep 0
    rm "$BATS_FILE_TMPDIR/calls"
    id=$(vm one-9001 -- sleep 1000)
    map "$id" one-9001 crun
    docker start "$id"
    same "$(namespace_of "$id")" "$(namespace one-9001)"
    docker exec "$id" ip -o -4 addr show | grep -q 10.99.0.1/24
    docker restart --time 0 "$id"
    same "$(namespace_of "$id")" "$(namespace one-9001)"
    docker rm --force "$id"
    grep -q "^crun .* delete .*$id" "$BATS_FILE_TMPDIR/calls"
    run ! grep ^runc "$BATS_FILE_TMPDIR/calls"
    same "$(ls "$BATS_FILE_TMPDIR/run/runtime")" ""
}

@test "a real runtime that is not there is named" {
    id=$(vm one-9001 -- sleep 1000)
    map "$id" one-9001 no-such-runtime
    run docker start "$id"
    [ "$status" -ne 0 ]
    [[ $output == *"cannot run the real runtime $BATS_FILE_TMPDIR/no-such-runtime: No such file"* ]]
    same "$(ls "$BATS_FILE_TMPDIR/run/runtime")" ""
}

@test "a container that its runtime cannot make leaves no record" {
    id=$(vm one-9001 -- no-such-command)
    run docker start "$id"
    [ "$status" -ne 0 ]
    [[ $output == *no-such-command* ]]
    grep -q "^runc .* create .*$id" "$BATS_FILE_TMPDIR/calls"
    same "$(ls "$BATS_FILE_TMPDIR/run/runtime")" ""
}

@test "an unlimited resource limit reaches the container's bundle whole" {
    id=$(vm one-9001 --ulimit core=-1:-1 -- sleep 1000)
    docker start "$id" || [ -e "$BATS_FILE_TMPDIR/seen.json" ]
    grep -q '"hard":18446744073709551615' "$BATS_FILE_TMPDIR/seen.json"
    same "$(seen '.linux.namespaces[] | select(.type == "network").path')" "$NETNS/one-9001"
}
