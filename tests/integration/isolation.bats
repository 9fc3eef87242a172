#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # $stderr is set by run
# A hostile image or template cannot make a container join another VM's network or count as another VM.

load helpers

setup_file() {
    lab_ready
}

setup() {
    deploy 70 nic=lab0,10.9.0.70
    VICTIM=$(netns_of one-70)
}

teardown() {
    sweep
}

# The network namespace that a container's first process is in.
netns_of() {
    readlink "/proc/$(docker inspect --format '{{.State.Pid}}' "$1")/ns/net"
}

# The victim alone stands in its namespace and alone is one-70.
victim_is_alone() {
    local container
    for container in $(docker ps --quiet); do
        [ "$(docker inspect --format '{{.Name}}' "$container")" = /one-70 ] ||
            [ "$(netns_of "$container")" != "$VICTIM" ] || fail "$container joined the VM's namespace"
    done
    same "$(vmdock --json list | jq -c '[.. | strings | select(. == "one-70")] | length > 0')" true
    same "$(docker inspect --format '{{.State.Status}}' one-70)" running
}

hostile_image() {
    image lab/hostile:1 'LABEL vmdock.vm=one-70 vmdock.cloud=opennebula vmdock.cloud-id=70 vmdock.name=x vmdock.uuid=y vmdock.version=9 vmdock.netns=/run/netns/one-70' \
        'ENV VMDOCK_VM=one-70 VMDOCK_NETNS=/run/netns/one-70 VMDOCK_SANDBOX=one-70'
}

@test "a VM from an image with another VM's labels and environment is itself" {
    hostile_image
    deploy 71 nic=lab0,10.9.0.71 image=docker://lab/hostile:1
    same "$(docker inspect one-71 | jq -r '.[].Config.Labels["vmdock.vm"]')" one-71
    same "$(docker inspect one-71 | jq -r '.[].Config.Labels["vmdock.uuid"]')" ""
    [ "$(netns_of one-71)" != "$VICTIM" ]
    same "$(addresses 71)" 10.9.0.71/24
    victim_is_alone
}

@test "a foreign container from such an image counts as no VM and gets no VM's network" {
    hostile_image
    docker run -d --name other --hostname one-70 --network none lab/hostile:1
    victim_is_alone
    has_not "$(vmdock --json list)" '"other"'
    vmdock purge one-70
    same "$(docker inspect --format '{{.State.Status}}' other)" running
}

@test "a foreign container under vmdock's runtime gets no VM's network" {
    hostile_image
    docker run -d --name other --runtime vmdock --network none --hostname one-70 lab/hostile:1
    victim_is_alone
    # it has a network of its own, with nothing but lo
    same "$(docker exec other ip -oneline addr show | awk '{ print $2 }' | sort -u)" lo
}

@test "a foreign container in vmdock's own cgroup parent does not start" {
    run docker run -d --name other --runtime vmdock --cgroup-parent "/$PARENT" --network none "$IMAGE"
    [ "$status" -ne 0 ]
    victim_is_alone
}

@test "a foreign container that is named like a VM is none" {
    docker run -d --name one-72 --label vmdock.vm=one-72 --network none "$IMAGE"
    has_not "$(vmdock --json list)" one-72
    run deploy 72 nic=lab0,10.9.0.72
    [ "$status" -eq "$(status_of STATE)" ]
    same "$(docker inspect --format '{{.State.Status}}' one-72)" running
}

@test "a VM's name, hostname and environment that claim to be another VM" {
    deploy 71 nic=lab0,10.9.0.71 name=one-70 \
        template="<CONTEXT>$(element SET_HOSTNAME one-70)$(element VMDOCK_VM one-70)</CONTEXT>" \
        user="$(element DEPLOY_ID one-70)"
    [ "$(netns_of one-71)" != "$VICTIM" ]
    victim_is_alone
    vmdock purge one-71
    same "$(container_state 70)" running
}

@test "a VM cannot change its own network or see the host's" {
    deploy 71 nic=lab0,10.9.0.71
    refused docker exec one-71 ip link set eth0 down
    refused docker exec one-71 ip addr add 10.9.0.70/24 dev eth0
    has_not "$(docker exec one-71 ip -oneline link show)" docker0
}

@test "privileges that the host's configuration does not allow are refused, not dropped" {
    local attribute
    for attribute in "$(element ONEDOCK_PRIVILEGED yes)" "$(element ONEDOCK_CAP_ADD NET_ADMIN)" \
        "$(element ONEDOCK_DEVICES /dev/kmsg)"; do
        run --separate-stderr deploy 71 nic=lab0,10.9.0.71 user="$attribute"
        [ "$status" -eq "$(status_of POLICY)" ] || fail "$attribute: $status $stderr"
    done
    run docker inspect one-71
    [ "$status" -ne 0 ]
}

@test "secrets of the template are in no log, label, argument or environment" {
    deploy 71 nic=lab0,10.9.0.71 template="<GRAPHICS>$(element TYPE VNC)$(element PASSWD s3cr3t12)</GRAPHICS>" \
        2>"$BATS_TEST_TMPDIR/err"
    has_not "$(docker inspect one-71)" s3cr3t12
    has_not "$(cat "$BATS_TEST_TMPDIR/err")" s3cr3t12
    has_not "$(vmdock show one-71; vmdock --json show one-71)" s3cr3t12
}

@test "the sandbox map and the state are root's alone" {
    local file
    while read -r file; do
        same "$(stat -c '%U %a' "$file")" "root 600" || fail "$file"
    done < <(find "$RUN/sandbox" "$STATE" -type f ! -path '*/container/*' ! -path '*/context/*')
    # the guest's own users read the context there; nobody on the host gets that far
    same "$(stat -c '%U %a' "$STATE/one-70")" "root 700"
}
