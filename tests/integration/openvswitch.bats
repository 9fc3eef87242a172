#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# NICs on bridges of Open vSwitch, whose packets are moved by its userspace datapath: the lab has a
# switch of its own, with its database in the lab's folder.

load helpers
load front_end
load switch

FIRST=nic=ovsbr0,10.9.5.41
SECOND=nic=ovsbr0,10.9.5.42

setup_file() {
    lab_ready
    front_end_ready
    cp "$SOURCES/tests/lib/vnmmad.rb" "$REMOTES/vnm/"
    switch_start
    ovs-vsctl add-br ovsbr0 -- set Bridge ovsbr0 datapath_type=netdev
    ip addr add 10.9.5.1/24 dev ovsbr0
    ip link set ovsbr0 up
}

setup() {
    remember_state
}

teardown() {
    switch_signal ovsdb-server CONT
    switch_signal ovs-vswitchd CONT
    sweep
    local port
    for port in $(ovs-vsctl --bare --columns=name find Port 'external_ids:vmdock!=""'; echo one-41-0); do
        ovs-vsctl --if-exists del-port "$port"
    done
    ovs-vsctl --all destroy QoS
}

teardown_file() {
    ovs-vsctl del-br ovsbr0
    switch_stop
}

# The words of helpers' XML, as a network of the driver ovswitch has it.
on_switch() {
    sed 's|<VN_MAD><!\[CDATA\[bridge\]\]></VN_MAD>|<VN_MAD>ovswitch</VN_MAD><BRIDGE_TYPE>openvswitch</BRIDGE_TYPE>|g'
}

# deploy_switched ID [as vm_xml]
deploy_switched() {
    vm_xml "$@" | on_switch | vmdock deploy -
}

# attach ID IP [as vm_xml], and the same for detach: by the scripts.
hotplug() {
    local action=$1 id=$2 mac
    mac=$(mac_of "$3")
    shift 3
    case $action in
        attach) remote attach_nic "one-$id" "$mac" ovsbr0 - ovswitch "one-$id-1" "$id" node1 ;;
        detach) remote detach_nic "one-$id" "$mac" "$id" node1 ;;
    esac < <(action_data "$id" "$@" | on_switch)
}

# What the database has of port and interface.
port() {
    ovs-vsctl get Port "$1" "$2"
}

interface() {
    ovs-vsctl get Interface "$1" "$2"
}

ports() {
    ovs-vsctl list-ports ovsbr0 | sort | tr '\n' ' '
}

records() {
    ovs-vsctl --bare --columns=_uuid list QoS | grep -c . || true
}

# Nothing on this host, nor in the switch's database.
all_gone() {
    nothing_left
    same "$(ports)" ""
    same "$(records)" 0
}

purged() {
    vmdock purge "one-$1"
    all_gone
}

# in_sandbox_of DEPLOY-ID COMMAND…
in_sandbox_of() {
    nsenter --net="/run/netns/$1" -- "${@:2}"
}

# What TCP brings from one VM to another, in bytes.
moved() {
    in_sandbox "$2" sh -c 'sleep 3 | timeout 2 busybox nc -l -p 7000' >"$BATS_TEST_TMPDIR/moved" 3>&- &
    within 2 in_sandbox "$2" sh -c 'ss -Hltn | grep -q :7000'
    in_sandbox "$1" sh -c "{ head -c 500000 /dev/zero; sleep 1; } | timeout 2 busybox nc 10.9.5.$2 7000" || true
    wait
    stat -c %s "$BATS_TEST_TMPDIR/moved"
}

@test "deploy: the host end is a port, marked as the VM's, and VMs reach each other and the host" {
    deploy_switched 41 "$FIRST"
    deploy_switched 42 "$SECOND"
    same "$(ports)" "one-41-0 one-42-0 "
    same "$(port one-41-0 external_ids:vmdock)" one-41
    same "$(interface one-41-0 external_ids)" \
        '{attached-mac="02:00:0a:09:05:29", iface-id=one-41-0, iface-status=active, vm-id=one-41}'
    same "$(interface one-41-0 error)" '[]'
    same "$(ip -j link show one-41-0 | jq -r '.[] | "\(.master) \(.ifalias) \(.operstate)"')" "null vmdock:one-41 UP"
    same "$(addresses 41)" 10.9.5.41/24
    ping -c 1 -W 2 10.9.5.41
    in_sandbox 41 ping -c 1 -W 2 10.9.5.42
    same "$(moved 41 42)" 500000
    vmdock purge one-41
    same "$(ports)" "one-42-0 "
    purged 42
}

