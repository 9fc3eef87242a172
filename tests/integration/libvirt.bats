#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# NICs on networks of libvirt: a libvirtd of the lab's own, Debian's, with a network of each kind; a
# network namespace with busybox's DHCP client plays the guest of another hypervisor.

load helpers
load front_end
load switch
load libvirt

setup_file() {
    lab_ready
    front_end_ready
    libvirtd_prepare
    libvirtd_start
    switch_start
    ovs-vsctl add-br ovsbr0 -- set Bridge ovsbr0 datapath_type=netdev
    network default "<forward mode='nat'/><bridge name='virbr0' stp='off' delay='0'/><domain name='lan'/>
        <portgroup name='slow'><bandwidth><inbound average='1000'/><outbound average='500'/></bandwidth></portgroup>
        <ip address='192.168.122.1' netmask='255.255.255.0'><dhcp>
            <range start='192.168.122.2' end='192.168.122.30'/></dhcp></ip>"
    network routed "<forward mode='route'/><bridge name='virbr1' stp='off' delay='0'/><mtu size='1400'/>
        <route address='10.8.0.0' prefix='16' gateway='192.168.123.150'/>
        <ip address='192.168.123.1' prefix='24'><dhcp><range start='192.168.123.100' end='192.168.123.200'/></dhcp></ip>
        <ip family='ipv6' address='fd12::1' prefix='64'/>"
    network isolated "<bridge name='virbr2' stp='off' delay='0'/>
        <ip address='192.168.124.1' prefix='24'><dhcp><range start='192.168.124.10' end='192.168.124.11'/></dhcp></ip>"
    network tiny "<bridge name='virbr3' stp='off' delay='0'/>
        <ip address='192.168.125.1' prefix='24'><dhcp><range start='192.168.125.10' end='192.168.125.11'/></dhcp></ip>"
    network bridged "<forward mode='bridge'/><bridge name='lab0'/>"
    network switched "<forward mode='bridge'/><bridge name='ovsbr0'/><virtualport type='openvswitch'/>
        <portgroup name='tagged'><vlan><tag id='7'/></vlan></portgroup>
        <portgroup name='trunk'><vlan trunk='yes'><tag id='7' nativeMode='untagged'/><tag id='42'/></vlan></portgroup>"
    network macvtap "<forward mode='private'><interface dev='lab0'/></forward>"
    network parked "<bridge name='virbr9'/>" no
}

setup() {
    remember_state
    remember_networks
}

teardown() {
    libvirtd_signal CONT 2>/dev/null || libvirtd_start
    guest_ends 2>/dev/null || true
    [ ! -e "$BATS_TEST_TMPDIR/before.conf" ] || cp "$BATS_TEST_TMPDIR/before.conf" "$CONF"
    sweep
    clear_networks
    local port
    for port in $(ovs-vsctl --bare --columns=name find Port 'external_ids:vmdock!=""'); do
        ovs-vsctl --if-exists del-port "$port"
    done
    ovs-vsctl --all destroy QoS
}

teardown_file() {
    local name
    for name in $(v net-list --name); do
        v net-destroy "$name"
    done
    libvirtd_stop
    ovs-vsctl del-br ovsbr0
    switch_stop
}

# ---- what is looked at ---------------------------------------------------------------------------

# The addresses of a VM by its deploy id.
address_of() {
    ip -j -n "$1" addr show dev eth0 | jq -r '.[].addr_info[] | select(.family == "inet") | "\(.local)/\(.prefixlen)"'
}

resolve() {
    busybox nslookup "$1" "${2:-192.168.122.1}" 2>/dev/null | sed -n 's/^Address: \([0-9.]*\)$/\1/p'
}

