#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# doc/nova.md, command by command, and the Debian packages that it begins with: inside a lab without a product
# of its own, whose /usr is made private here as well, so that dpkg really installs.
#
# Blocks marked "node" run as they stand. Those marked "cloud" call openstack, for which tests/packages/openstack
# stands in: behind it is Nova itself, in one process with the driver that the package has installed.

bats_require_minimum_version 1.5.0

SOURCES=${BATS_TEST_FILENAME%/tests/packages/*}
TUTORIAL=$SOURCES/doc/nova.md
load common

setup_file() {
    [ -d /run/lab ] || { echo "this test runs inside a lab" >&2; return 1; }
    private /usr
    private /var/cache # apt works there, and others do beside
    "$LAB" user "$LAB_DIR" nova
    registry_of_the_world nginx:1.25
    "$LAB" image "$LAB_DIR" nginx:1.25
    rm -rf /var/lib/nova/.ssh
    export CLOUD=$BATS_FILE_TMPDIR/cloud WORK=$BATS_FILE_TMPDIR/work
    mkdir -p "$CLOUD/bin" "$WORK" "$CLOUD/volumes"
    ln -s "$DEBS" "$WORK/deb"
    ln -s "$SOURCES/tests/packages/openstack" "$CLOUD/bin/openstack"
    chmod 755 "$BATS_FILE_TMPDIR" "$CLOUD"
    other_hosts
}

teardown_file() {
    local name
    for name in cloud sshd; do
        [ ! -f "$CLOUD/$name.pid" ] || kill "$(<"$CLOUD/$name.pid")" 2>/dev/null || :
    done
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null 2>&1
    umount --lazy /var/cache
    umount /usr 2>/dev/null || umount --lazy /usr
}

# 10.0.0.2 and 10.0.0.3 are this machine.
other_hosts() {
    ip addr add 10.0.0.2/32 dev lo
    ip addr add 10.0.0.3/32 dev lo
    mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f "$CLOUD/host_key"
    printf '%s\n' "HostKey $CLOUD/host_key" 'ListenAddress 10.0.0.2' 'ListenAddress 10.0.0.3' 'UsePAM yes' \
        'PasswordAuthentication no' "PidFile $CLOUD/sshd.pid" >"$CLOUD/sshd_config"
    /usr/sbin/sshd -f "$CLOUD/sshd_config"
}

# The first block of KIND that has WORDS.
block_of() { # KIND WORDS
    awk -v kind="$1" -v words="$2" '$0 == "```" kind { text = ""; inside = 1; next }
        /^```$/ && inside { inside = 0; if (index(text, words)) { printf "%s", text; exit } next }
        inside { text = text $0 "\n" }' "$TUTORIAL"
}

# As nova-compute starts with what the document puts into its configuration.
start_cloud() {
    local driver
    driver=$(block_of ini compute_driver | sed -n 's/^compute_driver = //p')
    printf '\n[nova]\nvolumes = %s\n' "$CLOUD/volumes" >>/etc/vmdock/vmdock.conf
    COMPUTE_DRIVER=$driver LAB_PREFIX=/usr python3 "$SOURCES/tests/packages/nova_cloud.py" "$CLOUD" \
        </dev/null >"$CLOUD/log" 2>&1 3>&- &
    echo $! >"$CLOUD/cloud.pid"
    for _ in {1..1500}; do
        [ ! -S "$CLOUD/socket" ] || return 0
        kill -0 "$(<"$CLOUD/cloud.pid")" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 40 "$CLOUD/log"
    return 1
}

# What the document says stands before a key, and the key.
allow_key() {
    local keys=/var/lib/nova/.ssh/authorized_keys
    block_of text restrict | sed "s|ssh-ed25519 .*|$(</var/lib/nova/.ssh/id_ed25519.pub)|" >$keys
    chown nova: $keys
}

run_block() {
    if [ "$1" = cloud ] && [ ! -S "$CLOUD/socket" ]; then start_cloud; fi
    case $2 in *ssh-keyscan*) allow_key ;; esac
    case $1 in
        node) bash -euo pipefail -c "$2" ;;
        cloud) PATH=$CLOUD/bin:$PATH bash -euo pipefail -c "$2" ;;
        *) echo "a block of unknown kind: $1" && return 1 ;;
    esac
}

@test "the package has the driver, its program, and the one line of sudoers" {
    dpkg-deb --contents "$DEBS"/nova-compute-vmdock_*.deb >"$WORK/contents"
    local path
    for path in usr/lib/python3/dist-packages/nova/virt/vmdock/__init__.py \
        usr/lib/python3/dist-packages/vmdock_nova/driver.py usr/libexec/vmdock/vmdock-nova; do
        grep -q "root/root .* \./$path\$" "$WORK/contents"
    done
    grep -q '^-r--r----- root/root .* \./etc/sudoers.d/vmdock-nova$' "$WORK/contents"
    run ! grep -E '\.pyc$|/nova/virt/__init__' "$WORK/contents"
}

@test "each command of the tutorial" {
    local kind text count=0
    cd "$WORK"
    while IFS=$'\t' read -r -d '' kind text; do
        printf '== %s\n%s' "$kind" "$text"
        run_block "$kind" "$text" </dev/null || { tail -n 60 "$CLOUD/log" && false; }
        count=$((count + 1))
    done < <(blocks)
    # No block was lost, and each says what it is.
    [ "$count" -gt 8 ]
    [ "$count" -eq "$(grep -c '^```sh ' "$TUTORIAL")" ]
    [ "$(grep -c '^```[a-z]' "$TUTORIAL")" -eq "$(grep -c '^```$' "$TUTORIAL")" ]
}

@test "after it the instance is there, with its volume" {
    local name
    name=$(docker ps --format '{{.Names}}' --filter label=vmdock.cloud=nova)
    [[ $name = nova-* ]]
    docker exec "$name" grep -q ' /mnt/[sv]db ext4 ' /proc/mounts
    ip netns | grep -q "^$name"
}

@test "Nova's user has root's rights by that program alone" {
    local as_nova=(setpriv --reuid=nova --regid=nova --clear-groups sudo -n)
    "${as_nova[@]}" /usr/libexec/vmdock/vmdock-nova list <<<'{"host": "h"}' | grep -Fx '{"instances":[]}'
    run ! "${as_nova[@]}" /usr/bin/vmdock list
    run ! "${as_nova[@]}" /usr/bin/true
}

@test "the packages remove cleanly, and purge leaves no file of theirs" {
    PATH=$CLOUD/bin:$PATH openstack end
    vmdock-setup node --remove
    apt-get purge --yes vmdock vmdock-node nova-compute-vmdock
    [ -z "$(dpkg-query -W -f '${Package}\n' '*vmdock*' 2>/dev/null)" ]
    [ -z "$(find /etc/vmdock /usr/libexec/vmdock /etc/sudoers.d/vmdock-nova \
        /usr/lib/python3/dist-packages/{vmdock_nova,nova/virt/vmdock} 2>/dev/null)" ]
    [ -f /usr/lib/python3/dist-packages/nova/virt/driver.py ]
}