@test "reboot and reset keep the port and what it was told, and so does a deploy of a VM that runs" {
    deploy_switched 41 "$FIRST"
    ovs-vsctl set Port one-41-0 tag=7
    local uuid
    uuid=$(port one-41-0 _uuid)
    vmdock reboot one-41
    remote reset one-41 node1 41 node1 < <(action_data 41 "$FIRST" | on_switch)
    deploy_switched 41 "$FIRST"
    same "$(port one-41-0 _uuid) $(port one-41-0 tag)" "$uuid 7"
    ovs-vsctl remove Port one-41-0 tag 7
    within 5 ping -c 1 -W 1 10.9.5.41
    purged 41
}

@test "a reboot that has to make the link anew keeps the VLAN" {
    deploy_switched 41 "$FIRST"
    ovs-vsctl set Port one-41-0 tag=7
    docker kill one-41 >/dev/null
    ip netns del one-41
    within 5 refused ip link show one-41-0
    vmdock reboot one-41
    same "$(port one-41-0 tag)" 7
    ovs-vsctl remove Port one-41-0 tag 7
    within 5 ping -c 1 -W 1 10.9.5.41
    purged 41
}

@test "attach_nic and detach_nic: a port more, a port less, the other stays" {
    deploy_switched 41 "$FIRST"
    hotplug attach 41 10.9.5.42 "$FIRST" "$SECOND"
    same "$(ports)" "one-41-0 one-41-1 "
    in_sandbox 41 ip link show eth1
    hotplug attach 41 10.9.5.42 "$FIRST" "$SECOND"
    hotplug detach 41 10.9.5.42 "$FIRST" "$SECOND"
    same "$(ports) $(records)" "one-41-0  1"
    hotplug detach 41 10.9.5.42 "$FIRST" "$SECOND"
    ping -c 1 -W 2 10.9.5.41
    purged 41
}

@test "shutdown and cancel take the port out, and the next deploy has it again" {
    deploy_switched 41 "$FIRST"
    vmdock shutdown one-41
    same "$(ports) $(records)" " 0"
    deploy_switched 41 "$FIRST"
    vmdock cancel one-41
    same "$(ports) $(records)" " 0"
    vmdock cancel one-41
    deploy_switched 41 "$FIRST"
    ping -c 1 -W 2 10.9.5.41
    purged 41
}

@test "a deploy that fails later leaves no port" {
    fails_with ENGINE_REFUSED "executable file not found" deploy_switched 41 "$FIRST" command=no-such
    all_gone
}

@test "a container removed behind vmdock's back: gc takes the port" {
    deploy_switched 41 "$FIRST"
    docker rm -f one-41 >/dev/null
    vmdock gc
    all_gone
}

# What a reboot of the host takes; the switch's database stays.
host_reboot() {
    docker kill "one-$1" >/dev/null
    ip netns del "one-$1"
    within 5 refused ip link show "one-$1-0"
    find "$RUN" -xdev -mindepth 1 -delete
}

@test "after a reboot of the host: gc takes the port out, and the VM is deployed again" {
    deploy_switched 41 "$FIRST"
    host_reboot 41
    same "$(ports)" "one-41-0 "
    has "$(vmdock gc --dry-run 2>&1)" "VM one-41 has a port one-41-0 in Open vSwitch without its link"
    same "$(ports)" "one-41-0 "
    vmdock gc
    same "$(ports) $(records)" " 0"
    deploy_switched 41 "$FIRST"
    ping -c 1 -W 2 10.9.5.41
    purged 41
}

@test "after a reboot of the host: a deploy makes the port anew, without the VLAN that it had" {
    deploy_switched 41 "$FIRST"
    ovs-vsctl set Port one-41-0 tag=7
    host_reboot 41
    deploy_switched 41 "$FIRST"
    same "$(port one-41-0 tag)" '[]'
    same "$(records)" 1
    ping -c 1 -W 2 10.9.5.41
    host_reboot 41
    purged 41
}

@test "a port of somebody else is neither used nor removed" {
    ovs-vsctl add-port ovsbr0 one-41-0 -- set Interface one-41-0 type=internal
    ip link set one-41-0 name foreign || true
    fails_with NETWORK "another port of this name" deploy_switched 41 "$FIRST"
    vmdock cancel one-41
    vmdock gc
    same "$(ports)" "one-41-0 "
    ovs-vsctl del-port one-41-0
    all_gone
}