# guest BRIDGE: a namespace with a link there, and an address by DHCP.
guest() {
    ip netns add guest
    # By its MAC dnsmasq chooses an address: with this one, none of those that VMs get here.
    ip link add tap-guest type veth peer name eth0 address 52:54:00:67:75:65 netns guest
    ip link set tap-guest master "$1" up
    ip -n guest link set eth0 up
    ip -n guest link set lo up
    cat >"$BATS_TEST_TMPDIR/bound" <<'SH'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr replace "$ip/$mask" dev "$interface"
mkdir -p /etc/netns/guest
{ echo "search $domain"; for server in $dns; do echo "nameserver $server"; done; } >/etc/netns/guest/resolv.conf
SH
    chmod 755 "$BATS_TEST_TMPDIR/bound"
    ip netns exec guest busybox udhcpc -f -n -q -t 5 -T 1 -i eth0 -s "$BATS_TEST_TMPDIR/bound"
}

# A namespace takes its links along behind the scenes, a link that is removed is gone at once.
guest_ends() {
    ip link del tap-guest
    ip netns del guest
}

in_guest() {
    ip netns exec guest "$@"
}

# domain NAME INTERFACE: XML of a container of the lab's image.
domain() {
    cat <<XML
<domain type='lxc'>
  <name>$1</name>
  <metadata><vm xmlns='https://vmdock.org/xmlns/libvirt/domain/1.0'><image>$IMAGE</image></vm></metadata>
  <memory unit='MiB'>64</memory>
  <os><type>exe</type></os>
  <devices>$2</devices>
</domain>
XML
}

# The words of helpers' XML, with NICs on a network of libvirt.
on_network() {
    sed "s|</NIC>|<LIBVIRT_NETWORK>$1</LIBVIRT_NETWORK></NIC>|g"
}

# ---- what a VM gets -----------------------------------------------------------------------------

@test "run: the next free address is reserved, live and saved, with bridge, route, name servers and name" {
    same "$(vmdock run --name web --network default "$IMAGE")" run-web
    same "$(address_of run-web)" 192.168.122.2/24
    same "$(reserved default)" "web 192.168.122.2"
    has "$(v net-dumpxml default)" "$(ip -j -n run-web link show eth0 | jq -r '.[].address')"
    has "$(docker exec run-web ip route)" "default via 192.168.122.1 dev eth0"
    has "$(docker exec run-web cat /etc/resolv.conf)" "nameserver 192.168.122.1"
    has "$(docker exec run-web cat /etc/resolv.conf)" "search lan"
    same "$(resolve web) $(resolve web.lan)" "192.168.122.2 192.168.122.2"
    ping -c 1 -W 2 -q 192.168.122.2
    docker exec run-web ping -c 1 -W 2 -q 192.168.122.1
    # Another one gets another one; and what is asked for is had.
    vmdock run --name db --network default "$IMAGE"
    vmdock run --name far --network default=192.168.122.77 "$IMAGE"
    same "$(address_of run-db) $(address_of run-far)" "192.168.122.3/24 192.168.122.77/24"
    docker exec run-web ping -c 1 -W 2 -q far.lan
    same "$(reserved default)" "web 192.168.122.2
db 192.168.122.3
far 192.168.122.77"
    vmdock purge run-web run-db run-far
    same "$(resolve web)" ""
    all_gone
}

@test "a guest of another hypervisor gets another address, and reaches the VM by name and address" {
    vmdock run --name web --network default "$IMAGE" httpd -f -h /www
    guest virbr0
    same "$(ip -j -n guest addr show eth0 | jq -r '.[].addr_info[] | select(.family == "inet") | .local')" \
        "$(v net-dhcp-leases default | sed -n 's|.* \(192[0-9.]*\)/24.*|\1|p')"
    has_not "$(ip -n guest addr show eth0)" 192.168.122.2/
    in_guest ping -c 1 -W 2 -q 192.168.122.2
    in_guest ping -c 1 -W 2 -q web
    same "$(in_guest curl --silent --max-time 5 http://web.lan/)" "served by a VM"
    # What is leased is given to no VM.
    local leased
    leased=$(v net-dhcp-leases default | sed -n 's|.* \(192[0-9.]*\)/24.*|\1|p')
    fails_with DUPLICATE "is leased to another machine" vmdock run --name db --network "default=$leased" "$IMAGE"
    docker exec run-web ping -c 1 -W 2 -q "$leased"
    vmdock purge run-web
    guest_ends
    all_gone
}

