#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2153 # texts that are not expanded; CONF is the helpers'
# What the cloud tells a VM, and has done in it: the folder with context.sh and the files, keys,
# password, host name, start script; prereconfigure and reconfigure, called as OpenNebula calls them.
#
# Contract: CONTEXT and the context image of OpenNebula 7.4 (TM action "context").

load helpers

NIC=nic=lab0,10.9.0.80
DATASTORES=$LAB_DIR/datastores
SCRIPTS=/var/tmp/one/vmm/onedock
HASH='$6$salt$hash'

setup_file() {
    lab_ready
    "$LAB" user "$LAB_DIR" oneadmin
    mkdir -p "$SCRIPTS"
    local script
    script=$(find "$LAB_PREFIX" -path '*/vmm/onedock/reconfigure' | head -n 1)
    cp -L "${script%/*}"/* "$SCRIPTS/"
    chmod -R a+rX /var/tmp/one
    echo 7.4.0 >/var/tmp/one/VERSION
    cp "$CONF" "$LAB_DIR/conf.before"
    printf '\n[opennebula]\ndatastores = %s\n[context]\nscript_timeout_s = 2\nscript_log_bytes = 1024\n' \
        "$DATASTORES" >>"$CONF"
    # a system with passwords, and one with nothing but a program that has no shell's name
    image lab/accounts:1 'RUN printf "root:*:1:0:99999:7:::\nguest::1:0:99999:7:::\n" >/etc/shadow && chmod 640 /etc/shadow'
    mkdir -p "$LAB_DIR/bare/busy"
    cp "$(command -v busybox)" "$LAB_DIR/bare/busy/busybox-only"
    tar -C "$LAB_DIR/bare" -c . |
        docker import --change 'ENTRYPOINT ["/busy/busybox-only", "sleep", "1000"]' - lab/bare:1 >/dev/null
}

teardown_file() {
    cat "$LAB_DIR/conf.before" >"$CONF"
    rm -rf "$DATASTORES" "$LAB_DIR/bare"
}

setup() {
    remember_state
    ERR=$BATS_TEST_TMPDIR/err OUT=$BATS_TEST_TMPDIR/out
    rm -rf "$DATASTORES"
    mkdir -p "$DATASTORES/102/80"
}

teardown() {
    engine start
    sweep
}

# context NAME=VALUE…: the elements of CONTEXT.
context() {
    local item
    for item; do
        element "${item%%=*}" "${item#*=}"
    done
}

# xml CONTEXT [as vm_xml]: the XML of VM 80, with NIC, CONTEXT and history.
xml() {
    local told=$1
    shift
    vm_xml 80 "$NIC" "$@" "template=<CONTEXT>$told</CONTEXT>" |
        sed 's|</VM>|<HISTORY_RECORDS><HISTORY><DS_ID>102</DS_ID></HISTORY></HISTORY_RECORDS></VM>|'
}

# iso TARGET: an ISO of the folder $BATS_TEST_TMPDIR/tree, as the transfer driver makes it.
iso() {
    xorriso -as mkisofs -o "$1" -V CONTEXT -J -R "$BATS_TEST_TMPDIR/tree" 2>/dev/null
}

# tree: an empty folder for the next image.
tree() {
    rm -rf "$BATS_TEST_TMPDIR/tree"
    mkdir -p "$BATS_TEST_TMPDIR/tree"
    cd "$BATS_TEST_TMPDIR/tree" || return
}

# remote ACTION ARGUMENT… with the script's stdin on stdin, as the front end calls it.
remote() {
    local line=$SCRIPTS/$1 argument status=0
    shift
    for argument; do
        line+=" $(printf '%q' "$argument")"
    done
    { printf "%s <<'EOT'\n" "$line" && cat && printf '\nEOT\n'; } >"$BATS_TEST_TMPDIR/script"
    chmod a+r "$BATS_TEST_TMPDIR/script"
    runuser -u oneadmin -- env -i LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/usr/games \
        HOME=/run/oneadmin bash -c 'cd; exec bash -s' <"$BATS_TEST_TMPDIR/script" >"$OUT" 2>"$ERR" || status=$?
    return "$status"
}

action_data() {
    printf '<VMM_DRIVER_ACTION_DATA><HOST>node1</HOST><DEPLOY_ID>one-80</DEPLOY_ID>%s</VMM_DRIVER_ACTION_DATA>' "$(cat)"
}

one_deploy() {
    xml "$@" | remote deploy "$DATASTORES//102/80/deployment.0" node1 80 node1
}

# reconfigure CONTEXT [as vm_xml]: both actions, as after onevm updateconf.
reconfigure() {
    xml "$@" | action_data | remote prereconfigure one-80 sdb 80 node1 &&
        xml "$@" | action_data | remote reconfigure one-80 sdb "$DATASTORES//102/80/disk.1" 80 node1
}

in_vm() {
    docker exec one-80 "$@"
}

@test "context.sh from the XML alone is there at the first instruction, and cannot be written" {
    one_deploy "$(context 'FOO=a "q" <b> $(id) '\''c'\' 'EMPTY=' VMID=80)"
    same "$(in_vm sh -c '. /mnt/context/context.sh; printf %s "$FOO"')" "a \"q\" <b> \$(id) 'c'"
    same "$(in_vm sh -c '. /mnt/context/context.sh; echo "$ETH0_IP $ETH0_MAC ${EMPTY-unset}"')" "10.9.0.80 $(mac_of 10.9.0.80) "
    has "$(in_vm ip addr show eth0)" "$(mac_of 10.9.0.80)"
    refused in_vm sh -c 'echo >/mnt/context/context.sh'
    refused in_vm sh -c 'echo >/mnt/context/new'
    # somebody who is not root in the container reads it; nobody on the host does
    docker exec --user guest one-80 cat /mnt/context/context.sh >/dev/null
    refused runuser -u oneadmin -- cat "$STATE/one-80/context/context.sh"
    vmdock purge one-80
    nothing_left
}

@test "an operator's umask keeps nothing of it from users of the container" {
    (umask 077 && xml "$(context A=1)" | vmdock deploy -)
    same "$(stat -c %a "$STATE/one-80/context" "$STATE/one-80/context/context.sh" | tr '\n' ' ')" "755 644 "
}

@test "the first instruction finds it" {
    image lab/reads:1 'CMD ["sh", "-c", "cat /mnt/context/context.sh; sleep 1000"]'
    one_deploy "$(context GREETING=hello)" image=docker://lab/reads:1
    within 2 grep -q "GREETING='hello'" <(docker logs one-80)
}

@test "the image's files, by their names and rights; what it should have and has not is named once" {
    tree
    printf "%s\n" "# Context variables" "DISK_ID='1'" "FOO='of the image'" >context.sh
    echo token >token.txt
    mkdir sub && echo 'echo init' >sub/init.sh && chmod 755 sub/init.sh
    echo private >private && chmod 600 private
    iso "$DATASTORES/102/80/disk.1"
    one_deploy "$(context DISK_ID=1 FOO=xml TOKEN=YES 'FILES_DS=/var/lib/one/datastores/2/abc:'\''private'\'' /x/lost.txt')"
    same "$(in_vm cat /mnt/context/token.txt)" token
    same "$(in_vm sh /mnt/context/sub/init.sh)" init
    same "$(in_vm sh -c '. /mnt/context/context.sh; echo $FOO')" "of the image"
    refused docker exec --user guest one-80 cat /mnt/context/private
    docker exec --user guest one-80 cat /mnt/context/token.txt >/dev/null
    same "$(grep -c 'files of the context are missing: lost.txt' "$ERR")" 1
    vmdock purge one-80
    nothing_left
}

@test "an image that only its owner may read, where a file server gives root no more rights than others" {
    tree && echo "FOO='of the image'" >context.sh && iso "$DATASTORES/102/80/disk.1"
    chown oneadmin "$DATASTORES/102/80/disk.1"
    chmod 600 "$DATASTORES/102/80/disk.1"
    chmod a+x "$DATASTORES" "$DATASTORES/102" "$DATASTORES/102/80"
    xml "$(context DISK_ID=1 FOO=1)" | setpriv --bounding-set -dac_override,-dac_read_search \
        --inh-caps -dac_override,-dac_read_search vmdock deploy - 2>"$ERR"
    has_not "$(cat "$ERR")" "is not read"
    same "$(in_vm sh -c '. /mnt/context/context.sh; echo $FOO')" "of the image"
}

@test "no image: its files are missing, in one line, and the VM runs" {
    one_deploy "$(context DISK_ID=1 FILES=/a/b.txt TOKEN=YES A=1)"
    same "$(grep -c 'missing: b.txt, token.txt' "$ERR")" 1
    same "$(in_vm sh -c '. /mnt/context/context.sh; echo $A')" 1
}

@test "links, devices and broken images: nothing of the host is read, and the VM runs" {
    tree
    ln -s /etc/shadow link && ln -s / root && mkfifo fifo && echo 1 >good
    iso "$DATASTORES/102/80/disk.1"
    one_deploy "$(context DISK_ID=1)"
    same "$(in_vm ls /mnt/context | tr '\n' ' ')" "context.sh good "
    has "$(cat "$ERR")" "3 links, devices or names"
    head -c 300000 /dev/urandom >"$DATASTORES/102/80/disk.1"
    reconfigure "$(context DISK_ID=1)"
    has "$(cat "$ERR")" "context image is not read"
    same "$(in_vm ls /mnt/context)" context.sh
}

@test "links in the datastore's place are not followed" {
    tree && echo secret >secret && iso "$BATS_TEST_TMPDIR/elsewhere.iso"
    mkdir -p "$BATS_TEST_TMPDIR/80" && cp "$BATS_TEST_TMPDIR/elsewhere.iso" "$BATS_TEST_TMPDIR/80/disk.1"
    ln -s "$BATS_TEST_TMPDIR/elsewhere.iso" "$DATASTORES/102/80/disk.1"
    one_deploy "$(context DISK_ID=1)"
    same "$(in_vm ls /mnt/context)" context.sh
    rm -r "$DATASTORES/102" && ln -s "$BATS_TEST_TMPDIR" "$DATASTORES/102"
    reconfigure "$(context DISK_ID=1)"
    same "$(in_vm ls /mnt/context)" context.sh
    has "$(cat "$ERR")" "symbolic links"
    rm "$DATASTORES/102" && mkdir -p "$DATASTORES/102/80" && mkfifo "$DATASTORES/102/80/disk.1"
    reconfigure "$(context DISK_ID=1)"
    has "$(cat "$ERR")" "no regular file"
}

@test "paths that are not the VM's own below the datastores are refused" {
    one_deploy "$(context A=1)"
    local path
    for path in /etc/shadow "$DATASTORES/102/81/disk.1" "$DATASTORES/102/80/../80/disk.1" "$DATASTORES/102/80/disk.1/x" \
        "$DATASTORES/102/80/deployment.1" "$DATASTORES/../102/80/disk.1" "${DATASTORES}x/102/80/disk.1" \
        "$DATASTORES/102/80/disk.1x" '' 102/80/disk.1; do
        refused remote reconfigure one-80 sdb "$path" 80 node1 < <(xml "$(context A=2)" | action_data)
        has "$(cat "$ERR")" "is no disk of VM 80"
    done
    same "$(in_vm sh -c '. /mnt/context/context.sh; echo $A')" 1
}

@test "SSH keys are there before the first instruction, added once, with the owner and modes that sshd wants" {
    image lab/keys:1 'CMD ["sh", "-c", "cat /root/.ssh/authorized_keys; sleep 1000"]'
    one_deploy "$(context $'SSH_PUBLIC_KEY=ssh-ed25519 AAAA one\nssh-rsa BBBB two')" image=docker://lab/keys:1
    within 2 grep -q 'ssh-ed25519 AAAA one' <(docker logs one-80)
    same "$(in_vm stat -c '%a %U' /root/.ssh /root/.ssh/authorized_keys | tr '\n' ' ')" "700 root 600 root "
    in_vm sh -c 'echo "ssh-rsa CCCC own" >>/root/.ssh/authorized_keys'
    vmdock cancel one-80
    one_deploy "$(context 'SSH_PUBLIC_KEY=ssh-ed25519 AAAA one')" image=docker://lab/keys:1
    same "$(in_vm cat /root/.ssh/authorized_keys)" $'ssh-ed25519 AAAA one\nssh-rsa BBBB two\nssh-rsa CCCC own'
}

@test "keys of USERNAME; a user that is not there is made" {
    one_deploy "$(context USERNAME=guest 'SSH_PUBLIC_KEY=ssh-rsa K g')" image=docker://lab/accounts:1
    same "$(in_vm stat -c '%a %U' /home/guest/.ssh/authorized_keys)" "600 guest"
    refused in_vm test -e /root/.ssh
    vmdock purge one-80
    one_deploy "$(context USERNAME=alice 'SSH_PUBLIC_KEY=ssh-rsa K a' "CRYPTED_PASSWORD=$HASH")" image=docker://lab/accounts:1
    same "$(in_vm stat -c '%a %U' /home/alice /home/alice/.ssh/authorized_keys | tr '\n' ' ')" "755 alice 600 alice "
    same "$(in_vm grep ^alice: /etc/shadow | cut -d: -f1,2)" "alice:$HASH"
    same "$(docker exec --user alice one-80 id -un)" alice
}

@test "a password is a hash in the container's shadow, and nowhere else" {
    tree
    printf "PASSWORD='%s'\n" "hunter'\\''two" >context.sh
    iso "$DATASTORES/102/80/disk.1"
    one_deploy "$(context DISK_ID=1 PASSWORD=QUJDREVGR0hJSktMTU5PUA== 'START_SCRIPT=echo hunter3')" image=docker://lab/accounts:1
    local hash
    hash=$(in_vm grep ^root: /etc/shadow | cut -d: -f2)
    [[ $hash == '$6$'* ]]
    same "$(openssl passwd -6 -salt "$(cut -d'$' -f3 <<<"$hash")" "hunter'two")" "$hash"
    same "$(in_vm stat -c '%a %U' /etc/shadow)" "640 root"
    same "$(in_vm grep ^guest: /etc/shadow)" "guest::1:0:99999:7:::"
    xml "$(context PASSWORD=hunter2 'START_SCRIPT=hunter3' MY_SECRET=hunter4)" >"$BATS_TEST_TMPDIR/x.xml"
    has_not "$(cat "$ERR"; vmdock show --json one-80; vmdock show one-80; docker inspect one-80; vmdock explain --json "$BATS_TEST_TMPDIR/x.xml"; vmdock explain "$BATS_TEST_TMPDIR/x.xml")" hunter
    same "$(stat -c %a "$STATE/one-80" "$STATE/one-80/spec.json" | tr '\n' ' ')" "700 600 "
}

@test "a password that came encrypted is not taken for one; an open account then fails the deploy" {
    one_deploy "$(context PASSWORD=QUJDREVGR0hJSktMTU5PUA==)" image=docker://lab/accounts:1
    has "$(cat "$ERR")" "the front end sent it encrypted"
    same "$(in_vm grep ^root: /etc/shadow | cut -d: -f2)" '*'
    vmdock purge one-80
    refused one_deploy "$(context USERNAME=guest PASSWORD=QUJDREVGR0hJSktMTU5PUA==)" image=docker://lab/accounts:1
    has "$(cat "$ERR")" "cannot set the password of the user guest"
    docker rmi vmdock/one-80:disk.0 >/dev/null 2>&1 || true
    nothing_left
}

@test "a read-only root: no keys, one warning, and the context is there" {
    one_deploy "$(context 'SSH_PUBLIC_KEY=ssh-rsa K x' A=1)" "user=$(element ONEDOCK_READONLY_ROOT YES)"
    same "$(grep -c 'the SSH keys of the user root are not set' "$ERR")" 1
    in_vm test -e /mnt/context/context.sh
}

@test "links that an image puts in the way of keys and passwords lead nowhere on the host" {
    echo untouched >"$LAB_DIR/victim"
    image lab/links:1 "RUN rm -rf /root && ln -s $LAB_DIR /root && mkdir -p $LAB_DIR && ln -s $LAB_DIR/victim /etc/shadow"
    one_deploy "$(context 'SSH_PUBLIC_KEY=ssh-rsa K x' "CRYPTED_PASSWORD=$HASH")" image=docker://lab/links:1
    same "$(cat "$LAB_DIR/victim")" untouched
    [ ! -e "$LAB_DIR/.ssh" ]
    same "$(in_vm cat "$LAB_DIR/.ssh/authorized_keys")" "ssh-rsa K x"
    has "$(cat "$ERR")" "the password of the user root is not set"
    in_vm sh -c "rm -r $LAB_DIR/.ssh; ln -s / $LAB_DIR/.ssh"
    reconfigure "$(context 'SSH_PUBLIC_KEY=ssh-rsa K x')"
    has "$(cat "$ERR")" "the SSH keys of the user root are not set"
}

@test "the start script runs as root at every boot, with the variables, and nobody waits for it" {
    local began=$SECONDS
    one_deploy "$(context 'START_SCRIPT=echo "$GREETING as $(id -u) in $(pwd)"; echo boot >>/root/boots; exec sleep 1' GREETING=hello)"
    [ $((SECONDS - began)) -lt 3 ]
    within 4 grep -q 'ended with status 0' "$STATE/one-80/script.log"
    has "$(cat "$STATE/one-80/script.log")" "hello as 0 in /mnt/context"
    same "$(stat -c %a "$STATE/one-80/script.log")" 600
    xml "" | action_data | remote reboot one-80 node1 80 node1
    within 4 test "$(in_vm grep -c boot /root/boots)" = 2
    vmdock shutdown one-80
    one_deploy "$(context START_SCRIPT_BASE64="$(printf '#!/bin/awk -f\nBEGIN { print "from awk" }' | base64 -w0)")"
    within 4 grep -q 'from awk' "$STATE/one-80/script.log"
    vmdock purge one-80
    nothing_left
}

@test "a start script without an end is ended with what it started, and its output is bounded" {
    one_deploy "$(context 'START_SCRIPT=sleep 4321 & yes')"
    within 6 grep -q 'did not answer within 2.0 s' "$STATE/one-80/script.log"
    [ "$(wc -c <"$STATE/one-80/script.log")" -lt 2000 ]
    has "$(cat "$STATE/one-80/script.log")" "there was more output"
    within 2 refused in_vm pgrep -f 'sleep 4321|yes'
}

@test "an image without a shell, users and passwords boots, with one warning for each thing asked" {
    one_deploy "$(context START_SCRIPT=id 'SSH_PUBLIC_KEY=ssh-rsa K x' PASSWORD=x GROW_ROOTFS=YES SET_HOSTNAME=bare A=1)" image=docker://lab/bare:1
    same "$(container_state 80)" running
    same "$(grep -c 'has no /bin/sh' "$ERR")" 1
    same "$(grep -c 'no /etc/shadow' "$ERR")" 1
    has_not "$(cat "$ERR")" GROW
    has "$(docker exec one-80 /busy/busybox-only cat /mnt/context/context.sh)" "A='1'"
    same "$(docker exec one-80 /busy/busybox-only cat /root/.ssh/authorized_keys)" "ssh-rsa K x"
    same "$(docker exec one-80 /busy/busybox-only hostname)" bare
    vmdock purge one-80
    nothing_left
}

@test "variables of the environment by their prefix, and the mount point of the configuration" {
    local conf
    one_deploy "$(context ONEDOCK_ENV_COLOUR=red ONEDOCK_ENV_LAB=context)" "user=$(element ONEDOCK_ENV LAB=template)"
    same "$(in_vm sh -c 'echo $COLOUR $LAB')" "red template"
    vmdock purge one-80
    conf=$(config_with '[context]' 'mount_point = /mnt' 'env_prefix = MY_')
    xml "$(context MY_COLOUR=blue)" | vmdock --config="$conf" deploy -
    same "$(in_vm sh -c '. /mnt/context.sh; echo $MY_COLOUR $COLOUR')" "blue blue"
}

@test "reconfigure: the VM that runs sees new variables, files, keys, host name and addresses" {
    one_deploy "$(context DISK_ID=1 SET_HOSTNAME=old FOO=1 'START_SCRIPT=echo run >>/root/runs')"
    within 4 grep -q 'ended with status 0' "$STATE/one-80/script.log"
    local id
    id=$(container_id 80)
    tree && echo "FOO='2'" >context.sh && echo new >new.txt && iso "$DATASTORES/102/80/disk.1"
    NIC=nic=lab0,10.9.0.81 reconfigure "$(context DISK_ID=1 SET_HOSTNAME=new FOO=2 'SSH_PUBLIC_KEY=ssh-rsa K x' 'START_SCRIPT=echo run >>/root/runs' ONEDOCK_ENV_X=1)"
    same "$(cat "$OUT")" ""
    same "$(in_vm sh -c '. /mnt/context/context.sh; echo $FOO; cat /mnt/context/new.txt; hostname; cat /root/.ssh/authorized_keys')" \
        $'2\nnew\nnew\nssh-rsa K x'
    same "$(addresses 80)" 10.9.0.81/24
    has "$(cat "$ERR")" "goes on with its old environment"
    same "$(container_id 80)" "$id"
    same "$(in_vm cat /root/runs)" run
    # what was told last is what the next boot has
    xml "" | action_data | remote reset one-80 node1 80 node1
    same "$(in_vm hostname)" new
    same "$(addresses 80)" 10.9.0.81/24
    vmdock purge one-80
    nothing_left
}

# context.sh and the guest's links say the same of their addresses and MACs; prints what context.sh says.
told_of_nics() {
    local number mac ip told
    # the links, without the loopback
    told=$(in_vm sh -c '. /mnt/context/context.sh; set' | sed -n "s/^ETH\([0-9]\)_MAC='\?\([^']*\).*/\1 \2/p" | sort)
    same "$told" "$(ip -j -n one-80 link show | jq -r '.[] | select(.ifname != "lo") | "\(.ifname[3:]) \(.address)"' | sort)" || return 1
    while read -r number mac; do
        ip=$(in_vm sh -c ". /mnt/context/context.sh; echo \$ETH${number}_IP")
        same "$(addresses 80 "eth$number" | sed 's|/.*||; /:/d')" "$ip" || return 1
        echo "eth$number $mac $ip"
    done <<<"$told"
}