@test "a bridge that is not there is one sentence" {
    fails_with NO_BRIDGE "Open vSwitch has no bridge ovsbr9" deploy_switched 41 nic=ovsbr9,10.9.5.41
    all_gone
}

# deploy_told SETTING…
deploy_told() {
    local file
    file=$(config_with '[openvswitch]' "$@")
    vm_xml 41 "$FIRST" | on_switch | vmdock --config "$file" deploy -
}

@test "no Open vSwitch, or one that does not run, is one sentence" {
    fails_with UNSUPPORTED "cannot run /nowhere/ovs-vsctl" deploy_told "vsctl = /nowhere/ovs-vsctl"
    fails_with NETWORK "database connection failed" deploy_told "socket = /run/nowhere.sock"
    all_gone
}

@test "a database that does not answer is one sentence, in time; other VMs are not held up" {
    deploy 43 nic=lab0,10.9.0.43
    switch_signal ovsdb-server STOP
    SECONDS=0
    fails_with NETWORK "did not answer within 700 ms" deploy_told "timeout_ms = 700"
    vmdock purge one-43
    [ "$SECONDS" -le 3 ]
    switch_signal ovsdb-server CONT
    all_gone
}

@test "a switch that does not make the port is one sentence, in time, and nothing is left" {
    switch_signal ovs-vswitchd STOP
    SECONDS=0
    fails_with NETWORK "did not answer within 700 ms" deploy_told "timeout_ms = 700"
    [ "$SECONDS" -le 5 ]
    same "$(ovs-vsctl --no-wait list-ports ovsbr0) $(records)" " 0"
    switch_signal ovs-vswitchd CONT
    all_gone
}

@test "a VM is stopped though the database does not answer; gc takes the port when it does" {
    deploy_switched 41 "$FIRST"
    local file
    file=$(config_with '[openvswitch]' 'timeout_ms = 500')
    switch_signal ovsdb-server STOP
    run vmdock --config "$file" cancel one-41
    switch_signal ovsdb-server CONT
    same "$status" 0
    has "$output" "until vmdock gc finds them"
    refused ip link show one-41-0
    same "$(ports)" "one-41-0 "
    vmdock gc
    same "$(ports)" ""
    purged 41
}

# rate SANDBOX|host LINK: of the bucket that shapes what leaves it, in bytes per second.
rate() {
    local where=()
    [ "$1" = host ] || where=(in_sandbox "$1")
    "${where[@]}" tc -j qdisc show dev "$2" root | jq '.[] | select(.kind == "tbf") | .options.rate'
}

@test "limits: what the guest sends is held at its end, and a restart of the switch changes nothing" {
    local limits
    limits=$(element INBOUND_AVG_BW 500; element OUTBOUND_AVG_BW 250)
    vm_xml 41 "$FIRST" | on_switch | sed "s|</NIC>|$limits</NIC>|" | vmdock deploy -
    switch_end ovs-vswitchd
    vswitchd_start
    ovs-vsctl set Port one-41-0 external_ids:touched=yes
    same "$(rate host one-41-0) $(rate 41 eth0)" "500000 250000"
    refused ip link show qone-41-0
    deploy_switched 41 "$FIRST"
    same "$(rate host one-41-0)$(rate 41 eth0)" ""
    purged 41
}

@test "set_qos: new limits, both ways, while it runs" {
    deploy_switched 41 "$FIRST"
    as_oneadmin -c "ruby $REMOTES/vnm/vnmmad.rb $REMOTES/vnm/vnmmad-load.d/onedock.rb onedock set_qos one-41 \
        nic_id=0 target=one-41-0 inbound_avg_bw=300 outbound_avg_bw=200"
    same "$(rate host one-41-0) $(rate 41 eth0)" "300000 200000"
    as_oneadmin -c "ruby $REMOTES/vnm/vnmmad.rb $REMOTES/vnm/vnmmad-load.d/onedock.rb onedock set_qos one-41 \
        nic_id=0 target=one-41-0"
    same "$(rate host one-41-0)$(rate 41 eth0)" ""
    purged 41
}

@test "explain names the bridge's type, and what belongs to the network driver is no news" {
    local told
    told=$(vm_xml 41 "$FIRST" | on_switch |
        sed "s|</NIC>|$(element VLAN_ID 7)$(element OVS_BRIDGE_CONF stp_enable=true)</NIC>|" | vmdock explain -)
    has "$told" openvswitch
    has_not "$told" OVS_BRIDGE_CONF
}

