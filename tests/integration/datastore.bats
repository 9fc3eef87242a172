#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2030,SC2031,SC2317 # each test is a process of its own, and has its own message()
# The datastore actions, called as the front end calls them: as an ordinary user with a bare environment,
# the id in argv[1], DS_DRIVER_ACTION_DATA in base64 on stdin. Registries are asked with curl, archives
# looked at with tar and docker, not with vmdock.
#
# Contract: OpenNebula 7.4, 6.4 and 5.12; argv, stdin, environment and working folder as recorded.

load helpers

readonly OPEN=127.0.0.1:5080 GUARDED=127.0.0.1:5081 TLS=127.0.0.1:5082 KEEPER=127.0.0.1:5083
readonly HOME_DIR=/run/oneadmin ID=104
readonly DATASTORES=$HOME_DIR/datastores KEYS=/etc/one/vmdock/$ID REMOTES=$HOME_DIR/remotes
readonly BASE=$DATASTORES/$ID SAFE=$HOME_DIR/safe WEB=127.0.0.1:5084

setup_file() {
    lab_ready
    "$LAB" user "$LAB_DIR" oneadmin
    cp "$CONF" "$BATS_FILE_TMPDIR/conf"
    printf '\n[opennebula]\nfront_remotes = %s\n[datastore]\nrequest_timeout_ms = 5000\n' "$REMOTES" >>"$CONF"
    cp "$CONF" "$BATS_FILE_TMPDIR/conf.here"
    "$LAB" registry "$LAB_DIR" --port "${OPEN#*:}"
    "$LAB" registry "$LAB_DIR" --port "${GUARDED#*:}" --password
    make_certificates
    serve tls "{addr: '$TLS', tls: {certificate: /run/ds/tls.crt, key: /run/ds/tls.key}}" true
    serve keeper "{addr: '$KEEPER'}" false
    make_archives
    busybox httpd -f -p "$WEB" -h /run/ds/web 3>&- &
    echo $! >/run/ds/web.pid
    docker tag "$IMAGE" "$OPEN/team/app:1"
    docker push --quiet "$OPEN/team/app:1" >/dev/null
    within 10 curl -fs "http://$WEB/app.tar" -o /dev/null
    SCRIPTS=$(find "$LAB_PREFIX" -path '*/datastore/onedock')
    export SCRIPTS
}

teardown_file() {
    xargs kill </run/ds/web.pid
    xargs kill </run/ds/tls.pid
    xargs kill </run/ds/keeper.pid
    cp "$BATS_FILE_TMPDIR/conf" "$CONF"
}

setup() {
    rm -rf "$DATASTORES" "$KEYS"
    install -d -o oneadmin "$DATASTORES" "$REMOTES"
    echo 7.4.0 >"$REMOTES/VERSION"
    OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
    declare -gA DS=([base]=$BASE) IMG=([id]=5)
}

teardown() {
    cp "$BATS_FILE_TMPDIR/conf.here" "$CONF"
    if mountpoint -q "$BASE"; then umount "$BASE"; fi
}

# ---- what there is to make images from ------------------------------------------------------------

make_certificates() {
    install -d -m 777 /run/ds
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lab -addext subjectAltName=DNS:registry.lab \
        -keyout /run/ds/tls.key -out /run/ds/tls.crt 2>/dev/null
    echo '127.0.0.1 registry.lab' >>/etc/hosts
}

# serve NAME HTTP DELETE: one more registry, with a server and a rule for deletion of its own.
serve() {
    printf 'version: 0.1\nlog: {accesslog: {disabled: true}, level: warn}\nhttp: %s\n' "$2" >"/run/ds/$1.yml"
    printf 'storage: {inmemory: {}, delete: {enabled: %s}}\n' "$3" >>"/run/ds/$1.yml"
    docker-registry serve "/run/ds/$1.yml" >/dev/null 2>&1 </dev/null 3>&- &
    echo $! >"/run/ds/$1.pid"
    within 10 curl -sk "http://$(sed -n "s/.*addr: '\([^']*\)'.*/\1/p" "/run/ds/$1.yml")/v2/" -o /dev/null
}