@test "what context.sh says of the NICs is what is plugged: after deploy, attach, detach and reconfigure" {
    local second=nic=lab0,10.9.0.82 first_told
    one_deploy "$(context A=1)"
    first_told="eth0 $(mac_of 10.9.0.80) 10.9.0.80"
    same "$(told_of_nics)" "$first_told"
    # what the front end calls for an attach, and for a detach
    xml "$(context A=1)" "$second" | action_data |
        remote attach_nic one-80 "$(mac_of 10.9.0.82)" lab0 - bridge one-80-1 80 node1
    reconfigure "$(context A=1)" "$second"
    same "$(told_of_nics)" "$first_told
eth1 $(mac_of 10.9.0.82) 10.9.0.82"
    xml "$(context A=1)" "$second" | action_data | remote detach_nic one-80 "$(mac_of 10.9.0.82)" 80 node1
    reconfigure "$(context A=1)"
    same "$(told_of_nics)" "$first_told"
    NIC=nic=lab0,10.9.0.81 reconfigure "$(context A=2)"
    same "$(told_of_nics)" "eth0 $(mac_of 10.9.0.81) 10.9.0.81"
}

@test "other name servers by reconfigure: the container keeps those it was made with, which is told" {
    one_deploy "$(context A=1 DNS=10.9.0.53)"
    reconfigure "$(context A=2 DNS=10.9.0.54)"
    same "$(grep -c 'goes on with its old DNS; only a new one can take the change' "$ERR")" 1
    same "$(in_vm cat /etc/resolv.conf)" "nameserver 10.9.0.53"
    same "$(in_vm sh -c '. /mnt/context/context.sh; echo $DNS')" 10.9.0.54
}

