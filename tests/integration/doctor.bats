#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # expanded by other shells
# What doctor sees of a host on which something has been broken, and does not see before.

load helpers

setup_file() {
    lab_ready
    "$LAB" user "$LAB_DIR" oneadmin
    cp -a /etc/sudoers.d "$BATS_FILE_TMPDIR/sudoers.d"
}

teardown() {
    cp -a "$BATS_FILE_TMPDIR/sudoers.d/." /etc/sudoers.d/
}

# judges ID LEVEL [TEXT] [-- COMMAND…]: doctor, run by COMMAND, has one finding ID of that level, whose words have TEXT.
judges() {
    local id=$1 level=$2 text='' found
    shift 2
    [ "${1:---}" = -- ] || { text=$1 && shift; }
    shift $(($# > 0))
    found=$("$@" vmdock --json ${FILE:+--config "$FILE"} doctor 2>/dev/null |
        jq -r --arg id "$id" '.[] | select(.id == $id) | "\(.level) \(.what) \(.mend)"')
    same "$(wc -l <<<"$found") ${found%% *}" "1 $level" && has "$found" "$text"
}

@test "a configuration that others than root may write, itself or by a folder" {
    local FILE
    FILE=$(config_with '')
    judges config.file ok
    chmod o+w "$FILE"
    judges config.file fail "must belong to root and be writable by root alone"
    mkdir "$BATS_TEST_TMPDIR/folder"
    mv "$FILE" "$BATS_TEST_TMPDIR/folder/conf"
    FILE=$BATS_TEST_TMPDIR/folder/conf
    chmod o-w "$FILE"
    judges config.file ok
    chmod o+w "$BATS_TEST_TMPDIR/folder"
    judges config.file fail "others than root may write $BATS_TEST_TMPDIR/folder, and so change"
}

@test "sudoers without vmdock-one, with a foreign one, and with a door to root" {
    judges cloud.sudo ok
    mv /etc/sudoers.d/vmdock-one "$BATS_TEST_TMPDIR/"
    judges cloud.sudo fail "vmdock-setup node"
    echo 'oneadmin ALL=(root) NOPASSWD: /nowhere/vmdock-one' >/etc/sudoers.d/vmdock-one
    judges cloud.sudo fail "may run /nowhere/vmdock-one, which is no program"
    cp "$BATS_TEST_TMPDIR/vmdock-one" /etc/sudoers.d/
    judges cloud.sudo ok
    echo 'oneadmin ALL=(root) NOPASSWD: /bin/bash' >/etc/sudoers.d/zz-door
    judges cloud.root-doors warn /bin/bash
    rm /etc/sudoers.d/zz-door
    same "$(vmdock --json doctor 2>/dev/null | jq -r '.[].id' | grep -c root-doors)" 0
}

@test "a network namespaces' folder that the engine does not see" {
    judges engine.netns-mount ok
    # mounts of its own, of which no other namespace hears
    judges engine.netns-mount fail "mount --make-shared /run" -- unshare --mount --propagation private
}

# In mounts of its own: FILE of the kernel's says VALUE.
with_value() {
    local file=$1
    echo "$2" >"$BATS_TEST_TMPDIR/value"
    shift 2
    unshare --mount sh -c 'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$BATS_TEST_TMPDIR/value" "$file" "$@"
}

@test "too few process numbers" {
    judges kernel.pid-max ok -- with_value /proc/sys/kernel/pid_max 4194304
    judges kernel.pid-max warn "are in use" -- with_value /proc/sys/kernel/pid_max 10
    # none are short, but a VM may have as many as there are
    local FILE
    FILE=$(config_with '[vm]' 'pids_limit = 4194304')
    judges kernel.pid-max warn "set [vm] pids_limit well below" -- with_value /proc/sys/kernel/pid_max 4194304
}

# with_ports N COMMAND…: in a network namespace of its own, with a bridge of so many ports.
with_ports() {
    local n
    {
        echo 'link add ports0 type bridge'
        for ((n = 1; n <= $1; n++)); do echo "link add port$n master ports0 type veth peer name other$n"; done
    } >"$BATS_TEST_TMPDIR/batch"
    shift
    unshare --net sh -c 'ip -batch "$1" && shift && exec "$@"' sh "$BATS_TEST_TMPDIR/batch" "$@"
}

@test "a bridge that is nearly full, and one that is" {
    same "$(with_ports 900 vmdock --json doctor 2>/dev/null | jq -r '.[].id' | grep -c bridge-ports)" 0
    judges network.bridge-ports note "ports0 has 930 of 1023 ports in use" -- with_ports 930
    judges network.bridge-ports warn "ports0 is full" -- with_ports 1023
}