make_archives() {
    install -d "$SAFE" /run/ds/web
    docker save "$IMAGE" -o "$SAFE/app.tar"
    gzip -c "$SAFE/app.tar" >"$SAFE/app.tar.gz"
    head -c $(($(stat -c %s "$SAFE/app.tar") * 2 / 3)) "$SAFE/app.tar" >"$SAFE/cut.tar"
    head -c 50000 "$SAFE/app.tar.gz" >"$SAFE/cut.tar.gz"
    skopeo copy --quiet "docker-archive:$SAFE/app.tar" "oci-archive:$SAFE/oci.tar"
    printf 'FROM %s\nENV MORE=1\n' "$IMAGE" | DOCKER_BUILDKIT=0 docker build --quiet --tag lab/two - >/dev/null
    docker save "$IMAGE" lab/two -o "$SAFE/two.tar"
    head -c 100000 /dev/urandom >"$SAFE/noise.tar"
    : >"$SAFE/empty.tar"
    ln -sf /etc/passwd "$SAFE/link.tar"
    chmod 644 "$SAFE"/*.tar*
    cp "$SAFE/app.tar" /run/ds/web/
}

# ---- calling ------------------------------------------------------------------------------------

# The message: DS has the datastore's fields, IMG the image's, lower-case keys for elements, others for
# attributes of the template.
message() {
    local key text='<DS_DRIVER_ACTION_DATA><IMAGE>'
    [ -z "${IMG[id]:-}" ] || text+="<ID>${IMG[id]}</ID><PERSISTENT>${IMG[persistent]:-0}</PERSISTENT>"
    for key in source path format; do
        text+=$(element "${key^^}" "${IMG[$key]:-}")
    done
    text+="<SIZE>${IMG[size]:-64}</SIZE><TARGET_SNAPSHOT>${IMG[target]:--1}</TARGET_SNAPSHOT>"
    text+="<TEMPLATE>$(element DEV_PREFIX sd)${IMG[template]:-}</TEMPLATE><SNAPSHOTS>"
    for key in ${IMG[snapshots]:-}; do
        text+="<SNAPSHOT><ID>$key</ID></SNAPSHOT>"
    done
    text+="</SNAPSHOTS></IMAGE><DATASTORE><ID>$ID</ID>$(element BASE_PATH "${DS[base]}")<TEMPLATE>"
    text+=$(element RESTRICTED_DIRS /)$(element SAFE_DIRS "$SAFE")
    for key in REGISTRY REGISTRY_INSECURE; do
        [ -z "${DS[$key]:-}" ] || text+=$(element "$key" "${DS[$key]}")
    done
    printf '%s</TEMPLATE></DATASTORE></DS_DRIVER_ACTION_DATA>' "$text"
}

# ds ACTION: its stdout goes to $OUT, its stderr to $ERR.
ds() {
    local status=0
    message | base64 -w 0 |
        runuser -u oneadmin -- env -i LANG=C.UTF-8 ONE_LOCATION=/usr/lib/one ONE_XMLRPC=http://127.0.0.1:2633/RPC2 \
            PATH=/usr/lib/one/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=$HOME_DIR USER=oneadmin \
            sh -c 'umask 0022; cd; exec "$@"' sh "$SCRIPTS/$1" "${IMG[id]:-0}" >"$OUT" 2>"$ERR" || status=$?
    return "$status"
}

# made ACTION: it succeeds, says nothing on stderr, and the first word of an answer becomes SOURCE.
made() {
    ds "$1" || fail "$1 fails: $(cat "$ERR")" || return 1
    same "$(cat "$ERR")" "" || return 1
    [ ! -s "$OUT" ] || read -r SOURCE _ <"$OUT"
}

# refuses ACTION KIND TEXT: nothing on stdout, one sentence on stderr with TEXT, the status of KIND, and
# nothing new in datastore and registries.
refuses() {
    local status=0 before
    before=$(everything)
    ds "$1" || status=$?
    same "$status" "$(status_of "$2")" || fail "$(cat "$ERR")" || return 1
    same "$(cat "$OUT")" "" && same "$(wc -l <"$ERR")" 1 && has "$(cat "$ERR")" "$3" &&
        same "$(everything)" "$before"
}

# Every file of the datastore, whatever its name, and every tag of the registries, by their own files.
everything() {
    [ ! -d "$BASE" ] || find "$BASE" -mindepth 1 | sort
    find "$LAB_DIR/registry" -path '*/_manifests/tags/*/current/link' | sort
}

# ---- looking ------------------------------------------------------------------------------------

# digest REGISTRY REPOSITORY TAG: empty when it is not there.
digest() {
    curl -sI -H 'Accept: application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json' \
        "http://$1/v2/$2/manifests/$3" |
        tr -d '\r' | sed -n 's/^Docker-Content-Digest: //ip'
}

# The id of the image in an archive, as the engine loads it.
loaded_id() {
    docker load --quiet --input "$1" | sed -n 's/^Loaded image ID: //p'
}

image_id() {
    docker image inspect --format '{{.Id}}' "$IMAGE"
}

# ---- stat ---------------------------------------------------------------------------------------

@test "stat: a reference's transfer size, an archive's and a download's file size, in MB" {
    local bytes path
    bytes=$(curl -fs -H 'Accept: application/vnd.docker.distribution.manifest.v2+json' \
        "http://$OPEN/v2/team/app/manifests/1" | jq '[.config.size, .layers[].size] | add')
    IMG=([path]=docker://$OPEN/team/app:1)
    made stat
    same "$(cat "$OUT")" "$(((bytes + 1048575) / 1048576))"
    bytes=$(stat -c %s "$SAFE/app.tar")
    for path in "$SAFE/app.tar" "http://$WEB/app.tar"; do
        IMG[path]=$path
        made stat
        same "$(cat "$OUT")" "$(((bytes + 1048575) / 1048576))"
    done
    same "$(find "$BASE" -mindepth 1)" ""
}

@test "stat: an image of several platforms has the size of this one's" {
    local manifest list
    manifest=$(digest "$OPEN" team/app 1)
    list=$(printf '{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s","size":528,"digest":"%s","platform":{"os":"linux","architecture":"amd64"}}]}' \
        application/vnd.docker.distribution.manifest.list.v2+json application/vnd.docker.distribution.manifest.v2+json "$manifest")
    curl -fs -X PUT -H 'Content-Type: application/vnd.docker.distribution.manifest.list.v2+json' \
        --data "$list" "http://$OPEN/v2/team/app/manifests/many"
    IMG=([path]=docker://$OPEN/team/app:many)
    made stat
    [ "$(cat "$OUT")" -ge 1 ]
    IMG[id]=5
    made cp
    # pinned to the list, so that each node takes its own platform
    same "$SOURCE" "docker://$OPEN/team/app@$(printf '%s' "$list" | sha256sum | sed 's/\(.*\)  -/sha256:\1/')"
}

# ---- cp without a registry ----------------------------------------------------------------------

@test "cp without REGISTRY: a reference is pinned to its digest, and nothing is copied" {
    local path pinned
    pinned=docker://$OPEN/team/app@$(digest "$OPEN" team/app 1)
    for path in "docker://$OPEN/team/app:1" "$OPEN/team/app:1" "${pinned}" \
        "docker://$OPEN/team/app:1?size=2048&filesystem=ext4&format=raw"; do
        IMG[path]=$path
        made cp
        same "$(cat "$OUT")" "$pinned raw"
    done
    same "$(find "$BASE" -mindepth 1)" ""
}

@test "cp without REGISTRY: archives become one file each, without names, whole, by whatever way they come" {
    local path
    for path in "$SAFE/app.tar" "$SAFE/app.tar.gz" "http://$WEB/app.tar"; do
        IMG[path]=$path
        made cp
        [[ $SOURCE =~ ^docker-archive:$BASE/5-[0-9a-f]{12}$ ]]
        same "$(cut -d ' ' -f 2 "$OUT")" raw
        same "$(loaded_id "${SOURCE#docker-archive:}")" "$(image_id)"
        has_not "$(tar -xOf "${SOURCE#docker-archive:}" manifest.json)" lab/vm
    done
    # OCI keeps a configuration of its own form: the same content under another id
    IMG[path]=$SAFE/oci.tar
    made cp
    same "$(docker run --rm "$(loaded_id "${SOURCE#docker-archive:}")" cat /etc/issue)" "vmdock lab"
    same "$(find "$BASE" -mindepth 1 | wc -l)" 4
}

@test "cp without REGISTRY: an image that is made persistent is fetched, so that it can be written to" {
    IMG+=([path]=docker://$OPEN/team/app:1 [persistent]=1)
    made cp
    [[ $SOURCE =~ ^docker-archive:$BASE/5- ]]
    same "$(loaded_id "${SOURCE#docker-archive:}")" "$(image_id)"
}

@test "ONEDock's image with DOCKERRUN: the attribute is the VM's business" {
    IMG+=([path]=docker://$OPEN/team/app:1 [template]=$(element DOCKERRUN "sleep 100"))
    made cp
    has "$SOURCE" "docker://$OPEN/team/app@sha256:"
}

# ---- cp with a registry -------------------------------------------------------------------------

@test "cp with REGISTRY: references and archives go to a repository of their own, pinned" {
    local path repository
    DS[REGISTRY]=$OPEN
    for path in "docker://$OPEN/team/app:1" "$SAFE/app.tar" "$SAFE/oci.tar" "http://$WEB/app.tar"; do
        IMG[path]=$path
        made cp
        [[ $SOURCE =~ ^docker://$OPEN/(vmdock/5-[0-9a-f]{12})@(sha256:[0-9a-f]{64})$ ]] || fail "$SOURCE"
        repository=${BASH_REMATCH[1]}
        same "$(digest "$OPEN" "$repository" latest)" "${SOURCE#*@}"
        same "$(docker run --rm "${SOURCE#docker://}" cat /etc/issue)" "vmdock lab"
    done
    same "$(find "$BASE" -mindepth 1)" ""
}

@test "cp with REGISTRY: a persistent image keeps its tag, because what is written has another digest" {
    DS[REGISTRY]=$OPEN/clouds/one
    IMG+=([path]=docker://$OPEN/team/app:1 [persistent]=1)
    made cp
    [[ $SOURCE =~ ^docker://$OPEN/clouds/one/vmdock/5-[0-9a-f]{12}:latest$ ]]
}

@test "cp with REGISTRY and the front end's very message of the records" {
    local xml=${VMDOCK_RECORDS:+$VMDOCK_RECORDS/opennebula/xml/ds-cp-004.xml}
    if [ -z "$xml" ]; then
        printf '# no records at hand (VMDOCK_RECORDS): a message made here stands for it\n' >&3
        DS[REGISTRY]=$OPEN
        IMG[path]="docker://$OPEN/team/app:1?size=100&filesystem=ext4&format=raw"
    else
        recorded_message
    fi
    made cp
    has "$SOURCE" "docker://$OPEN/vmdock/5-"
}

recorded_message() {
    message() {
        sed -e "s|docker://library/nginx|docker://$OPEN/team/app|; s|nginx:latest?|app:1?|; s|app:latest|app:1|" \
            -e "s|/var/lib/one//datastores/104|$DATASTORES//104|; s|DOCKER_REGISTRY>|REGISTRY>|g; s|registry.example:5000|$OPEN|" "$xml"
    }
}

# ---- registries that ask who is there -----------------------------------------------------------

credentials() {
    install -d "$KEYS"
    printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$1" "$(printf lab:secret | base64)" >"$KEYS/auth.json"
    chown oneadmin "$KEYS/auth.json"
    chmod "${2:-600}" "$KEYS/auth.json"
}

@test "credentials of the datastore open a guarded registry; without them, or for others, it stays shut" {
    DS[REGISTRY]=$GUARDED IMG[path]=$SAFE/app.tar
    refuses cp REGISTRY "registry $GUARDED: image $SAFE/app.tar: "
    has "$(cat "$ERR")" "authentication required"
    credentials other.example
    refuses cp REGISTRY "authentication required"
    credentials "$GUARDED"
    made cp
    has "$SOURCE" "docker://$GUARDED/vmdock/5-"
    IMG=([id]=6 [path]=$SOURCE)
    made stat
    IMG=([id]=5 [source]=$SOURCE)
    made rm
    same "$(curl -s -u lab:secret -o /dev/null -w '%{http_code}' "http://$GUARDED/v2/${SOURCE#docker://"$GUARDED"/}" )" 404
}

@test "credentials that others may read are refused; none are shown, to nobody on the host either" {
    local action
    DS[REGISTRY]=$GUARDED IMG[path]=$SAFE/app.tar
    credentials "$GUARDED"
    recorder /run/ds/skopeo skopeo
    printf '[datastore]\nskopeo = /run/ds/skopeo\n' >>"$CONF"
    made cp
    IMG=([id]=6 [path]=$SOURCE)
    for action in stat clone; do
        made "$action"
    done
    IMG=([id]=6 [source]=$SOURCE)
    made rm
    # what cp, clone and rm called, and what of it stood in nobody's way
    has "$(cat /run/ds/skopeo.seen)" "docker://$GUARDED/vmdock/5-"
    has "$(cat /run/ds/skopeo.seen)" "docker://$GUARDED/vmdock/6-"
    has_no_secret "$(cat /run/ds/skopeo.seen)"
    IMG=([id]=5 [path]=$SAFE/app.tar)
    credentials "$GUARDED" 644
    refuses cp CONFIG "the registry credentials in $KEYS/auth.json are not used: it must be closed to group and others"
    credentials "$GUARDED"
    echo broken >"$KEYS/auth.json"
    refuses cp REGISTRY "registry $GUARDED: "
    has_not "$(cat "$ERR")" broken
}

@test "https: with the datastore's ca.crt, or REGISTRY_INSECURE; else the certificate is refused" {
    DS[REGISTRY]=registry.lab:${TLS#*:} IMG[path]=$SAFE/app.tar
    refuses cp REGISTRY "x509: certificate signed by unknown authority"
    DS[REGISTRY_INSECURE]=YES
    made cp
    DS[REGISTRY_INSECURE]=NO
    refuses cp REGISTRY "x509:"
    install -D -m 644 /run/ds/tls.crt "$KEYS/ca.crt"
    made cp
    has "$SOURCE" "docker://registry.lab:"
    IMG[source]=$SOURCE
    made rm
}

@test "plain http is for loopback, and for what REGISTRY_INSECURE names" {
    IMG[path]=docker://registry.lab:${OPEN#*:}/team/app:1
    refuses cp REGISTRY "server gave HTTP response to HTTPS client"
    DS[REGISTRY_INSECURE]="other:1 registry.lab:${OPEN#*:}"
    made cp
}

# ---- what goes wrong ----------------------------------------------------------------------------

@test "cp: a name that is not there, an unreachable registry, a wrong name: one sentence, nothing left" {
    local registry
    for registry in "" "$OPEN"; do
        DS[REGISTRY]=$registry
        IMG[path]=docker://$OPEN/team/nothing:1
        refuses cp NO_IMAGE "$OPEN/team/nothing:1: reading manifest 1 in $OPEN/team/nothing: manifest unknown"
        IMG[path]=docker://127.0.0.1:1/team/app:1
        refuses cp REGISTRY "connection refused"
        IMG[path]=docker://Team/App
        refuses cp SPEC '"Team/App" is no repository'
        IMG[path]=ftp://server/app.tar
        refuses cp SPEC "it is no docker://"
    done
    IMG[path]=docker://$OPEN/team/nothing:1
    refuses stat NO_IMAGE "manifest unknown"
    DS[REGISTRY]=127.0.0.1:1 IMG[path]=$SAFE/app.tar
    refuses cp REGISTRY "registry 127.0.0.1:1: "
    DS[REGISTRY]=myregistry
    refuses cp SPEC "is not of the form host:port"
}

@test "cp: a cut, foreign, empty or double archive: one sentence, nothing left" {
    local registry
    for registry in "" "$OPEN"; do
        DS[REGISTRY]=$registry
        IMG[path]=$SAFE/cut.tar
        refuses cp NO_IMAGE "image $SAFE/cut.tar: "
        IMG[path]=$SAFE/cut.tar.gz
        refuses cp IO "cannot unpack $SAFE/cut.tar.gz: it is cut off"
        IMG[path]=$SAFE/noise.tar
        refuses cp NO_IMAGE "no archive of docker save or OCI"
        IMG[path]=$SAFE/empty.tar
        refuses cp NO_IMAGE "$SAFE/empty.tar is empty"
        IMG[path]=$SAFE/two.tar
        refuses cp NO_IMAGE "expected 1 item, got 2"
        IMG[path]=$SAFE/nowhere.tar
        refuses cp NO_IMAGE "No such file"
    done
}

@test "cp: paths outside SAFE_DIRS, also by a link or another image's file, are refused" {
    local path
    for path in /etc/passwd "$SAFE/../remotes/VERSION" "$SAFE/link.tar" "${SAFE}x/app.tar"; do
        mkdir -p "${SAFE}x" && cp "$SAFE/app.tar" "${SAFE}x/"
        IMG[path]=$path
        refuses cp POLICY "not allowed to make an image from"
        refuses stat POLICY "not allowed to make an image from"
    done
    IMG[path]=$SAFE/app.tar
    made cp
    IMG=([id]=6 [path]=$SOURCE)
    refuses cp POLICY "not allowed to make an image from"
}

@test "cp: a web server's refusal, and one that is not there" {
    IMG[path]=http://$WEB/nowhere.tar
    refuses cp REGISTRY "http://$WEB/nowhere.tar: the server answers with status 404"
    refuses stat REGISTRY "status 404"
    IMG[path]="http://user:hidden@127.0.0.1:1/app.tar?token=hidden"
    refuses cp REGISTRY "http://127.0.0.1:1/app.tar: "
    has_not "$(cat "$ERR")" hidden
}

@test "a registry that never answers: the time-out of the configuration, one sentence, nothing left" {
    local server
    sleep 10 3>&- | busybox nc -l -p 5085 >/dev/null 3>&- &
    server=$!
    within 5 sh -c 'ss -ltn | grep -q :5085'
    sed -i 's/^request_timeout_ms = .*/request_timeout_ms = 1000/' "$CONF"
    IMG[path]=docker://127.0.0.1:5085/team/app:1
    refuses stat REGISTRY "image 127.0.0.1:5085/team/app:1: not done within 1 s"
    kill "$server" 2>/dev/null || true
}

