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

setup_file() {
    [ -d /run/lab ] || { echo "this test runs inside a lab" >&2; return 1; }
    private_usr
    "$LAB" user "$LAB_DIR" oneadmin
    front_end
    registry_of_the_world
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
    umount /usr 2>/dev/null || umount --lazy /usr
}

private_usr() {
    local layer=/run/lab/packages
    mkdir -p "$layer/upper" "$layer/work"
    mount -t overlay -o "lowerdir=/usr,upperdir=$layer/upper,workdir=$layer/work" packages /usr
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
}

# docker.io is the lab's own registry, for the engine and for skopeo, and has the tutorial's image.
registry_of_the_world() {
    "$LAB" registry "$LAB_DIR" >/dev/null
    "$LAB" image "$LAB_DIR" 127.0.0.1:5000/library/nginx:latest
    docker push --quiet 127.0.0.1:5000/library/nginx:latest
    docker rmi 127.0.0.1:5000/library/nginx:latest >/dev/null
    mkdir -p /etc/containers/registries.conf.d
    printf '[[registry]]\nprefix = "docker.io"\nlocation = "127.0.0.1:5000"\ninsecure = true\n' \
        >/etc/containers/registries.conf.d/lab.conf
    local daemon=$LAB_DIR/daemon.json
    jq '. + {"registry-mirrors": ["http://127.0.0.1:5000"]} | del(.runtimes)' "$daemon" >"$daemon.new"
    mv "$daemon.new" "$daemon"
    cp "$daemon" "$BATS_FILE_TMPDIR/daemon.json"
    kill -HUP "$(cat /run/docker.pid)"
}

bridge_with_address() {
    ip link add br0 type bridge forward_delay 0
    ip addr add 10.99.0.1/24 dev br0
    ip link set br0 up
}

# The blocks of the tutorial, in order, as shell functions would be: "KIND<TAB>COMMANDS…<NUL>".
blocks() {
    awk '/^```sh / { kind = $2; text = ""; inside = 1; next }
         /^```$/ && inside { printf "%s\t%s%c", kind, text, 0; inside = 0; next }
         inside { text = text $0 "\n" }' "$TUTORIAL"
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
