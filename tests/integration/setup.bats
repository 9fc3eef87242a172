#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmdock-setup on a front end's files and on a node: in a folder of its own, and on this very host, whose
# /etc and /var/lib are the lab's.

load helpers

SETUP=$LAB_PREFIX/sbin/vmdock-setup
DATA=$SOURCES/tests/data/setup
DAEMON=$LAB_DIR/daemon.json

setup_file() {
    lab_ready
    "$LAB" user "$LAB_DIR" oneadmin
    cp "$DAEMON" "$BATS_FILE_TMPDIR/daemon.json"
}

setup() {
    ROOT=$BATS_TEST_TMPDIR/root
    ONE=$ROOT/var/lib/one
    ERR=$BATS_TEST_TMPDIR/err
}

teardown() {
    sweep
    no_chain
    rm -rf "$DAEMON.vmdock-backup" /etc/one /var/lib/one /etc/sudoers.d/vmdock-one
    systemctl disable vmdock-forward.service &>/dev/null
    if ! cmp --silent "$BATS_FILE_TMPDIR/daemon.json" "$DAEMON"; then
        cp "$BATS_FILE_TMPDIR/daemon.json" "$DAEMON"
        reload
        within 5 knows_runtime vmdock
    fi
}

# ---- a front end --------------------------------------------------------------------------------

# front_end ROOT: what of an installed front end vmdock-setup looks at.
front_end() {
    local one=$1/var/lib/one etc=$1/etc/one
    mkdir -p "$etc/vmm_exec" "$one/remotes"/{vmm/kvm,vnm/bridge,im/kvm.d,im/kvm-probes.d/host/system}
    cp "$DATA/oned-7.conf" "$etc/oned.conf"
    cp "$DATA/monitord.conf" "$etc/monitord.conf"
    cp "$DATA/vmm_execrc" "$etc/vmm_exec/vmm_execrc"
    chmod 0640 "$etc/oned.conf"
    echo 7.4.0 >"$one/remotes/VERSION"
    touch "$one/remotes/im/kvm.d/monitord-client.rb" "$one/remotes/im/kvm-probes.d/host/system/monitor_ds.rb"
    install -m 755 /dev/null "$one/remotes/im/kvm.d/monitord-client_control.sh"
    install -m 755 /dev/null "$one/remotes/vmm/kvm/deploy"
    chgrp -R oneadmin "$etc"
    chown -R oneadmin: "$one"
}