@test "cp: a full disk is one sentence, and leaves nothing" {
    local path
    mkdir -p "$BASE"
    mount -t tmpfs -o size=1m,uid="$(id -u oneadmin)" small "$BASE"
    for path in "$SAFE/app.tar" "$SAFE/app.tar.gz" "http://$WEB/app.tar"; do
        IMG[path]=$path
        refuses cp NO_SPACE "No space left on device"
    done
    # room for the working copy, not for the image beside it
    mount -o remount,size=3m "$BASE"
    IMG[path]=$SAFE/app.tar
    refuses cp NO_SPACE "no space left on device"
}

# begin_copying: a cp that has pushed its image, and has not said so yet; its number is in $CP then.
begin_copying() {
    printf '%s\n' '#!/bin/sh' 'skopeo "$@" || exit' "case \" \$* \" in *' copy '*) : >/run/ds/copied; sleep 20 >/dev/null 2>&1 ;; esac" \
        >/run/ds/skopeo
    chmod 755 /run/ds/skopeo
    rm -f /run/ds/copied
    printf '[datastore]\nskopeo = /run/ds/skopeo\n' >>"$CONF"
    message | base64 -w 0 >"$BATS_TEST_TMPDIR/message"
    setpriv --reuid oneadmin --regid oneadmin --clear-groups \
        "$(find "$LAB_PREFIX" -name vmdock-front -type f | head -n 1)" ds cp 5 \
        <"$BATS_TEST_TMPDIR/message" >"$OUT" 2>"$ERR" 3>&- &
    CP=$!
    within 10 test -e /run/ds/copied
}

