#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2153 # texts that are not expanded; CONF is the helpers'
# Disks beside disk 0: files that transfer drivers have put into a datastore, at deploy, plugged and
# unplugged. attach_disk and detach_disk are called as OpenNebula calls them.

load helpers
load front_end

NIC=nic=lab0,10.9.0.80

setup_file() {
    lab_ready
    front_end_ready
    cp "$CONF" "$BATS_FILE_TMPDIR/conf"
    printf '\n[opennebula]\ndatastores = %s\n[disks]\nrelease_timeout_ms = 1000\n' \
        "$LAB_DIR/datastores" >>"$CONF"
}

teardown_file() {
    [ ! -e "$BATS_FILE_TMPDIR/conf" ] || cat "$BATS_FILE_TMPDIR/conf" >"$CONF"
}

setup() {
    front_end_files
    DS=$LAB_DIR/datastores
    rm -rf "$DS"
    install -d -o oneadmin "$DS" "$DS/1" "$DS/102" "$DS/102/80" "$DS/102/81"
    HISTORY='<HISTORY_RECORDS><HISTORY><SEQ>0</SEQ><DS_ID>102</DS_ID></HISTORY></HISTORY_RECORDS>'
    remember_state
}

teardown() {
    engine start
    vmdock purge one-80
    vmdock purge one-81
    sweep
}

# What disks leave on a host, beside everything else.
disk_state() {
    losetup --noheadings --output BACK-FILE | grep -F "$LAB_DIR" || true
    grep -o " $RUN/disk/[^ ]*" /proc/self/mountinfo || true
    pgrep -a qemu-storage || true
    find "$RUN/disk" -mindepth 1
}

no_disks() {
    same "$(disk_state)" ""
}

# blank NUMBER [MB] [VM]: an empty file, as stock transfer drivers make for a volatile disk without FS.
blank() {
    truncate -s "${2:-32}M" "$DS/102/${3:-80}/disk.$1"
    chown oneadmin "$DS/102/${3:-80}/disk.$1"
}

# filled FILE: an image whose file system holds the file "data".
filled() {
    local from
    from=$(mktemp -d -p "$BATS_TEST_TMPDIR")
    echo "of the image" >"$from/data"
    truncate -s 32M "$1"
    mkfs.ext4 -q -F -d "$from" "$1"
    chown oneadmin "$1"
}

# disk NUMBER TARGET TYPE [KEY=VALUE]…
disk() {
    local part
    printf '<DISK>%s%s%s' "$(element DISK_ID "$1")" "$(element TARGET "$2")" "$(element TYPE "$3")"
    for part in "${@:4}"; do
        element "${part%%=*}" "${part#*=}"
    done
    printf '</DISK>'
}

# with_disks VM DISKS [as vm_xml]: the XML of a VM in datastore 102.
with_disks() {
    local id=$1 disks=$2
    shift 2
    vm_xml "$id" "$NIC" template="$disks" "$@" | sed "s|</VM>|$HISTORY</VM>|"
}

up() {
    vmdock deploy - < <(with_disks 80 "$@")
}

in_vm() {
    docker exec one-80 "$@"
}

disk_data() {
    printf '<VMM_DRIVER_ACTION_DATA><HOST>node1</HOST><DEPLOY_ID>one-80</DEPLOY_ID>%s</VMM_DRIVER_ACTION_DATA>' \
        "$(with_disks 80 "$1")"
}

# attach NUMBER DISKS [PATH]
attach() {
    local data
    data=$(disk_data "$2")
    remote attach_disk one-80 "${3-${DS%/*}//datastores/102/80/disk.$1}" vdx 23 \
        "$(base64 -w 0 <<<"$data")" 80 node1 <<<"$data"
}

# detach NUMBER [PATH]
detach() {
    remote detach_disk one-80 "${2-${DS%/*}//datastores/102/80/disk.$1}" vdx 23 80 node1 \
        < <(disk_data "")
}

@test "a volatile disk gets its file system once, and keeps what is written on it" {
    blank 1
    blank 2
    local disks
    disks=$(disk 1 vdb fs FORMAT=raw; disk 2 vdc fs FORMAT=ext3)
    up "$disks"
    same "$(in_vm sh -c 'while read -r _ at type _; do case $at in /mnt/vd*) echo "$at $type" ;; esac; done </proc/mounts')" \
        $'/mnt/vdb ext4\n/mnt/vdc ext3'
    in_vm sh -c 'echo one >/mnt/vdb/note; echo two >/mnt/vdc/note'
    local uuid
    vmdock shutdown one-80
    no_disks
    uuid=$(blkid -o value -s UUID "$DS/102/80/disk.1")
    up "$disks"
    same "$(in_vm cat /mnt/vdb/note /mnt/vdc/note)" $'one\ntwo'
    vmdock cancel one-80
    same "$(blkid -o value -s UUID "$DS/102/80/disk.1")" "$uuid"
    vmdock purge one-80
    no_disks
    nothing_left
}

@test "the data of an image is there for the first instruction, at the place the template says" {
    filled "$DS/102/80/disk.1"
    up "$(disk 1 vdb FILE ONEDOCK_MOUNT=/srv/in/data)" \
        user="$(element ONEDOCK_COMMAND "sh -c 'cat /srv/in/data/data; exec sleep 1000'")"
    within 2 grep -q . <(docker logs one-80)
    same "$(docker logs one-80 | tr -d '\r')" "of the image"
    has "$(in_vm grep /srv/in/data /proc/mounts)" nosuid,nodev
    # the host itself has it mounted no longer
    same "$(grep -c "$RUN/disk/" /proc/self/mountinfo)" 0
}