# An alias of NIC 0, as the cloud adds it to the VM and its context.
with_alias() {
    printf '<NIC_ALIAS>'
    context NIC_ID=1 PARENT_ID=0 PARENT=NIC0 ALIAS_ID=0 NAME=NIC0_ALIAS1 IP=10.9.0.83 IP6=fd09::83 "MAC=$(mac_of 10.9.0.83)" "$@"
    printf '</NIC_ALIAS><CONTEXT>%s</CONTEXT>' "$(context ETH0_ALIAS0_IP=10.9.0.83 ETH0_ALIAS0_MASK=255.255.255.0)"
}

@test "an alias that is attached to a VM that runs, and detached: its addresses come and go with reconfigure" {
    one_deploy "$(context A=1)"
    local index
    index=$(cat /sys/class/net/one-80-0/ifindex)
    reconfigure "$(context A=1)" "template=$(with_alias ATTACH=YES)" || fail "$(cat "$ERR")"
    has "$(addresses 80)" 10.9.0.80/24
    has "$(addresses 80)" 10.9.0.83/24
    has "$(addresses 80)" fd09::83/64
    ping -c 1 -W 5 -q 10.9.0.83
    xml "" | action_data | remote reboot one-80 node1 80 node1
    has "$(addresses 80)" 10.9.0.83/24
    reconfigure "$(context A=1)"
    same "$(addresses 80)" 10.9.0.80/24
    refused ping -c 1 -W 1 -q 10.9.0.83
    same "$(cat /sys/class/net/one-80-0/ifindex)" "$index"
}