@test "doctor sees the switch, and that it is gone" {
    vm_xml 41 "$FIRST" | on_switch | vmdock deploy -
    has "$(vmdock doctor || true)" "VMs with NICs on it: 1"
    has "$(vmdock --config "$(config_with '[openvswitch]' 'socket = /run/nowhere.sock')" doctor || true)" \
        "VMs with NICs on it: 1; it cannot be asked: Open vSwitch: unix:/run/nowhere.sock: database connection failed"
    purged 41
}

@test "a VLAN's bridge of Open vSwitch: the port is in that VLAN" {
    ovs-vsctl add-br ovsbr5 ovsbr0 5
    deploy_switched 41 nic=ovsbr5,10.9.6.41
    same "$(port one-41-0 tag)" 5
    in_sandbox 41 ethtool -k eth0 | grep -q '^tx-checksumming: off'
    vmdock purge one-41
    ovs-vsctl del-br ovsbr5
    all_gone
}

# switched_domain ID-AND-LAST-OCTET [XML]: of domain XML, on the switch.
switched_domain() {
    vmdock deploy - <<XML
<domain type='lxc'><name>$1</name><memory unit='MiB'>64</memory><os><type>exe</type></os>
  <metadata><vm xmlns='https://vmdock.org/xmlns/libvirt/domain/1.0'><image>$IMAGE</image></vm></metadata>
  <devices><interface type='bridge'><source bridge='ovsbr0'/><virtualport type='openvswitch'/>${2:-}
    <target dev='sw-$1'/><ip address='10.9.5.$1' prefix='24'/></interface></devices>
</domain>
XML
}

# What the port is told of VLANs, in one line.
vlan_of() {
    ovs-vsctl --bare --columns=tag,trunks,vlan_mode find Port "name=$1" | paste -s -d /
}

@test "domain XML: a port by the bridge's name, its VLAN, a trunk, and neither any more" {
    switched_domain 61 "<vlan><tag id='7'/></vlan>"
    switched_domain 62 "<vlan trunk='yes'><tag id='7' nativeMode='untagged'/><tag id='42'/></vlan>"
    switched_domain 63
    same "$(port sw-61 external_ids:vmdock) $(vlan_of sw-61)" "dom-61 7//access"
    same "$(vlan_of sw-62)" "7/7 42/native-untagged"
    same "$(vlan_of sw-63)" "//"
    in_sandbox_of dom-62 ping -c 1 -W 2 10.9.5.61
    refused in_sandbox_of dom-63 ping -c 1 -W 1 10.9.5.61
    # While they run: other VLANs, a trunk in place of one, none; what the operator has told the port of 63 stays.
    ovs-vsctl set Port sw-63 tag=9
    switched_domain 61 "<vlan trunk='yes'><tag id='3'/><tag id='4'/></vlan>"
    switched_domain 62
    switched_domain 63
    same "$(vlan_of sw-61) $(vlan_of sw-62) $(vlan_of sw-63)" "/3 4/trunk // 9//"
    ovs-vsctl remove Port sw-63 tag 9
    within 5 in_sandbox_of dom-63 ping -c 1 -W 1 10.9.5.62
    vmdock reboot dom-61
    same "$(vlan_of sw-61)" "/3 4/trunk"
    has "$(vmdock explain "$SOURCES/tests/data/domain/vlans.xml")" "vlan         trunk of 7,42, native is 7, untagged"
    vmdock dumpxml dom-61 | xmllint --xpath 'string(//vlan/@trunk)' - | grep -qx yes
    in_sandbox_of dom-61 ethtool -k eth0 | grep -q '^tx-checksumming: off'
    vmdock purge dom-61 dom-62 dom-63
    all_gone
}

@test "a NIC that changes its kind of bridge leaves the one it was on" {
    deploy_switched 41 nic=ovsbr0,10.9.5.41
    deploy 41 nic=lab0,10.9.5.41
    same "$(ports)" ""
    same "$(ip -j link show one-41-0 | jq -r '.[].master')" lab0
    deploy_switched 41 nic=ovsbr0,10.9.5.41
    same "$(ports)" "one-41-0 "
    same "$(ip -j link show one-41-0 | jq -r '.[].master')" null
    ping -c 1 -W 2 10.9.5.41
    purged 41
}