@test "reboot, reset and a VM that ends by itself: the disk comes back, or is free at once" {
    blank 1
    up "$(disk 1 vdb fs)"
    local action
    for action in reboot reset; do
        in_vm sh -c "echo $action >/mnt/vdb/note"
        vmdock "$action" one-80
        same "$(in_vm cat /mnt/vdb/note)" "$action"
    done
    in_vm sh -c 'echo last >/mnt/vdb/note'
    docker kill one-80 >/dev/null
    within 2 no_disks
    debugfs -R 'cat note' "$DS/102/80/disk.1" 2>/dev/null | grep -q last
    # the engine alone cannot bring up a VM without its disk
    run -1 docker start one-80
    has "$output" "its disk is not mounted"
    vmdock reboot one-80
    same "$(in_vm cat /mnt/vdb/note)" last
}

@test "qcow2 with a backing file: what is written stays, the server goes with the VM" {
    filled "$BATS_TEST_TMPDIR/raw"
    qemu-img convert -O qcow2 "$BATS_TEST_TMPDIR/raw" "$DS/1/base"
    mkdir "$DS/102/80/disk.1.snap"
    qemu-img create -q -f qcow2 -F qcow2 -b "$DS/1/base" "$DS/102/80/disk.1.snap/0"
    ln -s "$DS/102/80/disk.1.snap/0" "$DS/102/80/disk.1"
    chown -R oneadmin "$DS"
    local base disks
    base=$(sha256sum <"$DS/1/base")
    disks=$(disk 1 vdb FILE DRIVER=qcow2 FORMAT=qcow2)
    up "$disks"
    same "$(in_vm cat /mnt/vdb/data)" "of the image"
    in_vm sh -c 'echo new >/mnt/vdb/data'
    vmdock reset one-80
    same "$(in_vm cat /mnt/vdb/data)" new
    vmdock shutdown one-80
    no_disks
    qemu-img check -q "$DS/102/80/disk.1"
    same "$(sha256sum <"$DS/1/base")" "$base"
    up "$disks"
    same "$(in_vm cat /mnt/vdb/data)" new
    docker kill one-80 >/dev/null
    vmdock gc
    no_disks
    vmdock purge one-80
    nothing_left
}

# What tm/ssh, local, shared and qcow2 of OpenNebula 7.4 leave in the VM's folder, with their links as
# they make them; datastore 1 is mounted on the node where they are shared and qcow2.
@test "the files and links of OpenNebula's own transfer drivers, persistent and not, raw and qcow2" {
    local images=$DS/1 vm=$DS/102/80 n disks='' pid
    filled "$images/raw"
    filled "$images/kept"
    qemu-img convert -O qcow2 "$images/raw" "$images/qcow"
    qemu-img convert -O qcow2 "$images/raw" "$images/keptq"
    # clone of a raw image, by any of them
    cp "$images/raw" "$vm/disk.1"
    # clone of a qcow2 image: ssh and local make a whole copy, shared and qcow2 one that stands on the image
    for n in 2 3; do
        mkdir "$vm/disk.$n.snap"
        ln -s . "$vm/disk.$n.snap/disk.$n.snap"
        ln -s "disk.$n.snap/0" "$vm/disk.$n"
    done
    qemu-img convert -O qcow2 "$images/qcow" "$vm/disk.2.snap/0"
    qemu-img create -q -o backing_fmt=qcow2 -b "${DS%/*}//datastores/1/qcow" -f qcow2 "$vm/disk.3.snap/0"
    # ln of shared and qcow2: a raw image is linked to, a qcow2 one by its folder of snapshots
    ln -s "${DS%/*}//datastores/1/kept" "$vm/disk.4"
    mkdir "$images/keptq.snap"
    ln -s . "$images/keptq.snap/keptq.snap"
    ln -s "${DS%/*}//datastores/1/keptq" "$images/keptq.snap/0"
    ln -s "${DS%/*}//datastores/1/keptq.snap/0" "$vm/disk.5"
    chown -hR oneadmin "$DS"
    for n in 1 4; do disks+=$(disk "$n" "sd$n" FILE FORMAT=raw); done
    for n in 2 3 5; do disks+=$(disk "$n" "sd$n" FILE FORMAT=qcow2); done
    up "$disks"
    for n in 1 2 3 4 5; do
        same "$(in_vm cat "/mnt/sd$n/data")" "of the image"
        in_vm sh -c "echo $n >/mnt/sd$n/data"
    done
    vmdock shutdown one-80
    no_disks
    up "$disks"
    for n in 1 2 3 4 5; do same "$(in_vm cat "/mnt/sd$n/data")" "$n"; done
    docker kill one-80 >/dev/null
    vmdock gc
    no_disks
    # what is persistent is in the datastore, and nothing else
    same "$(debugfs -R 'cat data' "$images/kept" 2>/dev/null)" 4
    qemu-img convert -O raw "$images/keptq" "$BATS_TEST_TMPDIR/keptq"
    same "$(debugfs -R 'cat data' "$BATS_TEST_TMPDIR/keptq" 2>/dev/null)" 5
    same "$(debugfs -R 'cat data' "$images/raw" 2>/dev/null)" "of the image"
    qemu-img convert -O raw "$images/qcow" "$BATS_TEST_TMPDIR/qcow"
    same "$(debugfs -R 'cat data' "$BATS_TEST_TMPDIR/qcow" 2>/dev/null)" "of the image"
    # and the same, attached
    up "$(disk 1 sd1 FILE FORMAT=raw)"
    attach 4 "$(disk 1 sd1 FILE FORMAT=raw; disk 4 sd4 FILE FORMAT=raw)" || fail "$(cat "$ERR")"
    same "$(in_vm cat /mnt/sd4/data)" 4
    detach 4
    attach 5 "$(disk 1 sd1 FILE FORMAT=raw; disk 5 sd5 FILE FORMAT=qcow2)" || fail "$(cat "$ERR")"
    same "$(in_vm cat /mnt/sd5/data)" 5
    detach 5
    # the next disk of that number is not copied through a link that these drivers leave
    [ ! -L "$vm/disk.4" ]
    [ ! -L "$vm/disk.5" ]
    cp "$images/raw" "$vm/disk.4"
    same "$(debugfs -R 'cat data' "$images/kept" 2>/dev/null)" 4
    # a link into the VM's own folder is part of its disk
    attach 2 "$(disk 1 sd1 FILE FORMAT=raw; disk 2 sd2 FILE FORMAT=qcow2)" || fail "$(cat "$ERR")"
    detach 2
    [ -L "$vm/disk.2" ]
    vmdock purge one-80
    no_disks
    nothing_left
}

