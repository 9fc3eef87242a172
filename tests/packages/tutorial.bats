#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# doc/opennebula.md, command by command, and the Debian packages that it begins with: inside a lab without a
# product of its own, whose /usr is made private here as well, so that dpkg really installs.
#
# Blocks marked "node" and "front-end" run as they stand. Those marked "cloud" call OpenNebula's commands,
# for which tests/packages/cloud stands in; it says what it does and what it leaves out. "build" is what
# made the packages in DEBS.

bats_require_minimum_version 1.5.0

SOURCES=${BATS_TEST_FILENAME%/tests/packages/*}
TUTORIAL=$SOURCES/doc/opennebula.md
load common

setup_file() {
    [ -d /run/lab ] || { echo "this test runs inside a lab" >&2; return 1; }
    private /usr
    private /var/cache # apt works there, and others do beside
    "$LAB" user "$LAB_DIR" oneadmin
    front_end
    registry_of_the_world nginx:latest
    bridge_with_address
    export CLOUD=$BATS_FILE_TMPDIR/cloud WORK=$BATS_FILE_TMPDIR/work
    mkdir -p "$CLOUD/bin" "$WORK"
    ln -s "$DEBS" "$WORK/deb"
    chmod 755 "$BATS_FILE_TMPDIR" "$CLOUD"
    local command
    for command in onehost onedatastore oneimage onevnet onetemplate onevm systemctl; do
        ln -s "$SOURCES/tests/packages/cloud" "$CLOUD/bin/$command"
    done
}

teardown_file() {
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null 2>&1
    umount --lazy /var/cache
    umount /usr 2>/dev/null || umount --lazy /usr
}

# What of an installed front end vmdock-setup looks at.
front_end() {
    local one=/var/lib/one data=$SOURCES/tests/data/setup
    rm -rf /etc/one "$one"
    mkdir -p /etc/one/vmm_exec "$one"/remotes/{vmm,im/kvm.d} "$one/datastores" \
        /etc/one/fireedge/sunstone /usr/lib/one/fireedge/dist/modules
    cp "$data/oned-7.conf" /etc/one/oned.conf
    cp "$data/monitord.conf" /etc/one/monitord.conf
    cp "$data/vmm_execrc" /etc/one/vmm_exec/vmm_execrc
    printf 'HooksModule:\n  name: HooksModule\n' >"$BATS_FILE_TMPDIR/remotes-config.yaml"
    cp "$BATS_FILE_TMPDIR/remotes-config.yaml" /etc/one/fireedge/sunstone/
    echo 7.4.0 >"$one/remotes/VERSION"
    touch "$one/remotes/im/kvm.d/monitord-client.rb"
    install -m 755 /dev/null "$one/remotes/im/kvm.d/monitord-client_control.sh"
    chown -R oneadmin: "$one"
    chmod 755 "$one"
    # the one machine here is the host, too
    # shellcheck disable=SC2016 # expanded by it
    printf '%s\n' '#!/bin/sh' 'while [ "$1" = -o ]; do shift 2; done' 'shift' 'exec sh -c "$*"' >/usr/local/bin/ssh
    chmod 755 /usr/local/bin/ssh
}

bridge_with_address() {
    ip link add br0 type bridge forward_delay 0
    ip addr add 10.99.0.1/24 dev br0
    ip link set br0 up
}

run_block() {
    case $1 in
        node | front-end) bash -euo pipefail -c "$2" ;;
        cloud) PATH=$CLOUD/bin:$PATH bash -euo pipefail -c "$2" ;;
        build) echo "what made the packages here: $DEBS" ;;
        *) echo "a block of unknown kind: $1" && return 1 ;;
    esac
}

@test "each command of the tutorial" {
    local kind text count=0
    cd "$WORK"
    while IFS=$'\t' read -r -d '' kind text; do
        printf '== %s\n%s' "$kind" "$text"
        run_block "$kind" "$text" </dev/null
        count=$((count + 1))
    done < <(blocks)
    # no block was lost, and none is unmarked
    [ "$((count * 2))" -eq "$(grep -c '^```' "$TUTORIAL")" ]
    [ "$count" -gt 10 ]
}

@test "after it nothing is left, but for the packages" {
    cmp "$LAB_DIR/daemon.json" "$BATS_FILE_TMPDIR/daemon.json"
    cmp /etc/one/oned.conf "$SOURCES/tests/data/setup/oned-7.conf"
    cmp /etc/one/fireedge/sunstone/remotes-config.yaml "$BATS_FILE_TMPDIR/remotes-config.yaml"
    [ -z "$(ls /usr/lib/one/fireedge/dist/modules)" ]
    [ -z "$(docker ps --all --quiet)" ]
    [ -z "$(docker images --quiet 'vmdock/*')" ]
    [ -z "$(find /var/lib/one/datastores -mindepth 2)" ]
    [ -z "$(find /var/lib/vmdock -name 'one-*')" ]
    [ -z "$(find /var/lib/one /etc/one -name '*onedock*' -o -name '*vmdock*')" ]
    [ -z "$(find /run/netns -name 'one-*' 2>/dev/null)" ]
}

@test "the packages remove cleanly, and purge leaves no file of theirs" {
    [ "$(dpkg-query -S /usr/share/vmdock/remotes/sunstone/OnedockModule/remoteEntry.js)" = \
        "vmdock-frontend: /usr/share/vmdock/remotes/sunstone/OnedockModule/remoteEntry.js" ]
    apt-get purge --yes vmdock vmdock-node vmdock-frontend
    [ -z "$(dpkg-query -W -f '${Package}\n' 'vmdock*' 2>/dev/null)" ]
    [ -z "$(find /etc/vmdock /usr/libexec/vmdock /usr/share/vmdock /etc/sudoers.d/vmdock-one /usr/sbin/vmdock-setup 2>/dev/null)" ]
}
