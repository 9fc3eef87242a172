#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2153 # texts that are not expanded; IMAGE is the helpers'
# OpenNebula's transfer actions, called as the front end calls them: as oneadmin, with an ssh that runs the
# command on a node, and a front end that has no engine; each sees the same path /run/one as its own.
# Moves between nodes are in transfer_move.bats.
#
# Contract: OpenNebula 7.4; argv as recorded.

load helpers
load transfer

setup_file() {
    transfer_ready
}

# ---- clone, ln, delete --------------------------------------------------------------------------

@test "clone of a large image: the front end's log tells every few seconds how far it is, and how fast" {
    image lab/large:1 'RUN dd if=/dev/urandom of=/large bs=1M count=16'
    ship lab/large:1 "$REGISTRY/lab/large:1"
    docker rmi lab/large:1 >/dev/null
    slow_network 12 tm clone "docker://$REGISTRY/lab/large:1" "node1:$SYS/80/disk.0" 80 104
    grep -qE '^INFO: 80 fetching: [0-9.]+ of 16\.[0-9] MiB \([0-9]+ %\), [0-9.]+ MiB/s, [0-9]+ of 2 layers$' "$ERR"
    has "$(tail -n 1 "$ERR")" "INFO: 80 VM one-80: fetched image $REGISTRY/lab/large:1"
}

@test "clone by digest: pulled, told in the log, held by the VM's name, and deployed from it" {
    local by_digest
    by_digest=docker://$REGISTRY/lab/vm@$(digest_of lab/vm:1)
    tm clone "$by_digest" "node1:$SYS/80/disk.0" 80 104
    has "$(cat "$ERR")" "INFO: 80 VM one-80: fetched image $REGISTRY/lab/vm@sha256:"
    [ -n "$(held_on node1 80)" ]
    start_on node1 80 "image=$by_digest" "$NIC"
    same "$(container_state 80)" running
    same "$(docker inspect --format '{{.Image}}' one-80)" "$(held_on node1 80)"
}

@test "a second clone of an image that is there already asks no registry" {
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    local by_digest
    by_digest=docker://$REGISTRY/lab/vm@$(digest_of lab/vm:1)
    without_registry tm clone "$by_digest" "node1:$SYS/81/disk.0" 81 104
    has_not "$(cat "$ERR")" fetch
    same "$(held_on node1 81)" "$(held_on node1 80)"
    without_registry tm_fails "connection refused" clone "docker://$REGISTRY/lab/vm:2" "node1:$SYS/82/disk.0" 82 104
}

@test "several at once: two VMs get the same image, a third goes, each by its own call" {
    local status=0 call
    tm clone "$REFERENCE" "node1:$SYS/82/disk.0" 82 104
    for call in "clone $REFERENCE node1:$SYS/80/disk.0 80 104" "clone $REFERENCE node1:$SYS/81/disk.0 81 104" \
        "delete node1:$SYS/82/disk.0 82 104" "mkimage 1 raw node1:$SYS/80/disk.1 80 102"; do
        # shellcheck disable=SC2086 # words
        OUT=$OUT.${call%% *} ERR=$ERR.${call%% *} tm $call 3>&- &
    done
    for call in 1 2 3 4; do
        wait -n || status=$?
    done
    same "$status" 0
    [ -n "$(held_on node1 80)" ]
    same "$(held_on node1 81)" "$(held_on node1 80)"
    same "$(held_on node1 82)" ""
    [ -s "$WORK/node1/one/datastores/102/80/disk.1" ]
}

@test "an image that was fetched stays for the next VM; what no VM holds goes with the engine's own prune" {
    local source id other
    image lab/unheld:1 'ENV UNHELD=1'
    id=$(docker image inspect --format '{{.Id}}' lab/unheld:1)
    ship lab/unheld:1 "$REGISTRY/lab/unheld:1"
    source=docker://$REGISTRY/lab/unheld@$(digest_of lab/unheld:1)
    docker rmi lab/unheld:1 >/dev/null
    tm clone "$source" "node1:$SYS/80/disk.0" 80 104
    tm delete "node1:$SYS/80/disk.0" 80 104
    tm delete "node1:$SYS/80" 80 102
    nothing_on node1 80
    # by its id alone
    same "$(docker image inspect --format '{{.Id}} {{.RepoTags}}' "$id")" "$id []"
    image lab/held:1 'ENV HELD=1'
    other=$(docker image inspect --format '{{.Id}}' lab/held:1)
    ship lab/held:1 "$REGISTRY/lab/held:1"
    tm clone "docker://$REGISTRY/lab/held@$(digest_of lab/held:1)" "node1:$SYS/81/disk.0" 81 104
    docker rmi lab/held:1 >/dev/null
    docker image prune --force >/dev/null
    refused docker image inspect "$id"
    same "$(held_on node1 81)" "$other"
    start_on node1 81 "image=docker://$REGISTRY/lab/held@$(digest_of lab/held:1)" nic=lab0,10.9.0.81
    has "$(docker exec one-81 env)" HELD=1
}