vmdock_one() {
    find "$LAB_PREFIX" -name vmdock-one -type f -executable
}

@test "the probe that tells the end of a VM leaves its qcow2 file to the transfer driver" {
    qemu-img create -q -f qcow2 "$DS/102/80/disk.1" 32M
    chown oneadmin "$DS/102/80/disk.1"
    up "$(disk 1 vdb fs FORMAT=qcow2)"
    in_vm sh -c 'echo last >/mnt/vdb/note'
    docker kill one-80 >/dev/null
    has "$("$(vmdock_one)" monitor vm/status onedock 0 node1 </dev/null)" 'STATE="POWEROFF"'
    no_disks
    qemu-img resize -q "$DS/102/80/disk.1" 40M
    up "$(disk 1 vdb fs FORMAT=qcow2)"
    same "$(in_vm cat /mnt/vdb/note)" last
}

@test "a start that fails leaves no server of a disk: of a VM that ran, and of one that was stopped" {
    qemu-img create -q -f qcow2 "$DS/102/80/disk.1" 32M
    chown oneadmin "$DS/102/80/disk.1"
    blank 2
    up "$(disk 1 vdb fs FORMAT=qcow2; disk 2 vdc fs)"
    truncate -s 0 "$DS/102/80/disk.2"
    fails_with IO "disk 2 (vdc): " vmdock reset one-80
    no_disks
    vmdock purge one-80
    up "$(disk 1 vdb fs FORMAT=qcow2)"
    vmdock shutdown one-80
    image vmdock/one-80:snap.0 'ENTRYPOINT ["/none"]'
    refused remote snapshot_revert one-80 snap.0 80 node1 < <(disk_data "")
    no_disks
    same "$(container_state 80)" exited
}

@test "gc clears what an attach that was killed has left on the host, and lets the VM's disks be" {
    local before
    qemu-img create -q -f qcow2 "$DS/102/80/disk.1" 32M
    chown oneadmin "$DS/102/80/disk.1"
    filled "$DS/102/80/disk.8"
    up "$(disk 1 vdb fs FORMAT=qcow2)"
    before=$(disk_state)
    mkdir "$RUN/disk/one-80/8"
    mount -o loop "$DS/102/80/disk.8" "$RUN/disk/one-80/8"
    has "$(vmdock gc --dry-run)" "what is left of it on the host would go"
    mountpoint -q "$RUN/disk/one-80/8"
    has "$(vmdock gc)" "what is left of it on the host is gone"
    within 2 same_disks "$before"
    in_vm sh -c 'echo x >/mnt/vdb/x && sync'
    same "$(vmdock gc)" ""
}

same_disks() {
    same "$(disk_state)" "$1"
}

@test "attach and detach while it runs; what is attached comes back after reset and power-off" {
    filled "$DS/102/80/disk.7"
    up ""
    attach 7 "$(disk 7 vdx FILE ATTACH=YES)" || fail "$(cat "$ERR")"
    same "$(cat "$OUT")" ""
    same "$(in_vm cat /mnt/vdx/data)" "of the image"
    has "$(in_vm grep /mnt/vdx /proc/mounts)" nosuid,nodev
    attach 7 "$(disk 7 vdx FILE ATTACH=YES)"
    same "$(in_vm grep -c /mnt/vdx /proc/mounts)" 1
    in_vm sh -c 'echo changed >/mnt/vdx/data'
    vmdock reset one-80
    same "$(in_vm cat /mnt/vdx/data)" changed
    vmdock shutdown one-80
    up "$(disk 7 vdx FILE)"
    same "$(in_vm cat /mnt/vdx/data)" changed
    detach 7 || fail "$(cat "$ERR")"
    no_disks
    same "$(in_vm ls /mnt/vdx)" ""
    same "$(debugfs -R 'cat data' "$DS/102/80/disk.7" 2>/dev/null)" changed
    detach 7
    vmdock reboot one-80
    refused in_vm grep -q /mnt/vdx /proc/mounts
    vmdock purge one-80
    nothing_left
}

@test "a revert of disk 0 brings the other disks along as they are, and a failed one leaves them" {
    local disks
    blank 1
    qemu-img create -q -f qcow2 "$DS/102/80/disk.2" 32M
    chown oneadmin "$DS/102/80/disk.2"
    disks=$(disk 1 vdb fs; disk 2 vdc fs FORMAT=qcow2)
    up "$disks"
    in_vm sh -c 'for at in /root /mnt/vdb /mnt/vdc; do echo first >$at/note; done'
    remote snapshot_create one-80 0 80 node1 < <(disk_data "$disks")
    in_vm sh -c 'for at in /root /mnt/vdb /mnt/vdc; do echo second >$at/note; done'
    remote snapshot_revert one-80 snap.0 80 node1 < <(disk_data "$disks")
    same "$(in_vm cat /root/note /mnt/vdb/note /mnt/vdc/note)" $'first\nsecond\nsecond'
    in_vm sh -c 'echo third >/root/note'
    mv "$DS/102/80/disk.2" "$DS/102/80/elsewhere"
    refused_with "disk 2 (vdc): cannot open" remote snapshot_revert one-80 snap.0 80 node1 < <(disk_data "$disks")
    mv "$DS/102/80/elsewhere" "$DS/102/80/disk.2"
    same "$(in_vm cat /root/note /mnt/vdb/note /mnt/vdc/note)" $'third\nsecond\nsecond'
    vmdock purge one-80
    no_disks
    nothing_left
}