# Everything in a folder: names, kinds, modes, owners, content.
tree() {
    (cd "$1" && find . -printf '%p %y %m %u %g %l\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

# refuses STATUS TEXT ARGUMENT…: vmdock-setup ends with the status of that name and one sentence.
refuses() {
    local kind=$1 text=$2 status=0
    shift 2
    "$SETUP" "$@" >/dev/null 2>"$ERR" || status=$?
    same "$status" "$(status_of "$kind")"
    same "$(wc -l <"$ERR")" 1
    has "$(cat "$ERR")" "vmdock-setup: "
    has "$(cat "$ERR")" "$text"
}

@test "front end: all is put in place, a second time changes nothing, and all of it comes out again" {
    front_end "$ROOT"
    local before after
    before=$(tree "$ROOT")
    run -0 "$SETUP" front-end --root "$ROOT"
    has "$output" '+VM_MAD = ['
    has "$output" 'next: systemctl restart opennebula; then, as oneadmin: onehost sync --force'
    cmp "$ROOT/etc/one/oned.conf" "$DATA/oned-7.conf.after"
    cmp "$ROOT/etc/one/monitord.conf" "$DATA/monitord.conf.after"
    cmp "$ROOT/etc/one/vmm_exec/vmm_execrc" "$DATA/vmm_execrc.after"
    cmp "$ROOT/etc/one/oned.conf.vmdock-backup" "$DATA/oned-7.conf"
    same "$(stat -c '%a %G' "$ROOT/etc/one/oned.conf" "$ROOT/etc/one/oned.conf.vmdock-backup" | uniq)" "640 oneadmin"
    after=$(tree "$ROOT")
    run -0 "$SETUP" front-end --root "$ROOT"
    same "$(grep -c 'nothing to change' <<<"$output")" 4
    same "$(tree "$ROOT")" "$after"
    run -0 "$SETUP" front-end --check --root "$ROOT"
    run -0 "$SETUP" front-end --remove --root "$ROOT"
    has "$output" '-VM_MAD = ['
    same "$(tree "$ROOT")" "$before"
    run -0 "$SETUP" front-end --remove --root "$ROOT"
    same "$(tree "$ROOT")" "$before"
}

@test "front end: every script of the product is there, as the cloud user's, and nothing hinders the monitoring client" {
    front_end "$ROOT"
    "$SETUP" front-end --root "$ROOT" >/dev/null
    local remotes=$ONE/remotes product=$LAB_PREFIX/share/vmdock/remotes/opennebula folder
    (cd "$product" && find . -type f) | while read -r file; do
        cmp "$product/$file" "$remotes/$file"
        same "$(stat -c %A "$remotes/$file" | tr -d rw-)" "$(stat -c %A "$product/$file" | tr -d rw-)"
    done
    for folder in host/{beacon,monitor,system} vm/{execution,monitor,snapshot,status}; do
        [ -d "$remotes/im/onedock-probes.d/$folder" ] || fail "no folder $folder"
    done
    [ -x "$remotes/vmm/onedock/deploy" ]
    [ -s "$remotes/vmm/onedock/deploy" ]
    [ ! -x "$remotes/im/onedock.d/monitord-client.rb" ]
    [ -x "$remotes/im/onedock.d/monitord-client_control.sh" ]
    # the host's datastores: OpenNebula's own probe
    [ "$remotes/im/onedock-probes.d/host/system/monitor_ds.rb" -ef "$remotes/im/kvm-probes.d/host/system/monitor_ds.rb" ]
    [ -L "$remotes/im/onedock-probes.d/host/system/monitor_ds.rb" ]
    same "$(find -L "$remotes" -type l)" ""
    same "$(find "$remotes" ! -user oneadmin -o ! -group oneadmin)" ""
    # numa_host.rb is not in this OpenNebula
    [ ! -e "$remotes/im/onedock-probes.d/host/system/numa_host.rb" ]
    # what the front end copies to a node, as it copies it
    rsync -LRaz --delete "$remotes/./" "$BATS_TEST_TMPDIR/node"
}

@test "front end: --dry-run and --check change nothing, and --check says that it is not in place" {
    front_end "$ROOT"
    local before
    before=$(tree "$ROOT")
    run -0 "$SETUP" front-end --dry-run --root "$ROOT"
    has "$output" '+VM_MAD = ['
    has "$output" '  + vmm/onedock/deploy'
    has_not "$output" 'next:'
    same "$(tree "$ROOT")" "$before"
    refuses UNHEALTHY "the front end lacks" front-end --check --root "$ROOT"
    same "$(tree "$ROOT")" "$before"
}

@test "front end: what was edited since stays when vmdock goes" {
    front_end "$ROOT"
    "$SETUP" front-end --root "$ROOT" >/dev/null
    sed -i 's/DEBUG_LEVEL = 3/DEBUG_LEVEL = 5/; s/-r 0 -p onedock/-t 9 -p onedock/' "$ROOT/etc/one/oned.conf"
    "$SETUP" front-end --remove --root "$ROOT" >/dev/null
    diff "$ROOT/etc/one/oned.conf" <(sed 's/DEBUG_LEVEL = 3/DEBUG_LEVEL = 5/' "$DATA/oned-7.conf")
    [ ! -e "$ROOT/etc/one/oned.conf.vmdock-backup" ]
}

@test "front end: an entry of an older version loses its DRIVER, and nothing that was edited" {
    front_end "$ROOT"
    "$SETUP" front-end --root "$ROOT" >/dev/null
    local oned=$ROOT/etc/one/oned.conf
    sed -i '/^TM_MAD_CONF = \[$/,/^\]/{s/^    CLONE_TARGET .*/    CLONE_TARGET  = "SELF",/;s/^    ALLOW_ORPHANS .*/    DRIVER        = "raw",\n&/}' "$oned"
    grep -q '"raw"' "$oned"
    run -22 "$SETUP" front-end --check --root "$ROOT"
    run -0 "$SETUP" front-end --root "$ROOT"
    has "$output" '-    DRIVER        = "raw",'
    has "$output" 'stays as it is, without CLONE_TARGET = "SYSTEM"'
    same "$(diff "$oned" "$DATA/oned-7.conf.after" | grep '^[<>]')" '<     CLONE_TARGET  = "SELF",
>     CLONE_TARGET        = "SYSTEM",'
    run -0 "$SETUP" front-end --remove --root "$ROOT"
    cmp "$oned" "$DATA/oned-7.conf"
}

@test "front end: a script of the same name that was there comes back, one that an older version brought goes" {
    front_end "$ROOT"
    mkdir -p "$ONE/remotes/vmm/onedock"
    echo '# of the original ONEDock' >"$ONE/remotes/vmm/onedock/deploy"
    echo '# mine' >"$ONE/remotes/vmm/onedock/other"
    chown -R oneadmin: "$ONE/remotes/vmm/onedock"
    local before
    before=$(tree "$ROOT")
    run -0 "$SETUP" front-end --root "$ROOT"
    has "$output" '  ! vmm/onedock/deploy'
    grep -q vmdock-one "$ONE/remotes/vmm/onedock/deploy"
    echo vmm/onedock/older >>"$ONE/vmdock-remotes.list"
    touch "$ONE/remotes/vmm/onedock/older"
    run -0 "$SETUP" front-end --root "$ROOT"
    has "$output" '  - vmm/onedock/older'
    [ ! -e "$ONE/remotes/vmm/onedock/older" ]
    run -0 "$SETUP" front-end --remove --root "$ROOT"
    has "$output" '  < vmm/onedock/deploy'
    same "$(tree "$ROOT")" "$before"
}

@test "front end: root follows no link that the cloud user has put in its way" {
    front_end "$ROOT"
    mkdir "$BATS_TEST_TMPDIR/elsewhere"
    ln -s "$BATS_TEST_TMPDIR/elsewhere" "$ONE/remotes/vmm/onedock"
    refuses IO "vmm/onedock" front-end --root "$ROOT"
    same "$(ls -A "$BATS_TEST_TMPDIR/elsewhere")" ""
    cmp "$ROOT/etc/one/oned.conf" "$DATA/oned-7.conf"
    rm "$ONE/remotes/vmm/onedock"
    "$SETUP" front-end --root "$ROOT" >/dev/null
    echo precious >"$BATS_TEST_TMPDIR/elsewhere/precious"
    printf '../../../../../elsewhere/precious\n/etc/passwd\n' >>"$ONE/vmdock-remotes.list"
    "$SETUP" front-end --remove --root "$ROOT" >/dev/null
    same "$(cat "$BATS_TEST_TMPDIR/elsewhere/precious")" precious
}

@test "front end: what cannot be read or is not there is one sentence, and nothing is changed" {
    refuses CONFIG "is the front end of OpenNebula" front-end --root "$ROOT"
    front_end "$ROOT"
    printf '\nBAD = "\n' >>"$ROOT/etc/one/monitord.conf"
    local before
    before=$(tree "$ROOT")
    refuses CONFIG "monitord.conf: line" front-end --root "$ROOT"
    same "$(tree "$ROOT")" "$before"
    cp "$DATA/monitord.conf" "$ROOT/etc/one/monitord.conf"
    rm "$ONE/remotes/im/kvm.d/monitord-client.rb"
    refuses CONFIG "im/kvm.d/monitord-client.rb" front-end --root "$ROOT"
    cmp "$ROOT/etc/one/oned.conf" "$DATA/oned-7.conf"
    rm -r "$ONE/remotes"
    refuses CONFIG "of OpenNebula is not there" front-end --root "$ROOT"
}

@test "front end: on this very host, and in a self-contained OpenNebula" {
    front_end ''
    "$SETUP" front-end >/dev/null
    cmp /etc/one/oned.conf "$DATA/oned-7.conf.after"
    [ -x /var/lib/one/remotes/vmm/onedock/deploy ]
    "$SETUP" front-end --remove >/dev/null
    cmp /etc/one/oned.conf "$DATA/oned-7.conf"
    local one=$BATS_TEST_TMPDIR/one
    mkdir "$one"
    cp -r /etc/one "$one/etc"
    cp -r /var/lib/one "$one/var"
    "$SETUP" front-end --one-location "$one" >/dev/null
    cmp "$one/etc/oned.conf" "$DATA/oned-7.conf.after"
    [ -x "$one/var/remotes/vmm/onedock/deploy" ]
    cmp /etc/one/oned.conf "$DATA/oned-7.conf"
}

# sunstone ONE_ETC ONE_LIB: what of an installed Sunstone vmdock-setup looks at.
sunstone() {
    local module
    LIST=$1/fireedge/sunstone/remotes-config.yaml
    MODULES=$2/fireedge/dist/modules
    mkdir -p "${LIST%/*}" "$MODULES/ConstantsModule"
    echo '// constants' >"$MODULES/ConstantsModule/remoteEntry.js"
    for module in UtilsModule ConstantsModule; do
        printf '%s:\n  name: %s\n  entry: __HOST__/fireedge/modules/%s/remoteEntry.js\n' $module $module $module
    done >"$LIST"
    chown root:oneadmin "$LIST"
    chmod 0640 "$LIST"
}

our_lines() { printf 'OnedockModule:\n  name: OnedockModule\n  entry: __HOST__/fireedge/modules/OnedockModule/remoteEntry.js\n'; }

@test "Sunstone: its module and the lines that name it come, a second time changes nothing, and both go" {
    front_end "$ROOT"
    sunstone "$ROOT/etc/one" "$ROOT/usr/lib/one"
    local before after
    before=$(tree "$ROOT")
    cp "$LIST" "$BATS_TEST_TMPDIR/list"
    run -0 "$SETUP" front-end --dry-run --root "$ROOT"
    has "$output" '+OnedockModule:'
    has "$output" '  + OnedockModule/remoteEntry.js'
    same "$(tree "$ROOT")" "$before"
    run -0 "$SETUP" front-end --root "$ROOT"
    has "$output" '+OnedockModule:'
    has "$output" "$LIST: changed; as it was before: $LIST.vmdock-backup"
    diff "$LIST" <(cat "$BATS_TEST_TMPDIR/list"; our_lines)
    cmp "$LIST.vmdock-backup" "$BATS_TEST_TMPDIR/list"
    same "$(stat -c '%a %U %G' "$LIST")" "640 root oneadmin"
    cmp "$MODULES/OnedockModule/remoteEntry.js" "$LAB_PREFIX/share/vmdock/remotes/sunstone/OnedockModule/remoteEntry.js"
    same "$(stat -c '%a %U' "$MODULES/OnedockModule" "$MODULES/OnedockModule/remoteEntry.js" | paste -sd,)" "755 root,644 root"
    after=$(tree "$ROOT")
    run -0 "$SETUP" front-end --root "$ROOT"
    same "$(grep -c 'nothing to change' <<<"$output")" 6
    has_not "$output" 'next:'
    same "$(tree "$ROOT")" "$after"
    run -0 "$SETUP" front-end --remove --root "$ROOT"
    has "$output" '-OnedockModule:'
    has "$output" '  - OnedockModule/remoteEntry.js'
    same "$(tree "$ROOT")" "$before"
    run -0 "$SETUP" front-end --remove --root "$ROOT"
    same "$(tree "$ROOT")" "$before"
}

@test "Sunstone: what an upgrade of OpenNebula has taken away is told by --check, and comes back" {
    front_end "$ROOT"
    sunstone "$ROOT/etc/one" "$ROOT/usr/lib/one"
    cp "$LIST" "$BATS_TEST_TMPDIR/list"
    "$SETUP" front-end --root "$ROOT" >/dev/null
    local after
    after=$(tree "$ROOT")
    # the folder of the programs is new
    rm -r "$MODULES/OnedockModule"
    refuses UNHEALTHY "the front end lacks" front-end --check --root "$ROOT"
    run -0 "$SETUP" front-end --root "$ROOT"
    has "$output" '  + OnedockModule/remoteEntry.js'
    has "$output" "next: reload Sunstone's page in the browser"
    same "$(tree "$ROOT")" "$after"
    # the list is
    cat "$BATS_TEST_TMPDIR/list" >"$LIST"
    refuses UNHEALTHY "the front end lacks" front-end --check --root "$ROOT"
    "$SETUP" front-end --root "$ROOT" >/dev/null
    same "$(tree "$ROOT")" "$after"
    # the module is of another version
    echo '// older' >"$MODULES/OnedockModule/remoteEntry.js"
    refuses UNHEALTHY "the front end lacks" front-end --check --root "$ROOT"
    run -0 "$SETUP" front-end --root "$ROOT"
    has "$output" '  ! OnedockModule/remoteEntry.js'
    same "$(tree "$ROOT")" "$after"
    "$SETUP" front-end --check --root "$ROOT" >/dev/null
}

@test "Sunstone: where it is not installed, or has no modules, one line says so, and all else is done" {
    front_end "$ROOT"
    run -0 "$SETUP" front-end --root "$ROOT"
    same "$(grep -c 'is not installed here' <<<"$output")" 1
    cmp "$ROOT/etc/one/oned.conf" "$DATA/oned-7.conf.after"
    "$SETUP" front-end --check --root "$ROOT" >/dev/null
    # a list without what it leads to: a line more would lead nowhere
    sunstone "$ROOT/etc/one" "$ROOT/usr/lib/one"
    rm -r "$MODULES"
    cp "$LIST" "$BATS_TEST_TMPDIR/list"
    run -0 "$SETUP" front-end --root "$ROOT"
    same "$(grep -c "$MODULES is not there: .* is not installed here" <<<"$output")" 1
    cmp "$LIST" "$BATS_TEST_TMPDIR/list"
    # modules without a list
    rm "$LIST"
    mkdir -p "$MODULES"
    run -0 "$SETUP" front-end --root "$ROOT"
    same "$(grep -c "$LIST is not there: .* is not installed here" <<<"$output")" 1
    same "$(ls "$MODULES")" ""
    # taken out is what there is
    our_lines >"$LIST"
    rmdir "$MODULES"
    run -0 "$SETUP" front-end --remove --root "$ROOT"
    same "$(cat "$LIST")" ""
}

@test "Sunstone: the list's own words stay, whatever stands in it; what is no such list is refused and stays" {
    front_end "$ROOT"
    sunstone "$ROOT/etc/one" "$ROOT/usr/lib/one"
    cp "$LIST" "$BATS_TEST_TMPDIR/list"
    # comments, another module, the lines of the tutorial of an older version in the midst, no last line end
    { our_lines; printf '# mine\n"Mine" :\n  name: Mine # c\n  entry: http://x/y.js'; } >>"$LIST"
    run -0 "$SETUP" front-end --root "$ROOT"
    has "$output" "$LIST: nothing to change"
    run -0 "$SETUP" front-end --remove --root "$ROOT"
    diff "$LIST" <(cat "$BATS_TEST_TMPDIR/list"; printf '# mine\n"Mine" :\n  name: Mine # c\n  entry: http://x/y.js')
    # what the administrator has it lead to stays, and is told
    { cat "$BATS_TEST_TMPDIR/list"; our_lines | sed 's|__HOST__|https://cdn|'; } >"$LIST"
    run -0 "$SETUP" front-end --root "$ROOT"
    has "$output" "note: Sunstone's module OnedockModule has entry: https://cdn/"
    has "$(cat "$LIST")" "https://cdn/"
    "$SETUP" front-end --remove --root "$ROOT" >/dev/null
    cmp "$LIST" "$BATS_TEST_TMPDIR/list"
    # line ends of DOS
    sed -i 's/$/\r/' "$LIST"
    "$SETUP" front-end --root "$ROOT" >/dev/null
    diff "$LIST" <({ cat "$BATS_TEST_TMPDIR/list"; our_lines; } | sed 's/$/\r/')
    "$SETUP" front-end --remove --root "$ROOT" >/dev/null
    diff "$LIST" <(sed 's/$/\r/' "$BATS_TEST_TMPDIR/list")
    # JSON, which is YAML too, but is nothing that lines can be put behind
    local before
    echo '{"ConstantsModule": {}}' >"$LIST"
    before=$(tree "$ROOT")
    refuses CONFIG "$LIST: line 1: " front-end --root "$ROOT"
    refuses CONFIG "$LIST: line 1: " front-end --remove --root "$ROOT"
    same "$(tree "$ROOT")" "$before"
    : >"$LIST"
    refuses CONFIG "$LIST: it names no module at all" front-end --root "$ROOT"
}

@test "Sunstone: the list never names a file that is not there" {
    front_end "$ROOT"
    sunstone "$ROOT/etc/one" "$ROOT/usr/lib/one"
    cp "$LIST" "$BATS_TEST_TMPDIR/list"
    # no place for the file: no lines either
    touch "$MODULES/OnedockModule"
    refuses IO "cannot look at $MODULES/OnedockModule/remoteEntry.js" front-end --root "$ROOT"
    cmp "$LIST" "$BATS_TEST_TMPDIR/list"
    rm "$MODULES/OnedockModule"
    "$SETUP" front-end --root "$ROOT" >/dev/null
    # the lines cannot go: the file stays
    mount --bind "$LIST" "$LIST"
    run ! "$SETUP" front-end --remove --root "$ROOT"
    umount "$LIST"
    [ -s "$MODULES/OnedockModule/remoteEntry.js" ]
    "$SETUP" front-end --remove --root "$ROOT" >/dev/null
    cmp "$LIST" "$BATS_TEST_TMPDIR/list"
    same "$(ls "$MODULES")" ConstantsModule
}

@test "Sunstone: in a self-contained OpenNebula" {
    local one=$BATS_TEST_TMPDIR/one
    front_end ''
    mkdir "$one"
    cp -r /etc/one "$one/etc"
    cp -r /var/lib/one "$one/var"
    sunstone "$one/etc" "$one/lib"
    "$SETUP" front-end --one-location "$one" >/dev/null
    [ -s "$one/lib/fireedge/dist/modules/OnedockModule/remoteEntry.js" ]
    has "$(cat "$one/etc/fireedge/sunstone/remotes-config.yaml")" "$(our_lines)"
    "$SETUP" front-end --one-location "$one" --remove >/dev/null
    same "$(ls "$MODULES")" ConstantsModule
}

@test "Sunstone: on a machine of its own" {
    refuses CONFIG "is Sunstone, FireEdge of OpenNebula 7, installed here?" sunstone --root "$ROOT"
    sunstone "$ROOT/etc/one" "$ROOT/usr/lib/one"
    local before after
    before=$(tree "$ROOT")
    refuses UNHEALTHY "Sunstone lacks what is shown above; mend it with: vmdock-setup sunstone" sunstone --check --root "$ROOT"
    "$SETUP" sunstone --dry-run --root "$ROOT" >/dev/null
    same "$(tree "$ROOT")" "$before"
    run -0 "$SETUP" sunstone --root "$ROOT"
    has "$output" '+OnedockModule:'
    has "$output" "next: reload Sunstone's page in the browser"
    [ -s "$MODULES/OnedockModule/remoteEntry.js" ]
    after=$(tree "$ROOT")
    "$SETUP" sunstone --check --root "$ROOT" >/dev/null
    "$SETUP" sunstone --root "$ROOT" >/dev/null
    same "$(tree "$ROOT")" "$after"
    "$SETUP" sunstone --remove --root "$ROOT" >/dev/null
    same "$(tree "$ROOT")" "$before"
}

# The table of actions as Sunstone's module of constants gives it to the others, in as many words as count.
@test "Sunstone: the module gives onedock the actions that its hosts take, in whichever order the browser loads" {
    local order
    for order in before after; do
        run -0 node "$SOURCES/tests/lib/sunstone.js" \
            "$LAB_PREFIX/share/vmdock/remotes/sunstone/OnedockModule/remoteEntry.js" $order
        same "$output" '{"reboot":["RUNNING"],"migrate":["POWEROFF"],"poweroff":["RUNNING"]}
{"kvm":"kvm","onedock":"onedock"}
other constants are as they were'
    done
}

@test "wrong command lines" {
    refuses USAGE "usage: vmdock-setup"
    refuses USAGE "usage: vmdock-setup" back-end
    refuses USAGE "usage: vmdock-setup" front-end node
    refuses USAGE "absolute" front-end --root relative
    refuses USAGE "--check" front-end --check --remove
    refuses USAGE "--nonsense" node --nonsense
    run -0 "$SETUP" --help
    has "$output" "front-end"
    run -0 "$SETUP" --version
}

# ---- a node -------------------------------------------------------------------------------------

reload() {
    kill -HUP "$(cat /run/docker.pid)"
}

knows_runtime() {
    docker info --format '{{json .Runtimes}}' | jq -e --arg name "$1" 'has($name)' >/dev/null
}

no_runtime() {
    ! knows_runtime vmdock
}

# The engine's configuration as it is before vmdock comes.
forget_runtime() {
    jq '.runtimes = {}' "$BATS_FILE_TMPDIR/daemon.json" >"$DAEMON"
    reload
    within 5 no_runtime
    cp "$DAEMON" "$BATS_TEST_TMPDIR/daemon.json"
}

no_chain() {
    iptables -D FORWARD -m physdev --physdev-is-bridged -j opennebula 2>/dev/null || true
    iptables -F opennebula 2>/dev/null || true
    iptables -X opennebula 2>/dev/null || true
}

@test "node: the engine learns the runtime without a restart, a VM runs, and it is all taken out again" {
    forget_runtime
    local pid
    pid=$(cat /run/docker.pid)
    run "$SETUP" node
    has "$output" '+    "vmdock": {"path": '
    has "$output" 'the engine has read its configuration again'
    has "$output" 'vmdock-runtime: '
    knows_runtime vmdock
    same "$(jq -S '.runtimes = {}' "$DAEMON")" "$(jq -S . "$BATS_TEST_TMPDIR/daemon.json")"
    cmp "$DAEMON.vmdock-backup" "$BATS_TEST_TMPDIR/daemon.json"
    same "$(stat -c '%a %U' /etc/sudoers.d/vmdock-one)" "440 root"
    visudo --check --strict --file=/etc/sudoers.d/vmdock-one
    systemctl is-enabled vmdock-forward.service
    deploy 70 nic=lab0,10.9.0.70 user="$(element ONEDOCK_FILTER full)"
    same "$(container_state 70)" running
    has "$(nft list tables)" vmdock
    refuses STATE "one-70" node --remove
    knows_runtime vmdock
    vmdock purge one-70
    run -0 "$SETUP" node --remove
    within 5 no_runtime
    cmp "$DAEMON" "$BATS_TEST_TMPDIR/daemon.json"
    [ ! -e "$DAEMON.vmdock-backup" ]
    [ ! -e /etc/sudoers.d/vmdock-one ]
    refused systemctl is-enabled vmdock-forward.service
    has_not "$(nft list tables)" vmdock
    same "$(cat /run/docker.pid)" "$pid"
}

@test "node: an engine that had no list of runtimes at all forgets the runtime when it starts next, and that is said" {
    jq 'del(.runtimes)' "$BATS_FILE_TMPDIR/daemon.json" >"$DAEMON"
    cp "$DAEMON" "$BATS_TEST_TMPDIR/daemon.json"
    "$SETUP" node --no-forward >/dev/null || true
    has "$(cat "$DAEMON")" vmdock-runtime
    run -0 "$SETUP" node --remove --no-forward
    has "$output" 'the engine forgets the runtime when it starts next'
    cmp "$DAEMON" "$BATS_TEST_TMPDIR/daemon.json"
}

@test "node: a second time changes nothing, --dry-run changes nothing at all" {
    forget_runtime
    no_chain
    run -0 "$SETUP" node --dry-run --live-restore
    has "$output" '+  "live-restore": true'
    has "$output" 'would be written'
    cmp "$DAEMON" "$BATS_TEST_TMPDIR/daemon.json"
    no_runtime
    [ ! -e /etc/sudoers.d/vmdock-one ]
    refused iptables -S opennebula
    "$SETUP" node --live-restore >/dev/null
    same "$(docker info --format '{{.LiveRestoreEnabled}}')" true
    local now
    now=$(sha256sum "$DAEMON" "$DAEMON.vmdock-backup" /etc/sudoers.d/vmdock-one)
    run "$SETUP" node --live-restore
    same "$(grep -c 'nothing to change' <<<"$output")" 3
    has_not "$output" 'read its configuration again'
    same "$(sha256sum "$DAEMON" "$DAEMON.vmdock-backup" /etc/sudoers.d/vmdock-one)" "$now"
    "$SETUP" node --remove >/dev/null
    cmp "$DAEMON" "$BATS_TEST_TMPDIR/daemon.json"
}

@test "node: in a folder of its own nothing of this host is touched" {
    mkdir -p "$ROOT/etc"
    run -0 "$SETUP" node --root "$ROOT" --no-forward
    same "$(jq -r .runtimes.vmdock.path "$ROOT/etc/docker/daemon.json")" "$LAB_PREFIX/libexec/vmdock/vmdock-runtime"
    cmp "$BATS_FILE_TMPDIR/daemon.json" "$DAEMON"
    [ ! -e /etc/sudoers.d/vmdock-one ]
    run -0 "$SETUP" node --remove --root "$ROOT" --no-forward
    same "$(find "$ROOT" ! -type d)" ""
}

@test "node: sudo is for the user that the configuration names" {
    cp "$CONF" "$BATS_TEST_TMPDIR/conf"
    printf '[opennebula]\nuser = cloud\n' >>"$CONF"
    mkdir -p "$ROOT/etc"
    run "$SETUP" node --root "$ROOT" --no-forward
    local rights
    rights=$(cat "$ROOT/etc/sudoers.d/vmdock-one")
    printf '[opennebula]\nuser = ALL\n' | cat "$BATS_TEST_TMPDIR/conf" - >"$CONF"
    run "$SETUP" node --root "$ROOT" --no-forward
    cat "$BATS_TEST_TMPDIR/conf" >"$CONF"
    has "$output" 'user: "ALL" is no name'
    same "$(cat "$ROOT/etc/sudoers.d/vmdock-one")" "$rights"
    visudo --check --strict --file="$ROOT/etc/sudoers.d/vmdock-one"
    same "$(grep -c '^cloud ALL=(root) NOPASSWD: ' <<<"$rights") $(grep -c ^oneadmin <<<"$rights")" "1 0"
}

@test "node: --remove is refused for VMs that an engine which does not run cannot tell" {
    deploy 70
    vmdock shutdown one-70
    engine stop
    refuses STATE "1 VMs are on this node (one-70)" node --remove
    engine start
    same "$(container_state 70)" exited
}

@test "node: a configuration that is no JSON stays as it is" {
    local file=$BATS_TEST_TMPDIR/daemon.json
    echo '{"debug": true,}' >"$file"
    refuses CONFIG "$file: line 1" node --engine-config "$file"
    same "$(cat "$file")" '{"debug": true,}'
    [ ! -e /etc/sudoers.d/vmdock-one ]
}

@test "node: --check is vmdock doctor" {
    # doctor counts processes and free room
    diff <("$SETUP" node --check 2>&1 | sed 's/[0-9.]\+/N/g') <(vmdock doctor 2>&1 | sed 's/[0-9.]\+/N/g')
}

# ---- the packet filter --------------------------------------------------------------------------

filtered() {
    [ "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null)" = 1 ]
}

reaches() {
    docker exec one-71 ping -c 1 -W 2 10.9.0.72 >/dev/null
}

@test "packet filter: VMs on one bridge reach each other, and security groups still stop them" {
    filtered || skip "kernel lacks br_netfilter"
    no_chain
    iptables -P FORWARD DROP
    deploy 71 nic=lab0,10.9.0.71
    deploy 72 nic=lab0,10.9.0.72
    refused reaches
    run -0 "$SETUP" forward
    has "$output" 'iptables: traffic between VMs on one bridge is dropped: the chain opennebula is made'
    within 5 reaches
    # what OpenNebula does for a NIC: its rules come before the chain's end
    iptables -I opennebula -m physdev --physdev-out one-72-0 --physdev-is-bridged -j DROP
    refused reaches
    local rules
    rules=$(iptables -S)
    run -0 "$SETUP" forward
    same "$(iptables -S)" "$rules"
    # and it takes the chain for its own: it makes one only where there is none
    iptables -S | grep -qx -- '-N opennebula'
    # routed traffic meets the policy as before
    same "$(iptables -S FORWARD | grep -c -- '-j opennebula')" 1
    same "$(iptables -S FORWARD | grep -- '-j opennebula')" '-A FORWARD -m physdev --physdev-is-bridged -j opennebula'
}

@test "packet filter: a chain that somebody else made is left as it is, and so are rules that accept" {
    filtered || skip "kernel lacks br_netfilter"
    no_chain
    iptables -P FORWARD DROP
    iptables -N opennebula
    run -0 "$SETUP" forward
    has "$output" 'nothing is changed'
    same "$(iptables -S opennebula)" '-N opennebula'
    no_chain
    iptables -P FORWARD ACCEPT
    run -0 "$SETUP" forward
    refused iptables -S opennebula
    iptables -P FORWARD DROP
    run -0 "$SETUP" forward --dry-run
    has "$output" 'would be made'
    refused iptables -S opennebula
}