@test "cp: a signal takes back what was pushed, and what a killed one left is cleared by the next" {
    DS[REGISTRY]=$OPEN IMG[path]=docker://$OPEN/team/app:1
    mkdir -p "$BASE/.vmdock-dead00"
    : >"$BASE/.vmdock-dead00/image"
    chown -R oneadmin "$BASE"
    made cp
    same "$(find "$BASE" -mindepth 1)" ""
    local before status=0
    before=$(everything)
    begin_copying
    [ "$(everything)" != "$before" ]
    kill -TERM "$CP"
    wait "$CP" || status=$?
    same "$status" 143
    has "$(cat "$ERR")" "interrupted by signal 15"
    same "$(everything)" "$before"
}

@test "cp: one that is killed outright leaves a tag that nobody was told of, as documented, and no more" {
    DS[REGISTRY]=$OPEN IMG[path]=docker://$OPEN/team/app:1
    local before status=0
    before=$(everything)
    begin_copying
    [ -n "$(find "$BASE" -mindepth 1)" ]
    kill -KILL "$CP"
    wait "$CP" || status=$?
    same "$status $(cat "$OUT")" "137 "
    cp "$BATS_FILE_TMPDIR/conf.here" "$CONF"
    made stat
    IMG=([id]=5 [source]='')
    made rm
    IMG=([id]=6 [path]=docker://$OPEN/team/app:1)
    made cp
    IMG=([id]=6 [source]=$SOURCE)
    made rm
    same "$(find "$BASE" -mindepth 1)" ""
    same "$(everything | grep -vxF "$before" | grep -c '/vmdock/5-[0-9a-f]*/_manifests/tags/latest/')" 1
    same "$(everything | wc -l)" "$(($(wc -l <<<"$before") + 1))"
}

@test "several at once: each image has its own file, or its own repository" {
    local id status=0
    IMG[path]=$SAFE/app.tar
    for id in 5 6; do
        DS[REGISTRY]='' IMG[id]=$id
        OUT=$OUT.$id ERR=$ERR.$id ds cp 3>&- &
        DS[REGISTRY]=$OPEN IMG[id]=1$id
        OUT=$OUT.1$id ERR=$ERR.1$id ds cp 3>&- &
    done
    for id in 1 2 3 4; do
        wait -n || status=$?
    done
    same "$status" 0
    for id in 5 6; do
        [[ $(cat "$OUT.$id") == "docker-archive:$BASE/$id-"* ]]
        [[ $(cat "$OUT.1$id") == "docker://$OPEN/vmdock/1$id-"* ]]
        same "$(loaded_id "$(sed 's/^docker-archive:\([^ ]*\).*/\1/' "$OUT.$id")")" "$(image_id)"
    done
    same "$(find "$BASE" -mindepth 1 | wc -l)" 2
}

@test "an answer that cannot be written takes the image back" {
    DS[REGISTRY]=$OPEN IMG[path]=$SAFE/app.tar
    local before status=0
    before=$(everything)
    OUT=/dev/full
    ds cp || status=$?
    same "$status" "$(status_of NO_SPACE)"
    same "$(everything)" "$before"
    DS[REGISTRY]=''
    status=0
    ds cp || status=$?
    same "$status" "$(status_of NO_SPACE)"
    same "$(everything)" "$before"
}

@test "the sentence reaches the user on every version of the front end" {
    IMG[path]=docker://$OPEN/team/nothing:1
    echo 5.12.0 >"$REMOTES/VERSION"
    refused ds cp
    same "$(sed -n 1p "$ERR") $(sed -n 3p "$ERR")" "ERROR MESSAGE --8<------ ERROR MESSAGE ------>8--"
    echo 6.4.0 >"$REMOTES/VERSION"
    refuses cp NO_IMAGE "manifest unknown"
}

@test "a message that is none: one sentence" {
    message() { printf '<VM><ID>1</ID></VM>'; }
    refuses cp SPEC 'is of "VM", not of a datastore action'
    message() { printf 'AAAA'; }
    refuses stat SPEC "the XML cannot be read"
    message() { printf '<!DOCTYPE x [<!ENTITY a "b">]><DS_DRIVER_ACTION_DATA/>'; }
    refuses rm SPEC "DOCTYPE"
}

# ---- clone, rm ----------------------------------------------------------------------------------

@test "clone and rm: each image has its own repository; one goes, the other stays" {
    local first second
    DS[REGISTRY]=$OPEN IMG[path]=$SAFE/app.tar
    made cp
    first=$SOURCE
    IMG=([id]=6 [path]=$first)
    made clone
    second=$SOURCE
    has "$second" "docker://$OPEN/vmdock/6-"
    same "${second#*@}" "${first#*@}"
    # neither another image's rm nor a foreign SOURCE takes anything away
    IMG=([id]=7 [source]=$first)
    made rm
    IMG=([id]=7 [source]=docker://$OPEN/team/app:1)
    made rm
    [ -n "$(digest "$OPEN" team/app 1)" ]
    IMG=([id]=5 [source]=$first)
    made rm
    same "$(cat "$OUT")" ""
    same "$(curl -s -o /dev/null -w '%{http_code}' "http://$OPEN/v2/$(repository_of "$first")/manifests/latest")" 404
    same "$(digest "$OPEN" "$(repository_of "$second")" latest)" "${second#*@}"
    # again: it is gone already
    made rm
    DS[REGISTRY]=127.0.0.1:1 IMG=([id]=8 [path]=$second)
    refuses clone REGISTRY "connection refused"
    IMG[path]=${second/$OPEN/127.0.0.1:1}
    refuses clone REGISTRY "connection refused"
}

# docker://host/repository@digest -> repository
repository_of() {
    local name=${1#docker://*/}
    printf '%s\n' "${name%%[@:]*}"
}

@test "clone and rm of files: copies, and only this image's own file goes" {
    local first
    IMG[path]=$SAFE/app.tar
    made cp
    first=${SOURCE#docker-archive:}
    IMG=([id]=6 [path]=$SOURCE)
    made clone
    same "$(loaded_id "${SOURCE#docker-archive:}")" "$(image_id)"
    IMG=([id]=7 [source]=docker-archive:$first)
    made rm
    [ -e "$first" ]
    IMG=([id]=5 [source]=docker-archive:$first)
    made rm
    [ ! -e "$first" ]
    [ -e "${SOURCE#docker-archive:}" ]
    IMG=([id]=5 [source]=docker-archive:/etc/passwd)
    made rm
    IMG=([id]=8 [path]=docker-archive:/etc/passwd)
    refuses clone POLICY "/etc/passwd is no image of a datastore"
    IMG=([id]=5)
    made rm
}

@test "clone into a datastore without REGISTRY: a pinned reference stays what it is" {
    local pinned
    IMG[path]=docker://$OPEN/team/app:1
    made cp
    pinned=$SOURCE
    IMG=([id]=6 [path]=$pinned)
    made clone
    same "$SOURCE" "$pinned"
    IMG=([id]=6 [source]=$pinned)
    made rm
    [ -n "$(digest "$OPEN" team/app 1)" ]
    # and from files to a registry
    IMG=([id]=5 [path]=$SAFE/app.tar)
    made cp
    DS[REGISTRY]=$OPEN IMG=([id]=6 [path]=$SOURCE)
    made clone
    has "$SOURCE" "docker://$OPEN/vmdock/6-"
}

@test "rm where the registry allows no deletion: one sentence, and cp leaves its failure to be seen" {
    DS[REGISTRY]=$KEEPER IMG[path]=$SAFE/app.tar
    made cp
    IMG=([id]=5 [source]=$SOURCE)
    refuses rm REGISTRY "the registry does not allow deletion"
    # an image that nobody is told of, and that cannot be taken back either
    local status=0
    IMG=([id]=6 [path]=$SAFE/app.tar) OUT=/dev/full
    ds cp || status=$?
    same "$status" "$(status_of NO_SPACE)"
    has "$(grep '^WARN: ' "$ERR")" "cannot take back the image in the registry: image $KEEPER/vmdock/6-"
    same "$(grep -cv '^WARN: ' "$ERR")" 1
    has "$(grep -v '^WARN: ' "$ERR")" "No space left on device"
}

# ---- mkfs ---------------------------------------------------------------------------------------

@test "mkfs: an empty image, in a registry and as a file, which a container can be made of" {
    local id
    IMG=([id]=3 [format]=raw)
    made mkfs
    same "$(cat "$OUT")" "$SOURCE"
    id=$(loaded_id "${SOURCE#docker-archive:}")
    same "$(docker export "$(docker create --name empty-file "$id" /x)" | tar -t | grep -vE '^(dev|etc|proc|sys)/|^\.dockerenv$')" ""
    docker rm empty-file >/dev/null
    DS[REGISTRY]=$OPEN
    made mkfs
    [[ $SOURCE =~ ^docker://$OPEN/vmdock/3-[0-9a-f]{12}@sha256: ]]
    docker create --name empty-registry "${SOURCE#docker://}" /x >/dev/null
    docker rm empty-registry >/dev/null
    DS[REGISTRY]=127.0.0.1:1
    refuses mkfs REGISTRY "connection refused"
}

@test "mkfs for a disk that is saved: a name that can be written to, and nothing there yet" {
    IMG=([id]=8 [format]=save_as)
    local before
    before=$(everything)
    made mkfs
    [[ $(cat "$OUT") =~ ^docker-archive:$BASE/8-[0-9a-f]{12}$ ]]
    DS[REGISTRY]=$OPEN
    made mkfs
    [[ $(cat "$OUT") =~ ^docker://$OPEN/vmdock/8-[0-9a-f]{12}:latest$ ]]
    same "$(everything)" "$before"
    # one that was never filled can be removed
    IMG=([id]=8 [source]=$SOURCE)
    made rm
    # and one that was
    docker tag "$IMAGE" "${SOURCE#docker://}"
    docker push --quiet "${SOURCE#docker://}" >/dev/null
    made rm
    same "$(digest "$OPEN" "$(repository_of "$SOURCE")" latest)" ""
}

# ---- monitor, export, backup --------------------------------------------------------------------

@test "monitor: the file system that the datastore is on" {
    local expected
    mkdir -p "$BASE"
    mount -t tmpfs -o size=64m,uid="$(id -u oneadmin)" small "$BASE"
    head -c 10M /dev/zero >"$BASE/some"
    expected=$(df -B1M --output=used,size,avail "$BASE" | tail -n 1 | awk '{ print "USED_MB=" $1 "\nTOTAL_MB=" $2 "\nFREE_MB=" $3 }')
    made monitor
    same "$(cat "$OUT")" "$expected"
    DS[base]=relative
    refused ds monitor
    has "$(cat "$ERR")" "is not the absolute path of a folder"
}

@test "export: what a marketplace needs" {
    IMG[path]=$SAFE/app.tar
    made cp
    local file=${SOURCE#docker-archive:}
    IMG=([id]=5 [source]=$SOURCE [size]=77)
    made export
    same "$(xmllint --xpath 'string(/IMPORT_INFO/IMPORT_SOURCE)' "$OUT")" "$file"
    same "$(xmllint --xpath 'string(/IMPORT_INFO/MD5)' "$OUT")" "$(md5sum "$file" | cut -d ' ' -f 1)"
    same "$(xmllint --xpath 'concat(/IMPORT_INFO/SIZE, /IMPORT_INFO/FORMAT, /IMPORT_INFO/DISPOSE)' "$OUT")" 77rawNO
    IMG=([id]=5 [source]=docker://reg.example/app@sha256:$(sha256sum </dev/null | cut -d ' ' -f 1))
    made export
    same "$(xmllint --xpath 'string(/IMPORT_INFO/IMPORT_SOURCE)' "$OUT")" "${IMG[source]}"
    IMG=([id]=5 [source]=docker-archive:$BASE/5-000000000000)
    refuses export NO_IMAGE "No such file"
}

@test "backup is refused with a sentence that says what to do instead" {
    refuses backup UNSUPPORTED "onevm disk-saveas"
}

# ---- snapshots ----------------------------------------------------------------------------------

@test "snapshots in a registry: revert, delete, flatten, and rm takes them along" {
    local repository one two
    DS[REGISTRY]=$OPEN
    IMG+=([path]=$SAFE/app.tar [persistent]=1)
    made cp
    repository=$(repository_of "$SOURCE")
    docker tag lab/two "$OPEN/$repository:snap-0"
    docker push --quiet "$OPEN/$repository:snap-0" >/dev/null
    skopeo copy --quiet --dest-tls-verify=false --src-tls-verify=false "docker://$OPEN/$repository:latest" \
        "docker://$OPEN/$repository:snap-1"
    one=$(digest "$OPEN" "$repository" snap-1) two=$(digest "$OPEN" "$repository" snap-0)
    [ "$one" != "$two" ]
    IMG=([id]=5 [source]=$SOURCE [snapshots]="0 1" [target]=0)
    made snap_revert
    same "$(digest "$OPEN" "$repository" latest)" "$two"
    # the image is the same manifest now: it must live
    made snap_delete
    same "$(digest "$OPEN" "$repository" latest)" "$two"
    IMG[target]=1
    made snap_delete
    same "$(digest "$OPEN" "$repository" snap-1)" ""
    made snap_delete
    refuses snap_revert NO_IMAGE "snap-1"
    IMG[target]=0
    made snap_flatten
    same "$(digest "$OPEN" "$repository" latest)" "$two"
    # one that the cloud knows no more
    skopeo copy --quiet --dest-tls-verify=false --src-tls-verify=false docker-archive:"$SAFE/app.tar" \
        "docker://$OPEN/$repository:snap-7"
    made rm
    same "$(curl -s "http://$OPEN/v2/$repository/tags/list" | jq -r '.tags // [] | length')" 0
}

# A persistent image with snapshot 0 in REGISTRY; $REPOSITORY is where.
image_with_snapshot() {
    DS[REGISTRY]=$1
    IMG+=([path]=$SAFE/app.tar [persistent]=1)
    made cp
    REPOSITORY=$(repository_of "$SOURCE")
    docker tag lab/two "$1/$REPOSITORY:snap-0"
    docker push --quiet "$1/$REPOSITORY:snap-0" >/dev/null
}

@test "snapshots that cannot be deleted or made the image: one sentence, and all stays" {
    image_with_snapshot "$OPEN"
    # one that is not there is none to delete, and none to go back to
    IMG=([id]=5 [source]=$SOURCE [snapshots]="0 1" [target]=1)
    refuses snap_flatten NO_IMAGE "snap-1"
    [ -n "$(digest "$OPEN" "$REPOSITORY" snap-0)" ]
    IMG[target]=-1
    refuses snap_delete SPEC "no IMAGE/TARGET_SNAPSHOT"
    refuses snap_flatten SPEC "no IMAGE/TARGET_SNAPSHOT"
    # an image of another registry is none of the datastore's; one whose registry is gone stays for later
    IMG[target]=0
    DS[REGISTRY]=$GUARDED
    refuses snap_delete STATE "lies outside the datastore"
    DS[REGISTRY]=127.0.0.1:1 IMG[source]=docker://127.0.0.1:1/$REPOSITORY:latest
    refuses snap_delete REGISTRY "connection refused"
    refuses snap_flatten REGISTRY "connection refused"
}

@test "a snapshot in a registry that deletes nothing stays, and snap_delete and snap_flatten say so" {
    image_with_snapshot "$KEEPER"
    IMG=([id]=5 [source]=$SOURCE [snapshots]="0" [target]=0)
    refuses snap_delete REGISTRY "the registry does not allow deletion"
    [ -n "$(digest "$KEEPER" "$REPOSITORY" snap-0)" ]
}

@test "snapshots of a file: revert, delete, flatten; an image outside has none" {
    local file action
    IMG[path]=$SAFE/app.tar
    made cp
    file=${SOURCE#docker-archive:}
    install -d -o oneadmin "$file.snap"
    echo zero >"$file.snap/0" && echo one >"$file.snap/1"
    IMG=([id]=5 [source]=$SOURCE [snapshots]="0 1" [target]=1)
    made snap_revert
    same "$(cat "$file")" one
    made snap_delete
    made snap_delete
    refuses snap_revert NO_IMAGE "No such file"
    IMG[target]=0
    made snap_flatten
    same "$(cat "$file") $(find "$file.snap" -type f)" "zero "
    made rm
    same "$(find "$BASE" -mindepth 1)" ""
    for action in snap_revert snap_delete snap_flatten; do
        IMG[source]=docker://$OPEN/team/app:1
        refuses "$action" STATE "lies outside the datastore"
        IMG[source]=docker-archive:/etc/passwd
        refuses "$action" STATE "lies outside the datastore"
    done
}

@test "a snapshot's file that cannot be removed, or is none: one sentence, and the image stays" {
    local file
    IMG[path]=$SAFE/app.tar
    made cp
    file=${SOURCE#docker-archive:}
    mkdir -p "$file.snap/0"
    IMG=([id]=5 [source]=$SOURCE [snapshots]="0 1" [target]=0)
    refuses snap_delete IO "$file.snap/0"
    IMG[target]=1
    refuses snap_flatten NO_IMAGE "snapshot 1 of image $file: No such file"
    same "$(loaded_id "$file")" "$(image_id)"
}