# space TARGET: how many MB the file system of a disk holds, in the VM.
space() {
    in_vm stat -f -c '%b %S' "/mnt/$1" | awk '{ print int($1 * $2 / 1048576) }'
}

# resize NUMBER MB: as after a transfer driver that leaves the file of a running VM alone.
resize() {
    local data
    data=$(disk_data "")
    remote resize_disk one-80 "$1" "$2" "$(base64 -w 0 <<<"$data")" node1 80 node1 <<<"$data"
}

# As root of this machine, in the mounts of the VM.
in_guest() {
    nsenter --target "$(docker inspect --format '{{.State.Pid}}' one-80)" --mount "$@"
}

# Whether this machine's root may make a mounted ext file system larger.
may_grow_ext() {
    [ $((0x$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status) >> 24 & 1)) = 1 ]
}

@test "a disk that became larger while the VM was off has its space at the next start" {
    local disks at
    blank 1
    blank 2 320
    qemu-img create -q -f qcow2 "$DS/102/80/disk.3" 32M
    chown oneadmin "$DS/102/80/disk.3"
    disks=$(disk 1 vdb fs FS=ext4; disk 2 vdc fs FS=xfs; disk 3 vdd fs FORMAT=qcow2 FS=ext2)
    up "$disks"
    for at in vdb vdc vdd; do in_vm sh -c "echo kept >/mnt/$at/note"; done
    [ "$(space vdb)" -lt 32 ] && [ "$(space vdc)" -lt 320 ] && [ "$(space vdd)" -lt 32 ]
    vmdock shutdown one-80
    truncate -s 96M "$DS/102/80/disk.1"
    truncate -s 640M "$DS/102/80/disk.2"
    qemu-img resize -q "$DS/102/80/disk.3" 96M
    up "$disks" 2>"$ERR"
    same "$(cat "$ERR")" ""
    [ "$(space vdb)" -gt 80 ] && [ "$(space vdc)" -gt 500 ] && [ "$(space vdd)" -gt 80 ]
    same "$(in_vm cat /mnt/vdb/note /mnt/vdc/note /mnt/vdd/note)" $'kept\nkept\nkept'
    vmdock shutdown one-80
    no_disks
    e2fsck -fn "$DS/102/80/disk.1" >/dev/null 2>&1
    xfs_repair -n "$DS/102/80/disk.2" >/dev/null 2>&1
    qemu-img check -q "$DS/102/80/disk.3"
    vmdock purge one-80
    nothing_left
}

@test "what lies behind a file system is not written over, nor is a read-only disk" {
    local file=$DS/102/80/disk.1 before
    filled "$file"
    truncate -s 96M "$file"
    printf 'somebody keeps this here' | dd of="$file" bs=1M seek=32 conv=notrunc status=none
    up "$(disk 1 vdb FILE)" 2>"$ERR"
    has "$(cat "$ERR")" "behind its file system it holds data"
    [ "$(space vdb)" -lt 32 ]
    vmdock purge one-80
    same "$(tail -c +33554433 "$file" | head -c 24)" 'somebody keeps this here'
    filled "$file"
    truncate -s 96M "$file"
    before=$(sha256sum <"$file")
    up "$(disk 1 vdb FILE READONLY=YES)"
    refused_with "it is read-only" resize 1 128
    vmdock purge one-80
    same "$(sha256sum <"$file")" "$before"
}