@test "the last address of a network's DHCP is a VM's, and given to no guest, also while the VM is stopped" {
    vmdock run --name one --network tiny "$IMAGE"
    vmdock run --name two --network tiny=192.168.125.11 "$IMAGE"
    vmdock shutdown run-two
    refused guest virbr3
    same "$(v net-dhcp-leases tiny)" ""
    vmdock purge run-two
    in_guest busybox udhcpc -f -n -q -t 5 -T 1 -i eth0 -s "$BATS_TEST_TMPDIR/bound"
    has "$(ip -n guest addr show eth0)" 192.168.125.11/24
    docker exec run-one ping -c 1 -W 2 -q 192.168.125.11
    vmdock purge run-one
    guest_ends
    all_gone
}

@test "shutdown, reboot and a deploy again keep the address, whoever came meanwhile" {
    vmdock run --name web --network default "$IMAGE"
    vmdock shutdown run-web
    same "$(reserved default)" "web 192.168.122.2"
    vmdock run --name db --network default "$IMAGE"
    vmdock reboot run-web
    same "$(address_of run-web) $(address_of run-db)" "192.168.122.2/24 192.168.122.3/24"
    vmdock cancel run-web
    vmdock run --name web --network default "$IMAGE"
    same "$(address_of run-web)" 192.168.122.2/24
    vmdock run --name web --network default "$IMAGE"
    same "$(address_of run-web)" 192.168.122.2/24
    # Another one is asked for now: the old one is free.
    vmdock run --name web --network default=192.168.122.99 "$IMAGE"
    same "$(address_of run-web)" 192.168.122.99/24
    same "$(reserved default)" "db 192.168.122.3
web 192.168.122.99"
    same "$(resolve web)" 192.168.122.99
    # On a bridge it needs none.
    vmdock run --name web --bridge lab0 --ip 10.9.0.9/24 "$IMAGE"
    same "$(reserved default)" "db 192.168.122.3"
    vmdock purge run-web run-db
    all_gone
}

@test "routed: MTU and route of the network; isolated: no default route; bridged: an address only if asked" {
    vmdock run --name routed --network routed --ip fd12::7/64 "$IMAGE"
    same "$(address_of run-routed)" 192.168.123.100/24
    same "$(ip -j -n run-routed link show eth0 | jq -r '.[].mtu')" 1400
    has "$(ip -n run-routed route)" "default via 192.168.123.1"
    has "$(ip -n run-routed route)" "10.8.0.0/16 via 192.168.123.150"
    vmdock run --name beyond --network routed=192.168.123.150 "$IMAGE"
    has_not "$(ip -n run-beyond route)" 10.8.0.0
    docker exec run-routed ping -c 1 -W 2 -q beyond
    vmdock purge run-beyond
    ping -c 1 -W 2 -q 192.168.123.100
    within 5 ping -c 1 -W 1 -q fd12::7
    vmdock run --name alone --network isolated "$IMAGE"
    same "$(address_of run-alone)" 192.168.124.10/24
    has_not "$(ip -n run-alone route)" default
    docker exec run-alone ping -c 1 -W 2 -q 192.168.124.1
    vmdock run --name near --network isolated "$IMAGE"
    docker exec run-alone ping -c 1 -W 2 -q near
    vmdock purge run-near
    vmdock run --name plain --network bridged "$IMAGE"
    same "$(address_of run-plain)" ""
    has "$(ls /sys/class/net/lab0/brif)" run-
    fails_with NETWORK "with its prefix length" vmdock run --name asked --network bridged=10.9.0.55 "$IMAGE"
    vmdock run --name asked --network bridged=10.9.0.55/24 "$IMAGE"
    ping -c 1 -W 2 -q 10.9.0.55
    vmdock purge run-routed run-alone run-plain run-asked
    all_gone
}

