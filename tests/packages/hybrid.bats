#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# doc/hybrid.md, command by command, and the Debian packages that it begins with, libvirt's and qemu's too: inside a
# lab without a product of its own, whose files are made private here as well, so that dpkg really installs.
#
# Blocks marked "node" run as they stand. Those marked "service" call systemctl, for which tests/packages/systemctl
# stands in: behind it is the real libvirtd. "fetch" is what has fetched the guest's kernel, before, where there is a
# network: into FETCHED.

bats_require_minimum_version 1.5.0

SOURCES=${BATS_TEST_FILENAME%/tests/packages/*}
TUTORIAL=$SOURCES/doc/hybrid.md
load common
load ../integration/switch

setup_file() {
    [ -d /run/lab ] || { echo "this test runs inside a lab" >&2; return 1; }
    local place
    for place in "${PLACES[@]}"; do
        private "$place"
    done
    registry_of_the_world busybox:latest
    export CLOUD=$BATS_FILE_TMPDIR/cloud WORK=$BATS_FILE_TMPDIR/work
    mkdir -p "$CLOUD" "$WORK" /run/libvirt
    ln -s "$DEBS" "$WORK/deb"
    ln -s "$FETCHED/guest-kernel" "$WORK/guest-kernel"
    ln -s "$SOURCES/tests/packages/systemctl" "$CLOUD/systemctl"
    chmod 755 "$BATS_FILE_TMPDIR"
    switch_start
}

teardown_file() {
    local place
    virsh destroy guest &>/dev/null || :
    PATH=$CLOUD:$PATH systemctl stop libvirtd || :
    for place in /run/libvirt/network/*.pid; do
        [ ! -e "$place" ] || kill "$(<"$place")" || :
    done
    switch_stop
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null 2>&1
    for ((place = ${#PLACES[@]} - 1; place >= 0; place--)); do
        umount --lazy "${PLACES[place]}"
    done
}

PLACES=(/usr /etc /var/lib /var/cache /var/log)

# What helpers.bash has for the switch.
within() {
    local tries=$(($1 * 20))
    shift
    until "$@" &>/dev/null; do
        [ $((tries -= 1)) -gt 0 ] || return 1
        sleep 0.05
    done
}

refused() {
    ! "$@"
}

# What systemd does when libvirt's packages are installed; and what a lab is not: it has control groups, users and
# namespaces that are not its own to give to guests.
libvirtd_first_start() {
    printf '%s\n' 'cgroup_controllers = [ ]' 'security_driver = "none"' 'user = "root"' 'group = "root"' \
        'namespaces = [ ]' 'stdio_handler = "file"' 'remember_owner = 0' >>/etc/libvirt/qemu.conf
    PATH=$CLOUD:$PATH systemctl start libvirtd
}

run_block() {
    case $1 in
        node) bash -euo pipefail -c "$2" ;;
        service) PATH=$CLOUD:$PATH bash -euo pipefail -c "$2" ;;
        refused) refused bash -euo pipefail -c "$2" ;;
        fetch) ls guest-kernel/boot/vmlinuz-* ;;
        *) echo "a block of unknown kind: $1" && return 1 ;;
    esac || return
    case $2 in *libvirt-daemon-system*) libvirtd_first_start ;; esac
}

# What libvirt says of the network as it is and as it is saved.
both() {
    virsh net-dumpxml default | grep -c "$1" || :
    virsh net-dumpxml --inactive default | grep -c "$1" || :
}

# What must be so behind a block, where its status does not say it.
looks() {
    case $1 in
        *"vmdock run --name web"*) [ "$(both "name='web' ip='192.168.122.2'" | tr '\n' ' ')" = "1 1 " ] ;;
        *"vmdock run --name db"*) [ "$(both "name='db' ip='192.168.122.250'" | tr '\n' ' ')" = "1 1 " ] ;;
        *"until vmdock exec"*) grep -qx web "$WORK/printed" ;;
        *"virsh -q net-dhcp-leases"*) grep -q ' guest ' "$WORK/printed" ;;
        *"virt-xml-validate web.xml"*) grep -q '<source network="default"/>' web.xml ;;
        *storage.xml*) grep -q 'dom-storage' "$WORK/printed" && grep -q '^tag *: 7$' "$WORK/printed" ;;
        *"vmdock run --name late"*)
            [ "$(grep -c '^vmdock: ' "$WORK/printed")" -eq 1 ] && grep -q 'cannot be reached' "$WORK/printed" ;;
        *"purge run-db"*) grep -q 'stays until vmdock gc finds it' "$WORK/printed" ;;
        *"virsh undefine guest"*) [ "$(both '<host ' | tr '\n' ' ')" = "0 0 " ] ;;
        *"vmdock gc"*) [ "$(both 192.168.122.250 | tr '\n' ' ')" = "0 0 " ] ;;
    esac
}

tell() {
    cat "$WORK/printed" /var/log/libvirt/libvirtd.log /var/log/libvirt/qemu/*.log | tail -n 150
    return 1
}

@test "each command of the page" {
    local kind text count=0
    cd "$WORK"
    while IFS=$'\t' read -r -d '' kind text; do
        printf '== %s\n%s' "$kind" "$text"
        run_block "$kind" "$text" </dev/null &>"$WORK/printed" || tell
        cat "$WORK/printed"
        looks "$text"
        count=$((count + 1))
    done < <(blocks)
    # No block was lost, and each says what it is.
    [ "$count" -gt 20 ]
    [ "$count" -eq "$(grep -c '^```sh ' "$TUTORIAL")" ]
    [ "$(grep -c '^```[a-z]' "$TUTORIAL")" -eq "$(grep -c '^```$' "$TUTORIAL")" ]
}

@test "after it nothing is left, but for the packages and the network" {
    cmp "$LAB_DIR/daemon.json" "$BATS_FILE_TMPDIR/daemon.json"
    [ -z "$(docker ps --all --quiet)" ]
    [ -z "$(docker images --quiet 'vmdock/*')" ]
    [ -z "$(find /run/netns -mindepth 1 2>/dev/null)" ]
    [ -z "$(find /var/lib/vmdock -mindepth 1 -type f)" ]
    [ -z "$(ovs-vsctl list-br)" ]
    [ "$(virsh --quiet net-list --all --name)" = default ]
    [ -z "$(virsh --quiet list --all --name)" ]
    ping -c 1 -W 2 192.168.122.1
}

@test "the packages remove cleanly, and what is linked to libvirt goes with its own" {
    [ "$(dpkg-query -S /usr/libexec/vmdock/vmdock-libvirt)" = "vmdock-libvirt: /usr/libexec/vmdock/vmdock-libvirt" ]
    run ! grep -l libvirt.so <(ldd /usr/bin/vmdock /usr/libexec/vmdock/vmdock-one)
    apt-get purge --yes vmdock-libvirt
    [ ! -e /usr/libexec/vmdock/vmdock-libvirt ]
    run -21 vmdock run --name web --network default busybox
    apt-get purge --yes vmdock vmdock-node
    [ -z "$(dpkg-query -W -f '${Package}\n' 'vmdock*' 2>/dev/null)" ]
}