@test "a clone of a datastore's image that has been written to is what was written last" {
    local source=docker://$REGISTRY/vmdock/7-0123456789ab:latest
    ship "$IMAGE" "${source#docker://}"
    tm clone "$source" "node1:$SYS/80/disk.0" 80 104
    image lab/written:1 'ENV WRITTEN=1'
    ship lab/written:1 "${source#docker://}"
    # what an action that was killed may leave
    docker tag "$IMAGE" "${source#docker://}"
    tm clone "$source" "node1:$SYS/81/disk.0" 81 104
    has "$(docker image inspect --format '{{.Config.Env}}' vmdock/one-81:disk.0)" WRITTEN=1
    same "$(docker images -q "${source#docker://}")" ""
    docker rmi lab/written:1 >/dev/null
}

@test "clone of what the registry does not have, from a registry that is not there, and on a node that is down" {
    tm_fails "manifest unknown" clone "docker://$REGISTRY/lab/vm:none" "node1:$SYS/80/disk.0" 80 104
    tm_fails "connection refused" clone docker://127.0.0.1:5999/x:1 "node1:$SYS/80/disk.0" 80 104
    tm_fails "down: it cannot be reached: ssh: connect to host down port 22: No route to host" \
        clone "$REFERENCE" "down:$SYS/80/disk.0" 80 104
    nothing_left
}

@test "a node that does not answer costs the time-out and no more" {
    local began=$SECONDS
    cp "$WORK/front/vmdock.conf" "$BATS_TEST_TMPDIR/conf"
    printf 'command_timeout_ms = 1000\n' >>"$WORK/front/vmdock.conf"
    refused tm delete "slow:$SYS/80/disk.3" 80 102
    cp "$BATS_TEST_TMPDIR/conf" "$WORK/front/vmdock.conf"
    has "$(cat "$ERR")" "slow: no end within 1 s"
    [ $((SECONDS - began)) -lt 8 ]
}

@test "words of other shapes are refused and nothing is touched" {
    local place
    touch "$WORK/node1/one/datastores/keep"
    for place in "node1:/etc" "node1:/" "node1:$SYS/81/disk.0" "node1:$SYS/../80" "-oProxyCommand=x:$SYS/80" \
        "node1:$SYS/80/disk.x" 'node1:/run/one/$(id)/80' "node1" "node1:relative/102/80"; do
        refused tm delete "$place" 80 102
        [ -n "$(cat "$ERR")" ]
    done
    refused tm delete "node1:$SYS/80" '80;id' 102
    refused tm clone 'docker://x;touch /run/one/owned' "node1:$SYS/80/disk.0" 80 104
    refused tm clone "docker-archive:/etc/passwd" "node1:$SYS/80/disk.0" 80 104
    refused tm clone "fe:/etc/passwd" "node1:$SYS/80/disk.1" 80 104
    refused tm clone "$REFERENCE" "node1:$SYS/80/disk.1" 80 104
    [ -e "$WORK/node1/one/datastores/keep" ]
    rm "$WORK/node1/one/datastores/keep"
    nothing_left
}

@test "delete: with disk 0 everything of the VM goes, also when its container died by itself" {
    local unnamed
    unnamed=$(docker images -q --filter dangling=true | sort)
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    start_on node1 80 "image=$REFERENCE" "$NIC"
    tm snap_create "node1:$SYS/80/disk.0" 0 80 104
    docker kill one-80 >/dev/null
    tm delete "node1:$SYS/80/disk.0" 80 104
    # the one place of the front end's log for how it ended
    same "$(grep -c '^INFO: 80 VM one-80: its container ended at .*Z with exit status 137$' "$ERR")" 1
    tm delete "node1:$SYS/80" 80 102
    nothing_on node1 80
    docker rmi "$REGISTRY/lab/vm:1" >/dev/null
    nothing_left
    same "$(docker images -q --filter dangling=true | sort)" "$unnamed"
    tm delete "node1:$SYS/80/disk.0" 80 104
    tm delete "node1:$SYS/80" 80 102
    tm_fails "cannot be reached" delete "down:$SYS/80" 80 102
}

# security_group ID: the rules that OpenNebula's network drivers make for the VM's NIC.
security_group() {
    local nic=one-$1-0 program
    ipset create "$nic-ip-spoofing" hash:net family inet
    for program in iptables ip6tables; do
        "$program" -w 5 -n -L opennebula >/dev/null 2>&1 || "$program" -w 5 -N opennebula
        "$program" -w 5 -N "$nic-i"
        "$program" -w 5 -N "$nic-o"
        "$program" -w 5 -I opennebula -m physdev --physdev-is-bridged --physdev-out "$nic" -j "$nic-i"
        "$program" -w 5 -I INPUT -m physdev --physdev-in "$nic" -j "$nic-o"
        "$program" -w 5 -A "$nic-i" -j DROP
    done
    iptables -w 5 -A "$nic-o" -m set ! --match-set "$nic-ip-spoofing" src -j DROP
}

rules() {
    iptables -w 5 -S
    ip6tables -w 5 -S
    ipset list -n
}

@test "delete of a VM whose container died: its rules go from the packet filter, nobody else's" {
    local before
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    start_on node1 80 "image=$REFERENCE" "$NIC"
    security_group 801
    before=$(rules)
    security_group 80
    docker kill one-80 >/dev/null
    tm delete "node1:$SYS/80/disk.0" 80 104
    same "$(grep -c 'packet filter' "$ERR")" 0
    same "$(rules)" "$before"
    tm delete "node1:$SYS/80" 80 102
}

@test "an archive of docker save: loaded under the VM's name alone, and not twice" {
    image victim/other:1
    image brought:1 'ENV BROUGHT=1'
    local before
    before=$(docker image inspect --format '{{.Id}}' victim/other:1)
    docker tag brought:1 victim/other:2
    # an archive that calls its image by the name of somebody else's
    docker tag brought:1 victim/other:1
    docker save victim/other:1 | gzip >"$WORK/front/one/datastores/104/a.tar"
    chown oneadmin "$WORK/front/one/datastores/104/a.tar"
    docker rmi victim/other:1 victim/other:2 brought:1 >/dev/null
    docker tag "$before" victim/other:1
    tm clone docker-archive:/run/one/datastores/104/a.tar "node1:$SYS/80/disk.0" 80 104
    has "$(cat "$WORK/calls")" disk_load
    has "$(docker image inspect --format '{{.Config.Env}}' vmdock/one-80:disk.0)" BROUGHT=1
    same "$(docker image inspect --format '{{.Id}}' victim/other:1)" "$before"
    tm clone docker-archive:/run/one/datastores/104/a.tar "node1:$SYS/81/disk.0" 81 104
    has_not "$(cat "$WORK/calls")" disk_load
    same "$(held_on node1 81)" "$(held_on node1 80)"
    echo nonsense >"$WORK/front/one/datastores/104/b.tar"
    tm_fails "none that docker save writes" clone docker-archive:/run/one/datastores/104/b.tar "node1:$SYS/82/disk.0" 82 104
    docker rmi victim/other:1 >/dev/null
}

@test "a disk image that is a file is copied, sparse, and grown when the VM asks for more" {
    truncate -s 8M "$WORK/front/one/datastores/104/img"
    echo data | dd of="$WORK/front/one/datastores/104/img" conv=notrunc status=none
    echo '<DISK><DISK_ID>1</DISK_ID><SIZE>16</SIZE><ORIGINAL_SIZE>8</ORIGINAL_SIZE></DISK>' >"$WORK/bin/sizes"
    tm clone fe:/run/one/datastores/104/img "node1:$SYS/80/disk.1" 80 104
    same "$(stat -c %s "$WORK/node1/one/datastores/102/80/disk.1")" $((16 * 1024 * 1024))
    [ "$(stat -c %b "$WORK/node1/one/datastores/102/80/disk.1")" -lt 4096 ]
    same "$(head -c 4 "$WORK/node1/one/datastores/102/80/disk.1")" data
    same "$(stat -c %U "$WORK/node1/one/datastores/102/80/disk.1")" oneadmin
    tm_fails "No such file" clone fe:/run/one/datastores/104/none "node1:$SYS/80/disk.2" 80 104
    tm delete "node1:$SYS/80/disk.1" 80 104
    [ ! -e "$WORK/node1/one/datastores/102/80/disk.1" ]
}

@test "a persistent image that is a file goes back into it, and leaves the node when it is detached" {
    local image=$WORK/front/one/datastores/104/pers disk=$WORK/node1/one/datastores/102/80/disk.1 state
    for state in 17 34 11; do
        truncate -s 8M "$image"
        chown oneadmin "$image"
        echo 3 >"$WORK/bin/lcm_state"
        tm ln fe:/run/one/datastores/104/pers "node1:$SYS/80/disk.1" 80 104
        echo "written $state" | dd of="$disk" conv=notrunc status=none
        echo "$state" >"$WORK/bin/lcm_state"
        tm mvds "node1:$SYS/80/disk.1" /run/one/datastores/104/pers 80 104
        same "$(head -c 10 "$image")" "written $state"
        # the end of a VM may be repeated
        [ ! -e "$disk" ] || same "$state" 11
    done
    [ -e "$disk" ]
}

# ---- snapshots ----------------------------------------------------------------------------------

@test "disk snapshots: a revert starts from it, never under a VM that runs; delete removes the name" {
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    start_on node1 80 "image=$REFERENCE" "$NIC"
    docker exec one-80 sh -c 'echo one >/root/note'
    tm snap_create_live "node1:$SYS/80/disk.0" 1 80 104
    docker exec one-80 sh -c 'echo two >/root/note'
    tm_fails "it runs" snap_revert "node1:$SYS/80/disk.0" 1 80 104
    start_on node1 80 "image=$REFERENCE" "$NIC"
    same "$(docker exec one-80 cat /root/note)" two
    vmdock shutdown one-80
    tm snap_create "node1:$SYS/80/disk.0" 2 80 104
    tm snap_revert "node1:$SYS/80/disk.0" 1 80 104
    start_on node1 80 "image=$REFERENCE" "$NIC"
    same "$(docker exec one-80 cat /root/note)" one
    vmdock shutdown one-80
    tm_fails "no such snapshot" snap_revert "node1:$SYS/80/disk.0" 9 80 104
    same "$(container_state 80)" exited
    tm snap_delete "node1:$SYS/80/disk.0" 1 80 104
    tm snap_delete "node1:$SYS/80/disk.0" 1 80 104
    same "$(docker images --format '{{.Tag}}' vmdock/one-80 | sort | xargs)" "disk.0 disk.0-snap.2"
}

@test "snap_create and snap_delete of what is not there, of a node that is down, with words that are none" {
    local action disk=$WORK/node1/one/datastores/102/80/disk.1
    for action in snap_create snap_create_live snap_delete; do
        tm_fails "down: it cannot be reached" "$action" "down:$SYS/80/disk.0" 0 80 104
        # of a file that is in use there is no snapshot, wherever it is
        [ "$action" = snap_create_live ] ||
            tm_fails "down: it cannot be reached" "$action" "down:$SYS/80/disk.1" 0 80 104
        refused tm "$action" "node1:$SYS/80/disk.0" '0;id' 80 104
        [ -n "$(cat "$ERR")" ]
        refused tm "$action" "node1:$SYS/80/disk.0" -1 80 104
        [ -n "$(cat "$ERR")" ]
    done
    tm_fails "no disk 0 of it" snap_create "node1:$SYS/80/disk.0" 0 80 104
    tm_fails "No such file" snap_create "node1:$SYS/80/disk.1" 0 80 104
    # neither has begun anything
    [ ! -e "$disk.snap" ] || same "$(ls -A "$disk.snap")" ""
    rm -rf "$WORK/node1/one/datastores/102"
    nothing_left
    # the end of a snapshot that never was is none to complain of
    tm snap_delete "node1:$SYS/80/disk.0" 0 80 104
    nothing_left
}

@test "snap_create and snap_delete while the engine is down: one sentence, and the names stay" {
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    tm snap_create "node1:$SYS/80/disk.0" 1 80 104
    engine stop
    tm_fails "container engine" snap_create "node1:$SYS/80/disk.0" 2 80 104
    tm_fails "container engine" snap_delete "node1:$SYS/80/disk.0" 1 80 104
    engine start
    same "$(docker images --format '{{.Tag}}' vmdock/one-80 | sort | xargs)" "disk.0 disk.0-snap.1"
}

@test "snapshots of a disk that is a file are copies of it" {
    tm mkimage 1 raw "node1:$SYS/80/disk.1" 80 102
    local disk=$WORK/node1/one/datastores/102/80/disk.1
    echo old | dd of="$disk" conv=notrunc status=none
    tm snap_create "node1:$SYS/80/disk.1" 0 80 104
    echo new | dd of="$disk" conv=notrunc status=none
    tm_fails "file in use" snap_create_live "node1:$SYS/80/disk.1" 1 80 104
    tm snap_revert "node1:$SYS/80/disk.1" 0 80 104
    same "$(head -c 3 "$disk")" old
    tm snap_delete "node1:$SYS/80/disk.1" 0 80 104
    [ ! -e "$disk.snap/0" ]
}

@test "a persistent image that is a file keeps the snapshots of its VM beside it" {
    local image=$WORK/front/one/datastores/104/pers disk=$WORK/node1/one/datastores/102/80/disk.1
    truncate -s 1M "$image"
    chown oneadmin "$image"
    tm ln fe:/run/one/datastores/104/pers "node1:$SYS/80/disk.1" 80 104
    echo old | dd of="$disk" conv=notrunc status=none
    tm snap_create "node1:$SYS/80/disk.1" 77 80 104
    vm_has_snapshots 3
    echo new | dd of="$disk" conv=notrunc status=none
    tm mvds "node1:$SYS/80/disk.1" /run/one/datastores/104/pers 80 104
    same "$(head -c 3 "$image") $(ls "$image.snap")" "new 77"
    tm delete "node1:$SYS/80" 80 102
    tm ln fe:/run/one/datastores/104/pers "node1:$SYS/80/disk.1" 80 104
    tm snap_revert "node1:$SYS/80/disk.1" 77 80 104
    same "$(head -c 3 "$disk")" old
    echo >"$WORK/bin/snapshots"
    tm mvds "node1:$SYS/80/disk.1" /run/one/datastores/104/pers 80 104
    same "$(ls "$image.snap")" ""
}

# ---- context, volatile disks, monitor -----------------------------------------------------------

@test "context: an ISO with the files under their names, with quotes, blanks and dollar signs in them" {
    local vms=$WORK/front/one/vms
    install -d -o oneadmin "$vms"
    printf 'ETH0_IP=%s\n' "'10.0.0.1'" >"$vms/context.sh"
    echo token >"$vms/token.txt"
    echo script >"$vms/f1"
    chown -R oneadmin "$vms"
    tm context /run/one/vms/context.sh /run/one/vms/token.txt "/run/one/vms/f1:'init.sh'" "node1:$SYS/80/disk.2" 80 102
    local iso=$WORK/node1/one/datastores/102/80/disk.2
    same "$(file_of "$iso" /context.sh)" "ETH0_IP='10.0.0.1'"
    same "$(file_of "$iso" /token.txt)" token
    same "$(file_of "$iso" /init.sh)" script
    same "$(dd if="$iso" bs=1 skip=32808 count=7 status=none)" CONTEXT
    # passwords stand in it in clear
    same "$(stat -c '%U %a' "$iso")" "oneadmin 600"
    tm context /run/one/vms/context.sh "node1:$SYS/80/disk.2" 80 102
    tm_fails "No such file" context /run/one/vms/none "node1:$SYS/80/disk.3" 80 102
    tm_fails "down: it cannot be reached" context /run/one/vms/context.sh "down:$SYS/80/disk.3" 80 102
    mount -t tmpfs -o "size=64k,uid=$(id -u oneadmin)" tmpfs "$SYS/80"
    run tm_fails "No space left on device" context /run/one/vms/context.sh "node1:$SYS/80/disk.3" 80 102
    find "$SYS/80" -mindepth 1 >"$BATS_TEST_TMPDIR/left"
    umount "$SYS/80"
    same "$status $output$(cat "$BATS_TEST_TMPDIR/left")" "0 "
    [ ! -e "${iso%2}3" ] && [ ! -e "${iso%2}3.part" ]
    [ -z "$(find /tmp -maxdepth 1 -type f -name 'vmdock-context-*')" ]
}

# The content of a file of an ISO image, read by a program: not every kernel mounts one.
file_of() {
    rm -f "$BATS_TEST_TMPDIR/extracted"
    xorriso -osirrox on -indev "$1" -extract "$2" "$BATS_TEST_TMPDIR/extracted" >/dev/null 2>&1
    cat "$BATS_TEST_TMPDIR/extracted"
}

@test "volatile disks: made on the node, resized; swap, strange formats and disk 0 refused with a sentence" {
    local disk=$WORK/node1/one/datastores/102/80/disk.4
    tm mkimage 64 raw "node1:$SYS/80/disk.4" 80 102
    same "$(stat -c %s "$disk")" $((64 * 1024 * 1024))
    tm resize "node1:$SYS/80/disk.4" 128 80 102
    same "$(stat -c %s "$disk")" $((128 * 1024 * 1024))
    tm resize "node1:$SYS/80/disk.4" 32 80 102
    same "$(stat -c %s "$disk")" $((128 * 1024 * 1024))
    tm mkimage 64 qcow2 "node1:$SYS/80/disk.6" 80 102
    tm resize "node1:$SYS/80/disk.6" 128 80 102
    same "$(qemu-img info --output=json "${disk%4}6" | jq -r '.format, ."virtual-size"' | xargs)" "qcow2 134217728"
    tm_fails "swap space" mkswap 32 "node1:$SYS/80/disk.5" 80 102
    tm_fails "raw or qcow2" mkimage 64 vmdk "node1:$SYS/80/disk.5" 80 102
    tm_fails "down: it cannot be reached" mkimage 64 raw "down:$SYS/80/disk.5" 80 102
    tm_fails "down: it cannot be reached" resize "down:$SYS/80/disk.4" 256 80 102
    echo 62 >"$WORK/bin/lcm_state"
    tm resize "node1:$SYS/80/disk.4" 256 80 102
    same "$(stat -c %s "$disk")" $((128 * 1024 * 1024))
    tm_fails "disk-saveas" resize "node1:$SYS/80/disk.0" 128 80 104
    tm_fails "is no size in MB" mkimage '1;id' raw "node1:$SYS/80/disk.5" 80 102
    tm_fails "is no size in MB" mkimage -1 raw "node1:$SYS/80/disk.5" 80 102
}

# datastore_xml MORE: the message of monitor, in base64.
datastore_xml() {
    printf '<DS_DRIVER_ACTION_DATA><DATASTORE><BASE_PATH><![CDATA[/run/one//datastores/102]]></BASE_PATH><TEMPLATE>%s</TEMPLATE></DATASTORE></DS_DRIVER_ACTION_DATA>' "$1" | base64 -w 0
}

@test "monitor: of the front end's folder, of the nodes in BRIDGE_LIST, and nothing where each node reports" {
    tm monitor 102 < <(datastore_xml '')
    same "$(sed 's/=[0-9]*$//' "$OUT" | xargs)" "USED_MB TOTAL_MB FREE_MB"
    tm monitor 102 < <(datastore_xml '<BRIDGE_LIST>down node1</BRIDGE_LIST>')
    grep -qE '^TOTAL_MB=[1-9]' "$OUT"
    has "$(cat "$WORK/calls")" disk_space
    tm monitor 102 < <(datastore_xml '<SHARED>NO</SHARED>')
    same "$(cat "$OUT")" ""
    tm_fails "cannot be reached" monitor 102 < <(datastore_xml '<BRIDGE_LIST>down</BRIDGE_LIST>')
    tm_fails "XML cannot be read" monitor 102 < <(echo nonsense)
}

# ---- what oneadmin may ask of the node ----------------------------------------------------------

@test "the node's half ends with its ssh, and takes its lock along" {
    local one=$LAB_PREFIX/libexec/vmdock/vmdock-one
    mkfifo "$BATS_TEST_TMPDIR/archive"
    # nobody hears it any more, and its stdin has no end
    sleep 60 >"$BATS_TEST_TMPDIR/archive" 3>&- &
    local writer=$!
    runuser -u oneadmin -- sudo -n "$one" disk_load 80 <"$BATS_TEST_TMPDIR/archive" 3>&- > >(exec sleep 0.5 3>&-) 2>&1 &
    local began=$SECONDS
    within 5 test -e "$RUN/lock/one-80"
    runuser -u oneadmin -- sudo -n "$one" disk_purge 80
    [ $((SECONDS - began)) -lt 5 ]
    kill "$writer"
    nothing_left
}

@test "the node's half checks its arguments" {
    local one=$LAB_PREFIX/libexec/vmdock/vmdock-one
    refused on node1 "$one" disk_hold ../80 "$REFERENCE"
    refused on node1 "$one" disk_hold 80 /etc/passwd
    refused on node1 "$one" disk_hold 80 "$IMAGE"
    refused on node1 "$one" disk_push 80 -2 "$REFERENCE"
    refused on node1 "$one" disk_send 80 'x/y'
    refused on node1 "$one" disk_fetch 80 "$REGISTRY" '../x'
    refused on node1 "$one" disk_revert 80 x
    refused on node1 "$one" disk_purge one-80
    nothing_left
}
