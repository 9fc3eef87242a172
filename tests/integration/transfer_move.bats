#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016 # texts that are not expanded
# Disk 0 on its way: into a datastore, between two nodes, to the front end and back. Each node has an engine,
# a state and a datastore folder of its own.
#
# Contract: OpenNebula 7.4; argv and their order as recorded.

load helpers
load transfer

setup_file() {
    transfer_ready two
}

# ---- persistent images, save as -----------------------------------------------------------------

@test "persistent: what the VM wrote is in the registry under the same tag, and the next VM has it" {
    local source=docker://$REGISTRY/vmdock/pers:latest
    ship "$IMAGE" "$REGISTRY/vmdock/pers:latest"
    tm ln "$source" "node1:$SYS/80/disk.0" 80 104
    same "$(docker images -q "$REGISTRY/vmdock/pers")" ""
    start_on node1 80 "image=$source" "$NIC" "user=$(element ONEDOCK_ENV 'SECRET=hidden')"
    docker exec one-80 sh -c 'echo kept >/root/note'
    vmdock shutdown one-80
    tm mvds "node1:$SYS/80/disk.0" "$source" 80 104
    tm delete "node1:$SYS/80" 80 102
    nothing_on node1 80
    tm ln "$source" "node2:$SYS/81/disk.0" 81 104
    start_on node2 81 "image=$source"
    same "$(on node2 docker exec one-81 cat /root/note)" kept
    # what the cloud told the first VM is no business of whoever has the image
    has_not "$(on node2 docker image inspect vmdock/one-81:disk.0)" hidden
    same "$(on node2 docker image inspect --format '{{.Config.Cmd}}' vmdock/one-81:disk.0)" '[first]'
}

# The manifests that the registry has of a repository, tagged or not.
revisions_of() {
    find "$LAB_DIR/registry/docker/registry/v2/repositories/$1/_manifests/revisions" -name link | wc -l
}

@test "persistent, in a datastore's own repository: what the image was before goes from the registry" {
    local repository=vmdock/5-0123456789ab note tag
    local source=docker://$REGISTRY/$repository:latest
    echo "$REGISTRY" >"$WORK/bin/registry"
    ship "$IMAGE" "$REGISTRY/$repository:latest"
    for note in one two; do
        tm ln "$source" "node1:$SYS/80/disk.0" 80 104
        start_on node1 80 "image=$source"
        docker exec one-80 sh -c "echo $note >>/root/note"
        vmdock shutdown one-80
        tm mvds "node1:$SYS/80/disk.0" "$source" 80 104
        same "$(grep -c stays "$ERR")" 0
        same "$(revisions_of "$repository")" 1
        tm delete "node1:$SYS/80" 80 102
        # what a snapshot may be stays
        tag=snap-0
        [ "$note" = one ] || skopeo copy --quiet --src-tls-verify=false --dest-tls-verify=false "$source" "${source%:*}:$tag"
    done
    tm ln "$source" "node1:$SYS/80/disk.0" 80 104
    start_on node1 80 "image=$source"
    same "$(docker exec one-80 cat /root/note | xargs)" "one two"
    docker exec one-80 sh -c "echo three >>/root/note"
    vmdock shutdown one-80
    tm mvds "node1:$SYS/80/disk.0" "$source" 80 104
    same "$(revisions_of "$repository")" 2
    curl -sf -o /dev/null "http://$REGISTRY/v2/$repository/manifests/snap-0"
}

@test "persistent, but fixed to a digest: refused before anything is lost" {
    tm_fails "fixed to a digest" ln "docker://$REGISTRY/lab/vm@$(digest_of lab/vm:1)" "node1:$SYS/80/disk.0" 80 104
    tm_fails "no credentials for docker.io" ln docker://ubuntu:latest "node1:$SYS/80/disk.0" 80 104
    tm_fails "fixed to a digest" mvds "node1:$SYS/80/disk.0" "docker://$REGISTRY/lab/vm@$(digest_of lab/vm:1)" 80 104
    nothing_left
}

