# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For the tests that call the scripts of the remotes as OpenNebula's front end calls them on a node: as an
# ordinary user with a bare environment and no sbin in its PATH. Their stderr goes to $ERR, their stdout
# to $OUT. Loaded after helpers.
#
# Contract: OpenNebula 7.4 as recorded. Mechanism A hands a script over in a here-document, one "bash -s" an
# operation; mechanism B calls it by its path with a stdin of its own.

readonly REMOTES=/var/tmp/one
readonly SCRIPTS=$REMOTES/vmm/onedock

# For setup_file: the user, and the installed remotes where the front end copies them to.
front_end_ready() {
    local deploy
    deploy=$(find "$LAB_PREFIX" -path '*/vmm/onedock/deploy' | head -n 1)
    "$LAB" user "$LAB_DIR" oneadmin
    mkdir -p "$REMOTES"
    cp -rL "${deploy%/vmm/onedock/deploy}"/. "$REMOTES/"
    echo 7.4.0 >"$REMOTES/VERSION"
    chmod -R a+rX "$REMOTES"
}

# For setup.
front_end_files() {
    ERR=$BATS_TEST_TMPDIR/err OUT=$BATS_TEST_TMPDIR/out
    echo 7.4.0 >"$REMOTES/VERSION"
}

as_oneadmin() {
    ERR=$BATS_TEST_TMPDIR/err OUT=$BATS_TEST_TMPDIR/out
    runuser -u oneadmin -- env -i LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/usr/games \
        HOME=/run/oneadmin USER=oneadmin bash "$@" >"$OUT" 2>"$ERR" 3>&-
}

quoted() {
    local argument
    for argument; do
        printf ' %q' "$argument"
    done
}

# The path of a script: SCRIPT is below the remotes, or of the VMM.
script_path() {
    case $1 in
        */*) printf '%s/%s' "$REMOTES" "$1" ;;
        *) printf '%s/%s' "$SCRIPTS" "$1" ;;
    esac
}

# remote SCRIPT ARGUMENT…, the script's stdin on stdin: by mechanism A.
remote() {
    local script
    script=$(script_path "$1")
    shift
    {
        printf "%s%s <<'EOT'\n" "$script" "$(quoted "$@")"
        cat
        printf '\nEOT\n'
    } >"$BATS_TEST_TMPDIR/script"
    chmod a+r "$BATS_TEST_TMPDIR/script"
    as_oneadmin -c 'cd; exec bash -s' <"$BATS_TEST_TMPDIR/script"
}

# remote_direct SCRIPT ARGUMENT…, the script's stdin on stdin: by mechanism B.
remote_direct() {
    local script
    script=$(script_path "$1")
    shift
    as_oneadmin -c "cd; if [ -x \"$script\" ]; then $script$(quoted "$@"); else exit 42; fi"
}

# action_data ID [as vm_xml]: what every VMM action but deploy gets.
action_data() {
    printf '<VMM_DRIVER_ACTION_DATA><HOST>node1</HOST><MIGR_HOST/><DEPLOY_ID>one-%s</DEPLOY_ID>' "$1"
    printf '<LOCAL_DEPLOYMENT_FILE/><REMOTE_DEPLOYMENT_FILE/><CHECKPOINT_FILE/><TM_COMMAND/>'
    printf '<TM_COMMAND_ROLLBACK/><DISK_TARGET_PATH/>%s<DATASTORE/></VMM_DRIVER_ACTION_DATA>' "$(vm_xml "$@")"
}

one_deploy() {
    local id=$1
    remote deploy "/var/lib/one//datastores/102/$id/deployment.0" node1 "$id" node1 < <(vm_xml "$@")
}

# one ACTION ID [as vm_xml]: an action whose argv is the deploy id and the host.
one() {
    local action=$1 id=$2
    shift 2
    remote "$action" "one-$id" node1 "$id" node1 < <(action_data "$id" "$@")
}

# attach_nic ID IP [as vm_xml]: the NIC with the MAC of that address; the XML has it already.
attach_nic() {
    local id=$1 mac
    mac=$(mac_of "$2")
    shift 2
    remote attach_nic "one-$id" "$mac" lab0 - bridge "one-$id-x" "$id" node1 < <(action_data "$id" "$@")
}

# detach_nic ID IP [as vm_xml]
detach_nic() {
    local id=$1 mac
    mac=$(mac_of "$2")
    shift 2
    remote detach_nic "one-$id" "$mac" "$id" node1 < <(action_data "$id" "$@")
}

# recorded ACTION: the stdin of a real front end's call for VM 1; without the recordings, the same in
# short.
recorded() {
    if [ -n "${VMDOCK_RECORDS:-}" ]; then
        sed -n '/^--- stdin/,/^--- stdout/p' "$VMDOCK_RECORDS/opennebula/records/vmm-$1-001.txt" | grep -v '^--- '
    else
        action_data 1 memory=512 cpu=1 vcpu=3
    fi
}

# What a front end of the version in VERSION shows its user.
message() {
    case $(cat "$REMOTES/VERSION") in
        7.*) grep -vE '^(ERROR|INFO|WARN|DEBUG): ' "$ERR" | tr -d '\n' ;;
        6.[2-9]* | 6.10*) tr '\n' ' ' <"$ERR" ;;
        *) sed -n '/^ERROR MESSAGE --8<------$/,/^ERROR MESSAGE ------>8--$/p' "$ERR" | sed '1d;$d' ;;
    esac
}

# denied KIND TEXT COMMAND…: the action ends with the exit status of KIND, and its message has TEXT.
denied() {
    local kind=$1 text=$2 expected status=0
    shift 2
    expected=$(status_of "$kind")
    "$@" || status=$?
    [ "$status" -eq "$expected" ] || fail "status $status instead of $expected ($kind): $(cat "$ERR")" || return 1
    has "$(message)" "$text"
}

# The action failed, whatever its status, and its user is told one sentence that has TEXT.
refused_with() {
    local text=$1 sentence status=0
    shift
    "$@" || status=$?
    if [ "$status" -eq 0 ] || [ "$status" -eq 42 ]; then
        fail "status $status: $*"
        return 1
    fi
    sentence=$(grep -vE '^(INFO|WARN|DEBUG): ' "$ERR")
    same "$(wc -l <<<"$sentence")" 1 && has "$sentence" "$text"
}