@test "reconfigure while the engine is down: one sentence, and what was told before stays" {
    one_deploy "$(context A=1)"
    engine stop
    refused reconfigure "$(context A=2)"
    same "$(grep -cvE '^(INFO|WARN): ' "$ERR")" 1
    has "$(cat "$ERR")" "container engine"
    engine start
    has "$(cat "$STATE/one-80/context/context.sh")" "A='1'"
}

@test "reconfigure plugs no NIC and takes none out: that is for attach and detach" {
    one_deploy "$(context A=1)" nic=lab0,10.9.0.82
    xml "$(context A=2)" | action_data | remote reconfigure one-80 sdb "$DATASTORES/102/80/disk.1" 80 node1
    same "$(addresses 80 eth1)" 10.9.0.82/24
    vmdock purge one-80
    one_deploy "$(context A=1)"
    xml "$(context A=2)" nic=lab0,10.9.0.82 | action_data | remote reconfigure one-80 sdb "$DATASTORES/102/80/disk.1" 80 node1
    refused in_sandbox 80 ip link show eth1
    same "$(addresses 80)" 10.9.0.80/24
    same "$(in_vm sh -c '. /mnt/context/context.sh; echo $A')" 2
}

# Without what the guest is told of its NICs, and so without their names.
untold() {
    sed 's|<ETH[0-9]_[A-Z0-9_]*><![[]CDATA[[][^]]*[]][]]></ETH[^>]*>||g'
}