@test "mvds to a registry that is gone: one sentence, and the VM's files stay" {
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    start_on node1 80 "image=$REFERENCE"
    docker exec one-80 sh -c 'echo kept >/root/note'
    vmdock shutdown one-80
    tm_fails "connection refused" mvds "node1:$SYS/80/disk.0" docker://127.0.0.1:5999/x:1 80 104
    same "$(docker images --format '{{.Tag}}' vmdock/one-80)" disk.0
    same "$(docker images -q 127.0.0.1:5999/x)" ""
    same "$(container_state 80)" exited
}

@test "a front end that takes all of stderr for the message gets the one sentence, and its log when all is well" {
    mkdir -p "$WORK/front/one/remotes"
    echo 6.10.0 >"$WORK/front/one/remotes/VERSION"
    cp "$WORK/front/vmdock.conf" "$BATS_TEST_TMPDIR/conf"
    printf '[opennebula]\nfront_remotes = /run/one/remotes\n' >>"$WORK/front/vmdock.conf"
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    has "$(cat "$ERR")" "INFO: VM one-80: fetched image"
    tm ln docker://127.0.0.1:5999/x:1 "node1:$SYS/80/disk.0" 80 104 || true
    cp "$BATS_TEST_TMPDIR/conf" "$WORK/front/vmdock.conf"
    same "$(wc -l <"$ERR")" 1
    has "$(cat "$ERR")" "connection refused"
}

@test "save as, of a VM that runs: an archive in the datastore, without a registry" {
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    start_on node1 80 "image=$REFERENCE"
    docker exec one-80 sh -c 'echo saved >/root/note'
    tm cpds "node1:$SYS/80/disk.0" docker-archive:/run/one/datastores/104/saved.tar -1 80 104
    same "$(container_state 80)" running
    same "$(stat -c '%U %a' "$WORK/front/one/datastores/104/saved.tar")" "oneadmin 600"
    tm clone docker-archive:/run/one/datastores/104/saved.tar "node2:$SYS/81/disk.0" 81 104
    start_on node2 81 image=docker-archive:x
    same "$(on node2 docker exec one-81 cat /root/note)" saved
    tm_fails "no such snapshot" cpds "node1:$SYS/80/disk.0" docker-archive:/run/one/datastores/104/other.tar 5 80 104
    [ -z "$(find "$WORK/front/one/datastores/104" -name 'other*')" ]
}

@test "save as into a datastore that is full: one sentence, nothing stays there, and the VM goes on" {
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    start_on node1 80 "image=$REFERENCE"
    mount -t tmpfs -o size=100k tmpfs "$WORK/front/one"
    install -d -o oneadmin "$WORK/front/one/datastores" "$WORK/front/one/datastores/104"
    run tm_fails "No space left on device" cpds "node1:$SYS/80/disk.0" docker-archive:/run/one/datastores/104/full.tar -1 80 104
    find "$WORK/front/one" -type f >"$BATS_TEST_TMPDIR/left"
    umount "$WORK/front/one"
    same "$status $output$(cat "$BATS_TEST_TMPDIR/left")" "0 "
    same "$(container_state 80)" running
}