@test "a disk is made larger under the VM: raw and qcow2" {
    local disks at pid
    blank 1 320
    qemu-img create -q -f qcow2 "$DS/102/80/disk.2" 320M
    chown oneadmin "$DS/102/80/disk.2"
    disks=$(disk 1 vdb fs FS=xfs; disk 2 vdc fs FORMAT=qcow2 FS=xfs ONEDOCK_MOUNT=/srv/deep/disk)
    up "$disks"
    in_vm sh -c 'ln -s /srv/deep/disk /mnt/vdc; echo kept >/mnt/vdb/note; echo kept >/mnt/vdc/note'
    pid=$(docker inspect --format '{{.State.Pid}}' one-80)
    for at in "1 vdb" "2 vdc"; do
        resize "${at% *}" 640 || fail "$(cat "$ERR")"
        same "$(cat "$OUT" "$ERR")" ""
        [ "$(space "${at#* }")" -gt 500 ] || fail "$(space "${at#* }")"
        in_vm dd if=/dev/zero "of=/mnt/${at#* }/big" bs=1M count=400 2>/dev/null
        in_vm rm "/mnt/${at#* }/big"
        # again is fine, smaller is not
        resize "${at% *}" 640
        refused_with "it has 640 MB, and a disk is made larger only" resize "${at% *}" 320
    done
    same "$(docker inspect --format '{{.State.Pid}}' one-80)" "$pid"
    vmdock reset one-80
    same "$(in_vm cat /mnt/vdb/note /srv/deep/disk/note)" $'kept\nkept'
    [ "$(space vdb)" -gt 500 ] && [ "$(space vdc)" -gt 500 ]
    vmdock shutdown one-80
    no_disks
    xfs_repair -n "$DS/102/80/disk.1" >/dev/null 2>&1
    qemu-img check -q "$DS/102/80/disk.2"
    same "$(qemu-img info --output=json "$DS/102/80/disk.2" | jq '."virtual-size"')" $((640 << 20))
}

@test "ext file systems under the VM: larger, or refused with nothing changed where the kernel lets root not" {
    local fs
    for fs in ext2 ext3 ext4; do
        blank 1
        up "$(disk 1 vdb fs "FS=$fs")"
        if may_grow_ext; then
            resize 1 96 || fail "$(cat "$ERR")"
            [ "$(space vdb)" -gt 80 ]
        else
            refused_with "Operation not permitted; power the VM off, resize the disk and resume the VM" resize 1 96
            same "$(stat -c %s "$DS/102/80/disk.1")" $((32 << 20))
        fi
        vmdock purge one-80
        e2fsck -fn "$DS/102/80/disk.1" >/dev/null 2>&1
        rm "$DS/102/80/disk.1"
    done
    nothing_left
    may_grow_ext || skip "kernel lacks a way for this root to grow a mounted ext file system: only the refusal is tested"
}

@test "resize_disk of what the VM does not have, or cannot have" {
    blank 1
    up "$(disk 1 vdb fs)"
    refused_with "it has no disk 2" resize 2 64
    refused_with "disk-saveas" resize 0 64
    in_guest mount -t tmpfs none /mnt/vdb
    refused_with "something covers it" resize 1 64
    in_guest umount /mnt/vdb
    in_guest umount /mnt/vdb
    refused_with "the VM does not have it mounted" resize 1 64
    vmdock shutdown one-80
    refused_with "it does not run" resize 1 64
    same "$(stat -c %s "$DS/102/80/disk.1")" $((32 << 20))
}

@test "a qcow2 disk is attached and detached, and its file can be removed then" {
    qemu-img create -q -f qcow2 "$DS/102/80/disk.3" 32M
    chown oneadmin "$DS/102/80/disk.3"
    up ""
    attach 3 "$(disk 3 vdd fs FORMAT=qcow2 FS=ext4 ONEDOCK_MOUNT=/var/lib/deep/er)" || fail "$(cat "$ERR")"
    in_vm sh -c 'echo x >/var/lib/deep/er/x'
    detach 3
    no_disks
    qemu-img check -q "$DS/102/80/disk.3"
}

@test "what cannot be saved is not done: the disk stays, or does not come" {
    filled "$DS/102/80/disk.7"
    filled "$DS/102/80/disk.8"
    up "$(disk 7 vdx FILE)"
    mount --bind "$STATE/one-80" "$STATE/one-80"
    mount -o remount,bind,ro "$STATE/one-80"
    run refused_with "cannot write" detach 7
    [ "$status" -eq 0 ] || { umount "$STATE/one-80"; fail "$output"; }
    run refused_with "cannot write" attach 8 "$(disk 8 vdy FILE)"
    umount "$STATE/one-80"
    [ "$status" -eq 0 ] || fail "$output"
    same "$(in_vm cat /mnt/vdx/data)" "of the image"
    refused in_vm grep -q /mnt/vdy /proc/mounts
    detach 7
    no_disks
}

@test "attach_disk and detach_disk while the engine is down: one sentence, and the VM's description stays" {
    local before
    blank 7
    blank 8
    up "$(disk 7 vdx fs)"
    before=$(cat "$STATE/one-80/spec.json")
    engine stop
    run refused_with "container engine" attach 8 "$(disk 8 vdy fs)"
    same "$status $output" "0 "
    run refused_with "container engine" detach 7
    same "$status $output" "0 "
    engine start
    same "$(cat "$STATE/one-80/spec.json")" "$before"
    same "$(blkid -p "$DS/102/80/disk.8")" ""
    no_disks
}

@test "a disk in use is not detached, and the message says by whom" {
    blank 7
    up "$(disk 7 vdx fs)"
    docker exec --detach one-80 sh -c 'exec 3>/mnt/vdx/open; echo $$ >/tmp/holder; exec sleep 1000'
    within 2 in_vm test -s /tmp/holder
    refused_with "busy: it is in use by sleep (process " detach 7
    in_vm grep -q /mnt/vdx /proc/mounts
    in_vm sh -c 'kill "$(cat /tmp/holder)"'
    within 2 detach 7
    no_disks
}

@test "deploy of a VM that runs brings its disks to the new description" {
    blank 1
    blank 2
    up "$(disk 1 vdb fs)"
    in_vm sh -c 'echo kept >/mnt/vdb/note'
    local pid
    pid=$(docker inspect --format '{{.State.Pid}}' one-80)
    up "$(disk 2 vdc fs)"
    refused in_vm grep -q /mnt/vdb /proc/mounts
    in_vm grep -q /mnt/vdc /proc/mounts
    fails_with IO "disk 3" up "$(disk 1 vdb fs; disk 3 vdd fs)"
    # taken back
    refused in_vm grep -q /mnt/vdb /proc/mounts
    in_vm grep -q /mnt/vdc /proc/mounts
    up "$(disk 1 vdb fs)"
    same "$(in_vm cat /mnt/vdb/note)" kept
    same "$(docker inspect --format '{{.State.Pid}}' one-80)" "$pid"
}

@test "explain tells of the disks" {
    local plan
    plan=$(with_disks 80 "$(disk 1 vdb fs FS=xfs)" | vmdock explain --json -)
    same "$(jq -c '.disks[0]' <<<"$plan")" \
        "{\"disk\":1,\"file\":\"$DS/102/80/disk.1\",\"mount_point\":\"/mnt/vdb\",\"read_only\":false,\"make_fs\":\"xfs\"}"
    has "$(with_disks 80 "$(disk 1 vdb FILE READONLY=YES)" | vmdock explain -)" \
        "$DS/102/80/disk.1 on /mnt/vdb, read-only"
}

@test "a read-only disk cannot be written, and is not" {
    filled "$DS/102/80/disk.1"
    filled "$DS/102/80/disk.2"
    local before
    before=$(sha256sum "$DS/102/80"/*)
    up "$(disk 1 vdb FILE READONLY=YES)"
    attach 2 "$(disk 2 vdc FILE READONLY=YES)"
    local at
    for at in /mnt/vdb /mnt/vdc; do
        same "$(in_vm cat $at/data)" "of the image"
        run -1 in_vm sh -c "echo x >$at/data"
        has "$output" "Read-only"
    done
    vmdock cancel one-80
    same "$(sha256sum "$DS/102/80"/*)" "$before"
}

@test "limits of a disk stand in the VM's cgroup, and go with the disk" {
    blank 1
    blank 2
    up "$(disk 1 vdb fs READ_BYTES_SEC=3145728 WRITE_IOPS_SEC=50)"
    limit_is 1 read_bps rbps 3145728
    limit_is 1 write_iops wiops 50
    attach 2 "$(disk 1 vdb fs; disk 2 vdc fs TOTAL_BYTES_SEC=1048576)" || fail "$(cat "$ERR")"
    has "$(cat "$ERR")" "not for their sum"
    limit_is 2 read_bps rbps 1048576
    limit_is 2 write_bps wbps 1048576
    vmdock reset one-80
    limit_is 1 read_bps rbps 3145728
    limit_is 2 write_bps wbps 1048576
    local device
    device=$(device_of 2)
    detach 2
    has_not "$(limits read_bps)" "$device "
}

@test "deploy of a VM that runs brings limits that alone have changed, and takes them back when it fails" {
    blank 1
    up "$(disk 1 vdb fs READ_BYTES_SEC=3145728)"
    local pid
    pid=$(docker inspect --format '{{.State.Pid}}' one-80)
    up "$(disk 1 vdb fs READ_BYTES_SEC=2097152 WRITE_IOPS_SEC=50)"
    limit_is 1 read_bps rbps 2097152
    limit_is 1 write_iops wiops 50
    fails_with IO "disk 3" up "$(disk 1 vdb fs READ_BYTES_SEC=1048576; disk 3 vdd fs)"
    limit_is 1 read_bps rbps 2097152
    limit_is 1 write_iops wiops 50
    up "$(disk 1 vdb fs)"
    has_not "$(limits read_bps)" "$(device_of 1) "
    same "$(docker inspect --format '{{.State.Pid}}' one-80)" "$pid"
}

@test "limits of disk 0 hold on the host's disk that its writable layer is on" {
    local pid
    limited "" WRITE_BYTES_SEC 8388608 READ_IOPS_SEC 700
    root_limit_is write_bps wbps 8388608
    root_limit_is read_iops riops 700
    vmdock reset one-80
    root_limit_is write_bps wbps 8388608
    pid=$(docker inspect --format '{{.State.Pid}}' one-80)
    limited "" WRITE_BYTES_SEC 4194304
    root_limit_is write_bps wbps 4194304
    fails_with IO "disk 3" limited "$(disk 3 vdd fs)" WRITE_BYTES_SEC 1048576
    root_limit_is write_bps wbps 4194304
    limited ""
    has_not "$(limits write_bps)" "$(root_device) "
    same "$(docker inspect --format '{{.State.Pid}}' one-80)" "$pid"
}

# limited DISKS [KEY VALUE]…: up, with more said of disk 0.
limited() {
    local disks=$1 more=''
    shift
    while [ $# -gt 0 ]; do
        more+=$(element "$1" "$2")
        shift 2
    done
    vmdock deploy - < <(with_disks 80 "$disks" | sed "s|<DISK>|&$more|")
}

# The whole disk under the writable layer of the VM.
root_device() {
    local layer number
    layer=$(docker inspect --format '{{.GraphDriver.Data.UpperDir}}' one-80)
    number=$(findmnt --noheadings --output MAJ:MIN --target "$layer" | tr -d ' ')
    [ ! -e "/sys/dev/block/$number/partition" ] || number=$(cat "/sys/dev/block/$number/../dev")
    printf '%s\n' "$number"
}

# root_limit_is FILE_OF_V1 KEY_OF_V2 VALUE
root_limit_is() {
    if cgroup_v2; then
        limits "$1" | grep "^$(root_device) " | grep -qw "$2=$3"
    else
        limits "$1" | grep -qx "$(root_device) $3"
    fi || fail "no $1 of $3: $(limits "$1")"
}

@test "a disk is read no faster than its limit" {
    filled "$DS/102/80/disk.1"
    head -c 6M /dev/urandom >"$BATS_TEST_TMPDIR/big"
    debugfs -w -R "write $BATS_TEST_TMPDIR/big big" "$DS/102/80/disk.1" 2>/dev/null
    cp "$DS/102/80/disk.1" "$DS/102/80/disk.2"
    chown oneadmin "$DS/102/80"/*
    up "$(disk 1 vdb FILE READ_BYTES_SEC=2097152; disk 2 vdc FILE)"
    local began free held
    began=${EPOCHREALTIME/./}
    in_vm cat /mnt/vdc/big | cmp - "$BATS_TEST_TMPDIR/big"
    free=$((${EPOCHREALTIME/./} - began)) began=${EPOCHREALTIME/./}
    in_vm cat /mnt/vdb/big | cmp - "$BATS_TEST_TMPDIR/big"
    held=$((${EPOCHREALTIME/./} - began))
    # three seconds' worth, of which the kernel lets a part go at once
    [ "$held" -gt 1800000 ] || fail "6 MB at 2 MB/s took $held us"
    [ "$free" -lt "$held" ] || fail "without a limit it took $free us"
}

device_of() {
    losetup --noheadings --output MAJ:MIN --associated "$DS/102/80/disk.$1" | tr -d ' '
}

limits() {
    if cgroup_v2; then
        cgroup_value 80 io io.max
    else
        cgroup_value 80 blkio "blkio.throttle.${1}_device"
    fi
}

# limit_is DISK NAME-IN-V1 NAME-IN-V2 VALUE
limit_is() {
    if cgroup_v2; then
        limits "$2" | grep "^$(device_of "$1") " | grep -qw "$3=$4"
    else
        limits "$2" | grep -qx "$(device_of "$1") $4"
    fi || fail "no $2 of $4: $(limits "$2")"
}

@test "swap: refused before the VM starts, and when it is attached" {
    blank 5
    refused up "$(disk 5 vde swap)" 2>"$ERR"
    has "$(cat "$ERR")" "disk 5 is swap space, which a container cannot have of its own"
    same "$(docker ps --all --quiet)" ""
    up ""
    refused_with "has no swap device of its own" attach 5 "$(disk 5 vde swap)"
    no_disks
}

@test "a CD is mounted read-only, or left out with a warning where the kernel cannot" {
    mkdir "$BATS_TEST_TMPDIR/cd"
    echo "of the CD" >"$BATS_TEST_TMPDIR/cd/note"
    xorriso -as mkisofs -quiet -o "$DS/102/80/disk.3" "$BATS_TEST_TMPDIR/cd" 2>/dev/null
    up "$(disk 3 sdc CDROM)" 2>"$ERR"
    same "$(container_state 80)" running
    if grep -qw iso9660 /proc/filesystems; then
        same "$(in_vm cat /mnt/sdc/note)" "of the CD"
        refused in_vm touch /mnt/sdc/more
    else
        has "$(cat "$ERR")" "CD 3 (sdc) is not given to it: the kernel of this host cannot mount iso9660"
        no_disks
        skip "kernel lacks iso9660: the CD is refused, as it must be, and its content not looked at"
    fi
}

@test "what holds data is never formatted" {
    local file=$DS/102/80/disk.1 before
    blank 1
    printf 'neither file system nor nothing' | dd of="$file" bs=1 seek=4096 conv=notrunc status=none
    before=$(sha256sum <"$file")
    fails_with STATE "disk 1 (vdb): it holds data, though no file system" up "$(disk 1 vdb fs FS=ext4)"
    same "$(sha256sum <"$file")" "$before"
    # a partition table: one partition of Linux from the 2048th sector on
    rm "$file"
    blank 1
    printf '\200\0\0\0\203\0\0\0\0\10\0\0\0\100\0\0' | dd of="$file" bs=1 seek=446 conv=notrunc status=none
    printf '\125\252' | dd of="$file" bs=1 seek=510 conv=notrunc status=none
    before=$(sha256sum <"$file")
    fails_with UNSUPPORTED "partition table" up "$(disk 1 vdb fs FS=ext4)"
    same "$(sha256sum <"$file")" "$before"
    # an image is formatted only when that is asked for
    rm "$file"
    blank 1
    fails_with STATE "it holds no file system; ONEDOCK_FS" up "$(disk 1 vdb FILE FS=ext4)"
    same "$(blkid -p "$file")" ""
    up "$(disk 1 vdb FILE ONEDOCK_FS=ext4)"
    vmdock purge one-80
    same "$(blkid -o value -s TYPE "$file")" ext4
    nothing_left
}

@test "a file system that cannot be made leaves the disk blank, and nothing else" {
    blank 1 8
    fails_with IO mkfs.xfs up "$(disk 1 vdb fs FS=xfs)"
    cmp -n 8388608 "$DS/102/80/disk.1" /dev/zero
    no_disks
    nothing_left
}

@test "a signal while a file system is made: the disk is blank, its device free" {
    local slow=$BATS_TEST_TMPDIR/mkfs status=0
    blank 1 8
    printf '#!/bin/sh\nfor device; do :; done\necho half made >$device\n: >%s/begun\nexec sleep 1000\n' \
        "$BATS_TEST_TMPDIR" >"$slow.ext4"
    chmod +x "$slow.ext4"
    with_disks 80 "$(disk 1 vdb fs)" >"$BATS_TEST_TMPDIR/vm.xml"
    vmdock --config "$(config_with "[disks]" "mkfs = $slow")" deploy "$BATS_TEST_TMPDIR/vm.xml" 2>"$ERR" &
    within 10 test -e "$BATS_TEST_TMPDIR/begun"
    kill -TERM $!
    wait $! || status=$?
    same "$status" 143
    cmp -n 8388608 "$DS/102/80/disk.1" /dev/zero
    no_disks
    nothing_left
}

@test "a program that says no more and does not end is not waited for without an end" {
    local slow=$BATS_TEST_TMPDIR/mkfs conf
    blank 1 8
    printf '#!/bin/sh\nexec 2>&-\nexec sleep 1000\n' >"$slow.ext4"
    chmod +x "$slow.ext4"
    with_disks 80 "$(disk 1 vdb fs)" >"$BATS_TEST_TMPDIR/vm.xml"
    conf=$(config_with "[disks]" "mkfs = $slow" "program_timeout_ms = 1000")
    fails_with IO "it did not end in time" timeout 15 vmdock --config "$conf" deploy "$BATS_TEST_TMPDIR/vm.xml"
    no_disks
    nothing_left
}

@test "a deploy whose second disk is missing leaves nothing of the first" {
    blank 1
    fails_with IO "disk 2 (vdc): cannot open $DS/102/80/disk.2: No such file" \
        up "$(disk 1 vdb fs; disk 2 vdc fs)"
    no_disks
    blank 2
    printf 'x' >"$DS/102/80/disk.2"
    fails_with STATE "disk 2 (vdc)" up "$(disk 1 vdb fs; disk 2 vdc FILE)"
    no_disks
    nothing_left
}

@test "files outside the datastores, links to them, and what is no plain file are refused" {
    local disks outside=$BATS_TEST_TMPDIR/outside path
    filled "$outside"
    disks=$(disk 7 vdx FILE)
    up ""
    for path in "$outside" "$DS/../outside" "$DS/102/80/../80/disk.7" 102/80/disk.7 "$DS/102/81/disk.7" \
        "$DS/102/80/disk.7/more" "$DS" ''; do
        refused_with '"' attach 7 "$disks" "$path" || fail "$path"
    done
    refused_with "is no path of a disk" detach 7 "$outside"
    refused_with "is no disk of VM one-80" detach 7 "$DS/102/81/disk.7"
    filled "$DS/1/disk.7"
    refused_with "is to be at 102/80/disk.7" attach 7 "$disks" "$DS/1/80/disk.7"
    ln -s "$outside" "$DS/102/80/disk.7"
    refused_with "leads out of" attach 7 "$disks"
    rm "$DS/102/80/disk.7"
    ln -s ../../../../../../../../../etc/passwd "$DS/102/80/disk.7"
    refused_with "leads out of" attach 7 "$disks"
    rm "$DS/102/80/disk.7"
    ln -s disk.7 "$DS/102/80/disk.7"
    refused_with "cannot open" attach 7 "$disks"
    rm "$DS/102/80/disk.7"
    mkfifo "$DS/102/80/disk.7"
    refused_with "is no regular file" attach 7 "$disks"
    rm "$DS/102/80/disk.7"
    filled "$DS/102/80/disk.7"
    chmod o+w "$DS/102/80/disk.7"
    refused_with "can be written by everybody" attach 7 "$disks"
    chmod o-w "$DS/102/80/disk.7"
    chown nobody "$DS/102/80/disk.7"
    refused_with "neither to root nor to oneadmin" attach 7 "$disks"
    no_disks
    # one that leads to a datastore's own image is what stock drivers make
    rm "$DS/102/80/disk.7"
    ln -s "$DS/1/disk.7" "$DS/102/80/disk.7"
    attach 7 "$disks" || fail "$(cat "$ERR")"
    same "$(in_vm cat /mnt/vdx/data)" "of the image"
}

@test "a qcow2 that names files outside the datastores is refused" {
    local file=$DS/102/80/disk.1
    filled "$BATS_TEST_TMPDIR/secret"
    qemu-img create -q -f qcow2 -F raw -b "$BATS_TEST_TMPDIR/secret" "$file"
    chown oneadmin "$file"
    fails_with SPEC "is no file below" up "$(disk 1 vdb FILE DRIVER=qcow2)"
    qemu-img create -q -f qcow2 -u -F raw -b ../../../secret "$file" 32M
    fails_with SPEC "leads out of" up "$(disk 1 vdb FILE DRIVER=qcow2)"
    qemu-img create -q -f qcow2 -u -F raw -b 'json:{"driver":"null-co"}' "$file" 32M
    fails_with SPEC "is no file below" up "$(disk 1 vdb FILE DRIVER=qcow2)"
    rm "$file"
    blank 1
    fails_with SPEC "it is no qcow2 file" up "$(disk 1 vdb FILE DRIVER=qcow2)"
    no_disks
    nothing_left
}

@test "links in the image cannot lead a mount out of the container" {
    image lab/links:1 'RUN ln -s / /root/up && ln -s ../../../../../../../tmp /root/tmp'
    blank 7
    up "" image=docker://lab/links:1
    attach 7 "$(disk 7 vdx fs ONEDOCK_MOUNT=/root/tmp/here/disk)" || fail "$(cat "$ERR")"
    in_vm grep -q ' /tmp/here/disk ' /proc/mounts
    [ ! -e /tmp/here ]
    detach 7
    refused_with "is no plain absolute path" attach 7 "$(disk 7 vdx fs ONEDOCK_MOUNT=/a/../b)"
    refused_with "nothing can be mounted on /proc/1" attach 7 "$(disk 7 vdx fs ONEDOCK_MOUNT=/proc/1)"
    no_disks
    docker rmi --force lab/links:1 >/dev/null
}

@test "one file is never mounted twice" {
    filled "$DS/1/shared"
    ln -s "$DS/1/shared" "$DS/102/80/disk.1"
    ln -s "$DS/1/shared" "$DS/102/81/disk.1"
    up "$(disk 1 vdb FILE)"
    fails_with STATE "is in use" vmdock deploy - < <(with_disks 81 "$(disk 1 vdb FILE)" | sed 's/10\.9\.0\.80/10.9.0.81/; s/:50/:51/')
    same "$(in_vm cat /mnt/vdb/data)" "of the image"
    vmdock purge one-80
    nothing_left
}

@test "one read-only file for several VMs: each gets it once, and gives it back for itself alone" {
    local disk vm
    filled "$DS/1/shared"
    disk=$(disk 1 vdb FILE READONLY=YES)
    for vm in 80 81; do
        ln -s "$DS/1/shared" "$DS/102/$vm/disk.1"
        with_disks "$vm" "$disk" | sed "s/10\.9\.0\.80/10.9.0.$vm/; s/:50/:$vm/" | vmdock deploy -
    done
    attach 1 "$disk"
    same "$(in_vm grep -c /mnt/vdb /proc/mounts)" 1
    for vm in 80 81; do
        same "$(docker exec "one-$vm" cat /mnt/vdb/data)" "of the image"
        remote detach_disk "one-$vm" "$DS/102/$vm/disk.1" vdb 1 "$vm" node1 < <(disk_data "")
        refused docker exec "one-$vm" grep -q /mnt/vdb /proc/mounts
    done
    no_disks
}