@test "Open vSwitch: a port of the switch, with the VLAN of its port group" {
    vmdock deploy - < <(domain tagged "<interface type='network'><source network='switched' portgroup='tagged'/>
        <ip address='10.9.7.2' prefix='24'/></interface>")
    local port
    port=$(ovs-vsctl list-ports ovsbr0)
    same "$(ovs-vsctl get Port "$port" tag external_ids:vmdock)" "7
dom-tagged"
    same "$(address_of dom-tagged)" 10.9.7.2/24
    # Who is in that VLAN is reached, also as the native one of a trunk; nobody else is.
    vmdock deploy - < <(domain trunk "<interface type='network'><source network='switched' portgroup='trunk'/>
        <ip address='10.9.7.3' prefix='24'/></interface>")
    vmdock deploy - < <(domain other "<interface type='network'><source network='switched'/>
        <vlan><tag id='8'/></vlan><ip address='10.9.7.4' prefix='24'/></interface>")
    docker exec dom-trunk ping -c 1 -W 2 -q 10.9.7.2
    refused docker exec dom-other ping -c 1 -W 1 -q 10.9.7.2
    same "$(ovs-vsctl --bare --columns=tag,trunks,vlan_mode find Port 'external_ids:vmdock="dom-trunk"' | tr '\n' ' ')" \
        "7 7 42 native-untagged "
    vmdock dumpxml dom-other >"$BATS_TEST_TMPDIR/other.xml"
    virt-xml-validate "$BATS_TEST_TMPDIR/other.xml" domain
    same "$(xmllint --xpath 'string(//vlan/tag/@id)' "$BATS_TEST_TMPDIR/other.xml")" 8
    same "$(vmdock dumpxml dom-trunk | xmllint --xpath 'count(//vlan)' -)" 0
    vmdock purge dom-tagged dom-trunk dom-other
    fails_with SPEC "asks for a VLAN, which only a bridge of Open vSwitch can be told, and virbr0 is none" \
        vmdock deploy - < <(domain other "<interface type='network'><source network='default'/><vlan><tag id='8'/></vlan></interface>")
    all_gone
}

@test "deploy --network: a NIC more, beside those that are described, and gone with the next deploy without it" {
    domain web "<interface type='bridge'><source bridge='lab0'/><ip address='10.9.0.81' prefix='24'/></interface>" \
        >"$BATS_TEST_TMPDIR/web.xml"
    has "$(vmdock --json explain --network default=192.168.122.44 "$BATS_TEST_TMPDIR/web.xml" | jq -c '.links[1].libvirt')" \
        '{"network":"default","portgroup":null,"reserves":"the address that is asked for"}'
    vmdock deploy --network default=192.168.122.44 --network isolated "$BATS_TEST_TMPDIR/web.xml"
    same "$(reserved default) $(reserved isolated)" "web 192.168.122.44 web 192.168.124.10"
    has "$(ip -n dom-web addr show dev eth1)" 192.168.122.44/24
    has "$(ip -n dom-web addr show dev eth2)" 192.168.124.10/24
    ping -c 1 -W 2 -q 192.168.122.44
    ping -c 1 -W 2 -q 10.9.0.81
    vmdock reboot dom-web
    ping -c 1 -W 2 -q 192.168.122.44
    vmdock deploy "$BATS_TEST_TMPDIR/web.xml"
    same "$(reserved default)$(reserved isolated)" ""
    refused ip -n dom-web link show eth1
    fails_with SPEC '"default=x" is no NAME or NAME=ADDRESS' vmdock deploy --network default=x "$BATS_TEST_TMPDIR/web.xml"
    vmdock purge dom-web
    all_gone
}

@test "libvirtd restarted, a network stopped and started: the VM keeps its address and its name" {
    vmdock run --name web --network default "$IMAGE"
    vmdock run --name db --network default "$IMAGE"
    libvirtd_stop
    libvirtd_start
    same "$(reserved default)" "web 192.168.122.2
db 192.168.122.3"
    docker exec run-web ping -c 1 -W 2 -q db.lan
    # The bridge is another one then.
    v net-destroy default
    v net-start default
    vmdock reboot run-web
    vmdock reboot run-db
    same "$(address_of run-web) $(resolve web)" "192.168.122.2/24 192.168.122.2"
    docker exec run-web ping -c 1 -W 2 -q db.lan
    vmdock purge run-web run-db
    all_gone
}

@test "domain XML: the network says the rest, limits of its port group too; dumpxml gives it back" {
    domain web "<interface type='network'><mac address='52:54:00:00:12:34'/>
        <source network='default' portgroup='slow'/></interface>" >"$BATS_TEST_TMPDIR/web.xml"
    has "$(vmdock --json explain "$BATS_TEST_TMPDIR/web.xml" | jq -c '.links[0].libvirt')" \
        '{"network":"default","portgroup":"slow","reserves":"the next free address of its DHCP range"}'
    all_gone
    vmdock deploy "$BATS_TEST_TMPDIR/web.xml"
    same "$(address_of dom-web)" 192.168.122.2/24
    has "$(tc qdisc show dev "$(ip -j link | jq -r '.[] | select(.ifalias == "vmdock:dom-web" and .master == "virbr0").ifname')")" "rate 8Mbit"
    vmdock dumpxml dom-web >"$BATS_TEST_TMPDIR/again.xml"
    same "$(xmllint --xpath '//interface/source' "$BATS_TEST_TMPDIR/again.xml")" '<source network="default" portgroup="slow"/>'
    same "$(xmllint --xpath 'count(//interface/route | //interface/bandwidth | //interface/mtu)' "$BATS_TEST_TMPDIR/again.xml")" 0
    virt-xml-validate "$BATS_TEST_TMPDIR/again.xml" domain
    vmdock deploy "$BATS_TEST_TMPDIR/again.xml"
    same "$(address_of dom-web)" 192.168.122.2/24
    vmdock dumpxml dom-web | diff - "$BATS_TEST_TMPDIR/again.xml"
    vmdock purge dom-web
    all_gone
}

@test "two VMs of one name: the later one is called by its id there, and told so" {
    vmdock run --name one --hostname web --network default "$IMAGE"
    run --separate-stderr vmdock run --name two --hostname web --network default "$IMAGE"
    # shellcheck disable=SC2154 # bats sets it
    has "$stderr" "the name web is another machine's on libvirt's network default, where the VM is called run-two"
    same "$(reserved default)" "web 192.168.122.2
run-two 192.168.122.3"
    same "$(resolve web) $(resolve run-two)" "192.168.122.2 192.168.122.3"
    vmdock purge run-one
    same "$(reserved default)" "run-two 192.168.122.3"
    vmdock purge run-two
    all_gone
}

@test "three NICs on one network: each has a name of its own there, and each is freed" {
    local mac
    domain web "" >"$BATS_TEST_TMPDIR/web.xml"
    vmdock deploy --network default --network default --network default "$BATS_TEST_TMPDIR/web.xml"
    mac=$(ip -j -n dom-web link show dev eth2 | jq -r '.[].address' | tr -d :)
    same "$(reserved default | xargs)" "web 192.168.122.2 dom-web 192.168.122.3 vm-$mac 192.168.122.4"
    vmdock purge dom-web
    all_gone
}

@test "own filter and the search for duplicates go by the address that the network gives" {
    guest virbr0
    ip -n guest addr add 192.168.122.2/24 dev eth0
    fails_with DUPLICATE "the address 192.168.122.2 is another machine's" \
        vmdock run --name web --set ADDRESS_PROBE=YES --network default "$IMAGE"
    guest_ends
    all_gone
    vmdock run --name web --set FILTER=spoofing --network default "$IMAGE"
    ping -c 1 -W 2 -q 192.168.122.2
    docker exec run-web ping -c 1 -W 2 -q 192.168.122.1
    ip -n run-web addr add 192.168.122.222/24 dev eth0
    refused ping -c 1 -W 1 -q 192.168.122.222
    vmdock purge run-web
    all_gone
}

@test "a reservation of the operator's is used, and stays" {
    local mac=52:54:00:77:77:77
    v net-update default add-last ip-dhcp-host "<host mac='$mac' name='mine' ip='192.168.122.120'/>" --live --config
    vmdock run --name web --network default --mac $mac "$IMAGE"
    same "$(address_of run-web)" 192.168.122.120/24
    vmdock purge run-web
    same "$(reserved default)" "mine 192.168.122.120"
    fails_with NETWORK "which vmdock has not reserved" \
        vmdock run --name web --network default=192.168.122.121 --mac $mac "$IMAGE"
    v net-update default delete ip-dhcp-host "<host mac='$mac' name='mine' ip='192.168.122.120'/>" --live --config
    all_gone
}

# ---- OpenNebula ---------------------------------------------------------------------------------

@test "OpenNebula: a network must be allowed; the address is the cloud's, and NICs come and go" {
    local nic=nic=nobridge,192.168.122.125 second=nic=nobridge,192.168.122.126
    vm_xml 31 "$nic" | on_network default >"$BATS_TEST_TMPDIR/vm.xml"
    fails_with POLICY "asks for libvirt's network default; [policy] libvirt_networks" vmdock deploy "$BATS_TEST_TMPDIR/vm.xml"
    same "$(vmdock --json explain "$BATS_TEST_TMPDIR/vm.xml" | jq -r .refused | grep -c libvirt_networks)" 1
    all_gone
    cp "$CONF" "$BATS_TEST_TMPDIR/before.conf"
    printf '\n[policy]\nlibvirt_networks = default\n' >>"$CONF"
    vmdock deploy "$BATS_TEST_TMPDIR/vm.xml"
    same "$(reserved default)" "vm-31 192.168.122.125"
    ping -c 1 -W 2 -q 192.168.122.125
    remote attach_nic one-31 "$(mac_of 192.168.122.126)" nobridge - dummy one-31-1 31 node1 \
        < <(action_data 31 "$nic" "$second" | on_network default)
    ping -c 1 -W 2 -q 192.168.122.126
    remote detach_nic one-31 "$(mac_of 192.168.122.126)" 31 node1 < <(action_data 31 "$nic" "$second" | on_network default)
    same "$(reserved default)" "vm-31 192.168.122.125"
    action_data 31 nic=nobridge,192.168.124.10 | on_network isolated >"$BATS_TEST_TMPDIR/isolated"
    run remote reconfigure one-31 sdb /var/lib/one//datastores/102/31/disk.1 31 node1 <"$BATS_TEST_TMPDIR/isolated"
    # shellcheck disable=SC2154 # bats sets it
    same "$status" "$(status_of POLICY)"
    has "$(cat "$BATS_TEST_TMPDIR/err")" "network isolated"
    ping -c 1 -W 2 -q 192.168.122.125
    vmdock purge one-31
    fails_with POLICY "network isolated" vmdock deploy - < <(vm_xml 31 nic=nobridge,192.168.124.10 | on_network isolated)
    cp "$BATS_TEST_TMPDIR/before.conf" "$CONF"
    all_gone
}

# ---- what goes wrong ----------------------------------------------------------------------------

@test "what cannot be is refused in one sentence, and nothing is left" {
    local xml
    fails_with NO_BRIDGE 'libvirt has no network "nowhere"' vmdock run --name web --network nowhere "$IMAGE"
    fails_with NO_BRIDGE "virsh net-start parked" vmdock run --name web --network parked "$IMAGE"
    fails_with UNSUPPORTED "no bridge that a VM could be a port of" vmdock run --name web --network macvtap "$IMAGE"
    fails_with NETWORK "10.1.1.1 is no address of a host on network default" vmdock run --name web --network default=10.1.1.1 "$IMAGE"
    fails_with NETWORK "no address of a host" vmdock run --name web --network default=192.168.122.255 "$IMAGE"
    fails_with DUPLICATE "is libvirt's own there" vmdock run --name web --network default=192.168.122.1 "$IMAGE"
    fails_with SPEC "take one" vmdock run --name web --network default --bridge lab0 "$IMAGE"
    xml="<interface type='network'><source network='default' portgroup='fast'/></interface>"
    fails_with NETWORK 'has no portgroup "fast"' vmdock deploy - < <(domain web "$xml")
    all_gone
    vmdock run --name one --network isolated "$IMAGE"
    vmdock run --name two --network isolated "$IMAGE"
    fails_with NETWORK "no free address in its DHCP range" vmdock run --name three --network isolated "$IMAGE"
    fails_with DUPLICATE "is reserved for another machine" vmdock run --name three --network isolated=192.168.124.11 "$IMAGE"
    vmdock purge run-one run-two
    all_gone
}

@test "a deploy that fails frees what it reserved, and leaves a running VM as it was" {
    fails_with DEAD "" vmdock --config "$(config_with "[vm]" "boot_watch_ms = 10000")" run --name web --network default "$IMAGE" false
    fails_with REGISTRY "" vmdock run --name web --network default lab/nothing:1
    all_gone
    vmdock run --name web --network default "$IMAGE"
    fails_with NO_BRIDGE "" vmdock run --name web --network nowhere "$IMAGE"
    same "$(address_of run-web) $(reserved default)" "192.168.122.2/24 web 192.168.122.2"
    vmdock purge run-web
    all_gone
}

@test "libvirt hangs, or is not there: one sentence in time, purge goes on, and gc frees what stayed" {
    local config begin
    config=$(config_with '[libvirt]' 'timeout_ms = 1000')
    vmdock run --name kept --network default "$IMAGE"
    libvirtd_signal STOP
    begin=$SECONDS
    fails_with NETWORK "libvirt did not answer within 1000 ms" vmdock --config "$config" run --name web --network default "$IMAGE"
    [ $((SECONDS - begin)) -le 4 ]
    # What runs is not touched by it, and starts again without it.
    vmdock reboot run-kept
    ping -c 1 -W 2 -q 192.168.122.2
    run --separate-stderr vmdock --config "$config" purge run-kept
    same "$status" 0
    has "$stderr" "stays until vmdock gc finds it"
    libvirtd_signal CONT
    has "$(reserved default)" "kept 192.168.122.2"
    vmdock gc
    all_gone
    vmdock run --name kept --network default "$IMAGE"
    libvirtd_stop
    fails_with NETWORK "cannot be reached" vmdock run --name web --network default "$IMAGE"
    vmdock purge run-kept
    libvirtd_start
    has "$(vmdock gc)" run-kept
    all_gone
}

@test "five at once get five addresses" {
    local n runs=()
    for n in 1 2 3 4 5; do
        vmdock run --name "many-$n" --network default "$IMAGE" >"$BATS_TEST_TMPDIR/$n" 2>&1 3>&- &
        runs+=($!)
    done
    wait "${runs[@]}"
    for n in 1 2 3 4 5; do
        same "$(cat "$BATS_TEST_TMPDIR/$n")" "run-many-$n"
    done
    same "$(reserved default | sed 's/.* //' | sort -u | grep -c .)" 5
    same "$(for n in 1 2 3 4 5; do address_of "run-many-$n"; done | sort)" \
        "$(reserved default | sed 's|.* \(.*\)|\1/24|' | sort)"
    vmdock purge run-many-{1,2,3,4,5}
    all_gone
}

@test "gc frees what a VM had whose container is gone, and what a killed deploy asked for" {
    vmdock run --name web --network default "$IMAGE"
    docker rm --force run-web >/dev/null
    has "$(vmdock gc --dry-run)" run-web
    same "$(reserved default)" "web 192.168.122.2"
    vmdock gc
    all_gone
    libvirtd_signal STOP
    vmdock run --name web --network default "$IMAGE" &>/dev/null 3>&- &
    within 5 test -e "$STATE/reserved/run-web"
    kill -KILL $!
    wait $! || true
    libvirtd_signal CONT
    within 15 refused pgrep -x vmdock-libvirt
    vmdock gc
    all_gone
}

@test "doctor: asks libvirt only where it is used" {
    has_not "$(vmdock doctor || true)" libvirt
    vmdock run --name web --network default "$IMAGE"
    has "$(vmdock doctor || true)" "libvirt 9."
    libvirtd_stop
    has "$(vmdock doctor || true)" "it cannot be asked"
    libvirtd_start
    vmdock purge run-web
    all_gone
}