@test "save as, into a registry: of a VM that runs, and of a snapshot of it" {
    local saved=docker://$REGISTRY/vmdock/18-0123456789ab:latest old=docker://$REGISTRY/vmdock/19-0123456789ab:latest
    echo "$REGISTRY" >"$WORK/bin/registry"
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    start_on node1 80 "image=$REFERENCE"
    docker exec one-80 sh -c 'echo snapped >/root/note'
    tm snap_create_live "node1:$SYS/80/disk.0" 3 80 104
    docker exec one-80 sh -c 'echo saved >/root/note'
    tm cpds "node1:$SYS/80/disk.0" "$saved" -1 80 104
    tm cpds "node1:$SYS/80/disk.0" "$old" 3 80 104
    tm_fails "no such snapshot" cpds "node1:$SYS/80/disk.0" "docker://$REGISTRY/vmdock/20-0123456789ab:latest" 5 80 104
    same "$(digest_of vmdock/20-0123456789ab:latest)" ""
    # it goes on, and the engine has no names but the VM's own
    same "$(container_state 80) $(docker exec one-80 cat /root/note)" "running saved"
    same "$(docker images -q "$REGISTRY/vmdock/*")" ""
    tm clone "$saved" "node2:$SYS/81/disk.0" 81 104
    start_on node2 81 "image=$saved"
    same "$(on node2 docker exec one-81 cat /root/note)" saved
    tm clone "$old" "node2:$SYS/82/disk.0" 82 104
    start_on node2 82 "image=$old"
    same "$(on node2 docker exec one-82 cat /root/note)" snapped
}

# ---- snapshots of persistent images -------------------------------------------------------------

# persistent_vm SOURCE: VM 80 of it has written "kept", and "snapped" before its snapshot 3.
persistent_vm() {
    tm ln "$1" "node1:$SYS/80/disk.0" 80 104
    start_on node1 80 "image=$1" "$NIC"
    docker exec one-80 sh -c 'echo snapped >/root/note'
    tm snap_create_live "node1:$SYS/80/disk.0" 3 80 104
    vm_has_snapshots 3
    docker exec one-80 sh -c 'echo kept >/root/note'
    vmdock shutdown one-80
}

# has_snapshot SOURCE: the next VM of it, on another node, is as the last one was, and can go back to 3.
has_snapshot() {
    tm ln "$1" "node2:$SYS/81/disk.0" 81 104
    same "$(on node2 docker images --format '{{.Tag}}' vmdock/one-81 | sort | xargs)" "disk.0 disk.0-snap.3"
    start_on node2 81 "image=$1"
    same "$(on node2 docker exec one-81 cat /root/note)" kept
    on node2 vmdock shutdown one-81
    tm snap_revert "node2:$SYS/81/disk.0" 3 81 104
    start_on node2 81 "image=$1"
    same "$(on node2 docker exec one-81 cat /root/note)" snapped
}

@test "persistent: the image keeps its VM's snapshots in the registry, where the datastore looks for them" {
    local source=docker://$REGISTRY/vmdock/7-0123456789ab:latest
    ship "$IMAGE" "${source#docker://}"
    persistent_vm "$source"
    tm mvds "node1:$SYS/80/disk.0" "$source" 80 104
    tm delete "node1:$SYS/80" 80 102
    nothing_on node1 80
    same "$(docker images -q "${source#docker://}")" ""
    [ -n "$(digest_of vmdock/7-0123456789ab:snap-3)" ]
    has_snapshot "$source"
}

@test "persistent: the image keeps its VM's snapshots beside its archive, and those alone" {
    local source=docker-archive:/run/one/datastores/104/7-0123456789ab file=$WORK/front/one/datastores/104/7-0123456789ab
    docker save "$IMAGE" -o "$file"
    chown oneadmin "$file"
    persistent_vm "$source"
    install -d -o oneadmin "$file.snap"
    touch "$file.snap/2"
    tm mvds "node1:$SYS/80/disk.0" "$source" 80 104
    same "$(ls "$file.snap")" 3
    has_snapshot "$source"
}

@test "persistent, and put back from an undeployed VM: the snapshots too" {
    local source=docker://$REGISTRY/vmdock/8-0123456789ab:latest
    ship "$IMAGE" "${source#docker://}"
    persistent_vm "$source"
    tm mv "node1:$SYS/80/disk.0" "fe:$SYS/80/disk.0" 80 104
    tm mv "node1:$SYS/80" "fe:$SYS/80" 80 102
    # one of which the datastore alone has the data
    vm_has_snapshots 3 5
    tm mvds "fe:$SYS/80/disk.0" "$source" 80 104
    vm_has_snapshots 3
    has_snapshot "$source"
}

@test "persistent: a snapshot that is lost is named and keeps no VM from starting; strange images get none" {
    local source=docker://$REGISTRY/vmdock/9-0123456789ab:latest
    ship "$IMAGE" "${source#docker://}"
    vm_has_snapshots 4
    tm ln "$source" "node1:$SYS/80/disk.0" 80 104
    has "$(cat "$ERR")" "WARN: 80 VM 80: snapshot 4 is lost"
    tm mvds "node1:$SYS/80/disk.0" "$source" 80 104
    ship "$IMAGE" "$REGISTRY/vmdock/pers:3"
    tm ln "docker://$REGISTRY/vmdock/pers:3" "node1:$SYS/81/disk.0" 81 104
    tm mvds "node1:$SYS/81/disk.0" "docker://$REGISTRY/vmdock/pers:3" 81 104
    has "$(cat "$ERR")" "WARN: 81 VM 81: its disk snapshots are not kept"
    same "$(digest_of vmdock/pers:snap-4)" ""
}

# ---- moving -------------------------------------------------------------------------------------

# A VM with a note in its root and a file in its folder, stopped.
stopped_vm() {
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    tm mkimage 1 raw "node1:$SYS/80/disk.1" 80 102
    start_on node1 80 "image=$REFERENCE" "$NIC"
    docker exec one-80 sh -c 'echo snapped >/root/note'
    tm snap_create_live "node1:$SYS/80/disk.0" 3 80 104
    docker exec one-80 sh -c 'echo moved >/root/note'
    vmdock shutdown one-80
}

# mv FROM TO, as OpenNebula calls it: disk by disk, then the folder.
move() {
    tm mv "$1:$SYS/80/disk.0" "$2:$SYS/80/disk.0" 80 104
    cp "$ERR" "$BATS_TEST_TMPDIR/disk0.err"
    tm mv "$1:$SYS/80/disk.1" "$2:$SYS/80/disk.1" 80 102
    tm mv "$1:$SYS/80" "$2:$SYS/80" 80 102
}

# It is on node2 with all that was written, its snapshot and its file.
is_moved() {
    nothing_on node1 80
    [ -n "$(held_on node2 80)" ]
    [ -e "$WORK/node2/one/datastores/102/80/disk.1" ]
    same "$(on node2 docker images --format '{{.Tag}}' vmdock/one-80 | sort | xargs)" "disk.0 disk.0-snap.3"
    # node2 may have the image itself too, from another VM: nobody is to be told to start from that
    on node2 docker pull --quiet "${REFERENCE#docker://}"
    has_not "$(start_on node2 80 "image=$REFERENCE" "$NIC" 2>&1)" "disk 0 is the image"
    on node2 docker rmi "${REFERENCE#docker://}"
    same "$(on node2 docker exec one-80 cat /root/note)" moved
    on node2 vmdock cancel one-80
    tm snap_revert "node2:$SYS/80/disk.0" 3 80 104
    start_on node2 80 "image=$REFERENCE" "$NIC"
    same "$(on node2 docker exec one-80 cat /root/note)" snapped
    on node2 vmdock purge one-80
}

@test "cold migration, streamed: files, snapshots and folder arrive, and leave nothing behind" {
    stopped_vm
    move node1 node2
    is_moved
}

@test "cold migration through the datastore's registry, which is left as it was" {
    echo "$REGISTRY" >"$WORK/bin/registry"
    stopped_vm
    move node1 node2
    has "$(cat "$BATS_TEST_TMPDIR/disk0.err")" "through $REGISTRY"
    same "$(digest_of vmdock/one-80:disk.0-now)$(digest_of vmdock/one-80:disk.0-snap.3)" ""
    is_moved
}

@test "cold migration through the registry, to a node that has the image: what the VM wrote travels, no more" {
    local source=docker://$REGISTRY/lab/large:1
    image lab/large:1 'RUN dd if=/dev/urandom of=/large bs=1M count=16'
    ship lab/large:1 "${source#docker://}"
    docker rmi lab/large:1 >/dev/null
    echo "$REGISTRY" >"$WORK/bin/registry"
    counting tm clone "$source" "node1:$SYS/80/disk.0" 80 104
    [ "$PASSED" -gt $((16 << 20)) ]
    tm clone "$source" "node2:$SYS/81/disk.0" 81 104
    start_on node1 80 "image=$source"
    docker exec one-80 sh -c 'echo moved >/root/note'
    vmdock shutdown one-80
    counting tm mv "node1:$SYS/80/disk.0" "node2:$SYS/80/disk.0" 80 104
    { [ "$PASSED" -gt 1000 ] && [ "$PASSED" -lt $((4 << 20)) ]; } || fail "$PASSED bytes"
    start_on node2 80 "image=$source"
    same "$(on node2 docker exec one-80 cat /root/note)" moved
}

@test "cold migration with a further disk: its file system is there, mounted in the VM on the other node" {
    local conf xml=$BATS_TEST_TMPDIR/vm.xml
    conf=$(config_with '[opennebula]' 'datastores = /run/one/datastores')
    vm_xml 80 "image=$REFERENCE" template="<DISK>$(element DISK_ID 1)$(element TARGET vdb)$(element TYPE fs)</DISK>" |
        sed 's|</VM>|<HISTORY_RECORDS><HISTORY><DS_ID>102</DS_ID></HISTORY></HISTORY_RECORDS></VM>|' >"$xml"
    tm clone "$REFERENCE" "node1:$SYS/80/disk.0" 80 104
    tm mkimage 8 raw "node1:$SYS/80/disk.1" 80 102
    vmdock --config "$conf" deploy "$xml"
    docker exec one-80 sh -c 'echo kept >/mnt/vdb/note'
    vmdock shutdown one-80
    move node1 node2
    nothing_on node1 80
    on node2 vmdock --config "$conf" deploy "$xml"
    same "$(on node2 docker exec one-80 cat /mnt/vdb/note)" kept
    on node2 vmdock purge one-80
}

@test "cold migration through a registry that wants a path, and credentials on both sides" {
    guarded_registry
    echo "$GUARDED/team" >"$WORK/bin/registry"
    stopped_vm
    move node1 node2
    has "$(cat "$BATS_TEST_TMPDIR/disk0.err")" "through $GUARDED/team"
    has_no_secret "$(cat "$BATS_TEST_TMPDIR/disk0.err")"
    has_not "$(cat "$BATS_TEST_TMPDIR/disk0.err")" "stays in the registry"
    same "$(curl -s -u lab:secret "http://$GUARDED/v2/team/vmdock/one-80/tags/list" | jq -c .tags)" null
    is_moved
}

# A registry that lets in only user "lab", as whom the nodes and the front end come.
GUARDED=127.0.0.1:5008
guarded_registry() {
    local auth
    "$LAB" registry "$LAB_DIR" --port "${GUARDED#*:}" --password >/dev/null
    auth="{\"auths\": {\"$GUARDED\": {\"auth\": \"$(printf lab:secret | base64)\"}}}"
    printf '%s\n' "$auth" | install -m 600 /dev/stdin "$LAB_PREFIX/etc/vmdock/registry.json"
    install -d -o oneadmin "$WORK/front/one/keys" "$WORK/front/one/keys/104"
    printf '%s\n' "$auth" | install -m 600 -o oneadmin /dev/stdin "$WORK/front/one/keys/104/auth.json"
}

@test "what an undeployed VM wrote goes to a guarded registry with the datastore's credentials, never in arguments" {
    guarded_registry
    stopped_vm
    move node1 fe
    local source=docker://$GUARDED/vmdock/guarded:1
    echo "$GUARDED" >"$WORK/bin/registry"
    rm "$WORK/front/one/keys/104/auth.json"
    tm_fails "authentication required" mvds "fe:$SYS/80/disk.0" "$source" 80 104
    guarded_registry
    cp "$WORK/front/vmdock.conf" "$BATS_TEST_TMPDIR/conf"
    recorder "$WORK/bin/skopeo" skopeo
    printf '[datastore]\nskopeo = %s\n' "$WORK/bin/skopeo" >>"$WORK/front/vmdock.conf"
    tm mvds "fe:$SYS/80/disk.0" "$source" 80 104
    cp "$BATS_TEST_TMPDIR/conf" "$WORK/front/vmdock.conf"
    same "$(curl -s -u lab:secret "http://$GUARDED/v2/vmdock/guarded/tags/list" | jq -c .tags)" '["1"]'
    has "$(cat "$WORK/bin/skopeo.seen")" "$source"
    has_no_secret "$(cat "$WORK/bin/skopeo.seen" "$ERR" "$WORK/calls")"
    [ -z "$(find "$WORK/front/one/datastores/104" -name '.vmdock-*')" ]
}

@test "a migration that fails leaves the VM where it was, and can be repeated" {
    stopped_vm
    tm_fails "cannot be reached" mv "node1:$SYS/80/disk.0" "down:$SYS/80/disk.0" 80 104
    on node2 docker run --detach --name one-80 --network none "$REGISTRY/lab/vm:1" >/dev/null
    tm_fails "is not vmdock's" mv "node1:$SYS/80/disk.0" "node2:$SYS/80/disk.0" 80 104
    # what went through the registry is taken back there
    echo "$REGISTRY" >"$WORK/bin/registry"
    tm_fails "is not vmdock's" mv "node1:$SYS/80/disk.0" "node2:$SYS/80/disk.0" 80 104
    same "$(digest_of vmdock/one-80:disk.0-now)$(digest_of vmdock/one-80:disk.0-snap.3)" ""
    echo '' >"$WORK/bin/registry"
    on node2 docker rm --force one-80 >/dev/null
    same "$(docker images --format '{{.Tag}}' vmdock/one-80 | sort | xargs)" "disk.0 disk.0-snap.3"
    same "$(container_state 80)" exited
    move node1 node2
    tm mv "node1:$SYS/80/disk.0" "node2:$SYS/80/disk.0" 80 104
    is_moved
    tm_fails "no disk 0 of it" mv "node1:$SYS/82/disk.0" "node2:$SYS/82/disk.0" 82 104
}

@test "a VM whose host is lost is not asked for its files; a place that is the same is left alone" {
    echo 60 >"$WORK/bin/lcm_state"
    tm mv "down:$SYS/80/disk.0" "node2:$SYS/80/disk.0" 80 104
    tm mv "node1:$SYS/80" "node1:$SYS/80" 80 102
}

@test "undeploy and resume on another node: the front end keeps disk 0 as a file meanwhile" {
    stopped_vm
    move node1 fe
    nothing_on node1 80
    [ -s "$WORK/front/one/datastores/102/80/disk.0.tar" ]
    same "$(stat -c %a "$WORK/front/one/datastores/102/80/disk.0.tar")" 600
    move fe node2
    [ ! -e "$WORK/front/one/datastores/102/80" ]
    [ ! -e "$WORK/node2/one/datastores/102/80/disk.0.tar" ]
    is_moved
}

@test "a persistent VM that is terminated while it is undeployed" {
    local source=docker://$REGISTRY/vmdock/pers:2
    stopped_vm
    move node1 fe
    tm mvds "fe:$SYS/80/disk.0" "$source" 80 104
    tm cpds "fe:$SYS/80/disk.0" docker-archive:/run/one/datastores/104/old.tar 3 80 104
    tm delete "fe:$SYS/80/disk.1" 80 102
    tm delete "fe:$SYS/80" 80 102
    [ ! -e "$WORK/front/one/datastores/102/80" ]
    tm clone "$source" "node2:$SYS/81/disk.0" 81 104
    start_on node2 81 "image=$source"
    same "$(on node2 docker exec one-81 cat /root/note)" moved
    tm clone docker-archive:/run/one/datastores/104/old.tar "node2:$SYS/82/disk.0" 82 104
    start_on node2 82 "image=$source"
    same "$(on node2 docker exec one-82 cat /root/note)" snapped
}

@test "a backup is refused before it begins, with what to do instead, and leaves nothing to clear" {
    local action xml=$BATS_TEST_TMPDIR/backup.xml
    vm_xml 80 >"$xml"
    for action in prebackup prebackup_live; do
        tm_fails "onevm disk-saveas" "$action" "node1:$SYS/80" 0 one-80 - 80 102 <"$xml"
    done
    for action in postbackup postbackup_live; do
        tm "$action" "node1:$SYS/80" 0 one-80 - 80 102 <"$xml"
        same "$(cat "$OUT")$(cat "$ERR")" ""
    done
}

@test "live migration's steps do nothing, and say so by succeeding, with the VM on stdin and without" {
    local action
    for action in premigrate postmigrate failmigrate; do
        tm "$action" node1 node2 "$SYS/80" 80 102 < <(vm_xml 80 | base64 -w 0)
        same "$(cat "$OUT")$(cat "$ERR")" ""
        tm "$action" node1 node2 "$SYS/80" 80 102 </dev/null
        same "$(cat "$OUT")$(cat "$ERR")" ""
    done
}