@test "a NIC whose name the cloud numbers anew is the same one after each reconfigure" {
    local index a second=nic=lab0,10.9.0.82
    xml "$(context A=1)" "$second" | untold | remote deploy "$DATASTORES//102/80/deployment.0" node1 80 node1
    index=$(cat /sys/class/net/one-80-1/ifindex)
    remote detach_nic one-80 "$(mac_of 10.9.0.80)" 80 node1 < <(xml "$(context A=1)" "$second" | untold | action_data)
    # only NIC 1 is left, and would be called eth0 now
    for a in 2 3; do
        xml "$(context A=$a)" "$second" | untold | sed 's|<NIC><NIC_ID>.*one-80-0.*</NIC><NIC><NIC_ID>|<NIC><NIC_ID>|' |
            action_data | remote reconfigure one-80 sdb "$DATASTORES/102/80/disk.1" 80 node1
        same "$(cat /sys/class/net/one-80-1/ifindex)" "$index"
        has "$(addresses 80 eth1)" 10.9.0.82
        same "$(jq -r '.nics[].guest_name' "$STATE/one-80/spec.json")" eth1
    done
}

@test "a deploy of the VM that runs lets a NIC be whose name the cloud numbers anew" {
    local index second=nic=lab0,10.9.0.82
    xml "$(context A=1)" "$second" | untold | remote deploy "$DATASTORES//102/80/deployment.0" node1 80 node1
    index=$(cat /sys/class/net/one-80-1/ifindex)
    # NIC 0 is not there any more, and NIC 1 would be called eth0
    xml "$(context A=2)" "$second" | untold | sed 's|<NIC><NIC_ID>.*one-80-0.*</NIC><NIC><NIC_ID>|<NIC><NIC_ID>|' |
        remote deploy "$DATASTORES//102/80/deployment.0" node1 80 node1
    refused ip link show one-80-0
    same "$(cat /sys/class/net/one-80-1/ifindex)" "$index"
    has "$(addresses 80 eth1)" 10.9.0.82
    refused in_sandbox 80 ip link show eth0
    same "$(jq -r '.nics[].guest_name' "$STATE/one-80/spec.json")" eth1
    # at the next boot it is a VM with one NIC
    vmdock shutdown one-80
    xml "$(context A=2)" "$second" | untold | sed 's|<NIC><NIC_ID>.*one-80-0.*</NIC><NIC><NIC_ID>|<NIC><NIC_ID>|' |
        remote deploy "$DATASTORES//102/80/deployment.0" node1 80 node1
    has "$(addresses 80 eth0)" 10.9.0.82
}

@test "a reconfigure that fails leaves everything as it was" {
    one_deploy "$(context A=1 SET_HOSTNAME=old)" image=docker://lab/accounts:1
    refused reconfigure "$(context A=2 SET_HOSTNAME=new USERNAME=guest PASSWORD=QUJDREVGR0hJSktMTU5PUA==)"
    same "$(in_vm sh -c '. /mnt/context/context.sh; echo $A $(hostname)')" "1 old"
    has_not "$(cat "$STATE/one-80/spec.json")" USERNAME
    refused reconfigure '<BROKEN'
    refused remote reconfigure one-80 sdb "$DATASTORES/102/80/disk.1" 80 node1 < <(vm_xml 81 | action_data)
    vmdock shutdown one-80
    refused reconfigure "$(context A=2)"
    has "$(cat "$ERR")" "does not run"
    refused remote prereconfigure one-81 sdb 81 node1 </dev/null
    refused remote prereconfigure one-80 sdb 81 node1 </dev/null
    refused remote prereconfigure ../x sdb 80 node1 </dev/null
}
