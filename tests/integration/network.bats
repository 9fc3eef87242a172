#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # $stderr is set by run
# NICs: IPv4 and IPv6, routes, aliases, traffic between VMs under the engine's own rules, and what is
# refused.

load helpers

setup_file() {
    lab_ready
    bridge lab1 10.10.0.1/24
}

teardown_file() {
    ip link del lab1
}

setup() {
    remember_state
}

teardown() {
    sweep
}

route_to() {
    ip -j "$@" route show default | jq -r '.[] | "\(.gateway) \(.dev)"'
}

@test "IPv6: unique local, global and static addresses answer at once, without duplicate detection" {
    deploy 40 nic=lab0,10.9.0.40,ip6=fd09::40,ip6_ula=fd0a::40,ip6_global=2001:db8::40,ip6_gateway=fd09::1
    run addresses 40
    has "$output" fd09::40/64
    has "$output" fd0a::40/64
    has "$output" 2001:db8::40/64
    has_not "$(ip -n one-40 -6 addr show)" tentative
    ping -6 -c 1 -W 2 -q fd09::40
    same "$(ip -n one-40 -6 -j route show default | jq -r '.[].gateway')" fd09::1
    docker exec one-40 ping -6 -c 1 -W 2 fd09::1
}

@test "a VM of IPv6 alone runs and answers" {
    deploy 40 nic=lab0,,mac=02:00:4c:a9:f4:40,ip6=fd09::41,ip6_gateway=fd09::1
    ping -6 -c 1 -W 2 -q fd09::41
    same "$(ip -j -n one-40 -4 addr show dev eth0 | jq -r '[.[].addr_info[]?] | length')" 0
}

@test "lo is up and has both its addresses" {
    deploy 40 nic=lab0,10.9.0.40
    run ip -n one-40 addr show lo
    has "$output" 127.0.0.1/8
    has "$output" ::1/128
    docker exec one-40 ping -c 1 -W 2 127.0.0.1
}

@test "two VMs on one bridge reach each other although the engine drops what is forwarded" {
    run iptables -S FORWARD
    has "$output" "-P FORWARD DROP"
    deploy 40 nic=lab0,10.9.0.40,ip6=fd09::40
    deploy 41 nic=lab0,10.9.0.41,ip6=fd09::42
    if [ "$(cat /proc/sys/net/bridge/bridge-nf-call-iptables 2>/dev/null)" = 1 ]; then
        # Here bridged frames pass through the host's rules and die. doctor must say so, and the very
        # commands of its advice must mend it, with the policy still in force.
        run ! docker exec one-40 ping -c 1 -W 1 10.9.0.41
        local commands
        commands=$(vmdock --json doctor | jq -r '.[] | select(.level == "fail" and
            (.what | contains("FORWARD"))) | .mend | sub("^.*: iptables"; "iptables")')
        has "$commands" "iptables -N opennebula"
        sh -e -c "$commands"
        has "$(iptables -S FORWARD)" "-P FORWARD DROP"
        ping_each_other
        run vmdock --json doctor
        has_not "$output" "traffic dies"
        forget_chain
    else
        ping_each_other
    fi
}

forget_chain() {
    iptables -D FORWARD -m physdev --physdev-is-bridged -j opennebula
    iptables -F opennebula
    iptables -X opennebula
}

ping_each_other() {
    docker exec one-40 ping -c 2 -W 2 10.9.0.41
    docker exec one-41 ping -c 2 -W 2 10.9.0.40
    docker exec one-40 ping -6 -c 2 -W 2 fd09::42
}

@test "a service in a VM answers" {
    deploy 40 nic=lab0,10.9.0.40 command="httpd -f -h /www"
    within 5 busybox wget -q -O "$BATS_TEST_TMPDIR/page" http://10.9.0.40/
    same "$(cat "$BATS_TEST_TMPDIR/page")" "served by a VM"
}

@test "two NICs: eth0 and eth1 in order, each on its bridge" {
    deploy 40 nic=lab0,10.9.0.40 nic=lab1,10.10.0.40,gateway=
    same "$(addresses 40 eth0)" 10.9.0.40/24
    same "$(addresses 40 eth1)" 10.10.0.40/24
    same "$(ip -j link show dev one-40-0 | jq -r '.[].master')" lab0
    same "$(ip -j link show dev one-40-1 | jq -r '.[].master')" lab1
    same "$(route_to -n one-40)" "10.9.0.1 eth0"
    ping -c 1 -W 2 -q 10.10.0.40
}

@test "an alias is a further address on its NIC" {
    deploy 40 nic=lab0,10.9.0.40 \
        template="<NIC_ALIAS>$(element PARENT_ID 0)$(element NIC_ID 1)$(element ALIAS_ID 0)$(element IP 10.9.0.49)$(element MAC 02:00:0a:09:00:31)</NIC_ALIAS>"
    run addresses 40
    has "$output" 10.9.0.40/24
    has "$output" 10.9.0.49/24
    ping -c 1 -W 2 -q 10.9.0.49
}

@test "routes and MTU of CONTEXT are the VM's" {
    deploy 40 "nic=lab0,10.9.0.40,mtu=1400,routes=10.55.0.0/16 via 10.9.0.2"
    same "$(ip -j -n one-40 link show dev eth0 | jq -r '.[].mtu')" 1400
    has "$(ip -n one-40 route show)" "10.55.0.0/16 via 10.9.0.2"
}

@test "the container's resolver has the VM's DNS servers and search domains" {
    vm_xml 40 nic=lab0,10.9.0.40 |
        sed 's|<CONTEXT>|<CONTEXT><ETH0_DNS>10.9.0.53 10.9.0.54</ETH0_DNS><ETH0_SEARCH_DOMAIN>example.org</ETH0_SEARCH_DOMAIN>|' |
        vmdock deploy -
    run docker exec one-40 cat /etc/resolv.conf
    has "$output" "nameserver 10.9.0.53"
    has "$output" "nameserver 10.9.0.54"
    has "$output" "search example.org"
}

@test "the host name is made from the VM's name" {
    deploy 40 name="Web Server_1 (höhe)"
    run docker exec one-40 hostname
    [[ $output =~ ^[A-Za-z0-9-]+$ ]]
    has "${output,,}" web-server-1
}

# A bridge that loses its last port, and with it its carrier, forgets its neighbours: VM 42 stays.
@test "neighbours are told of a new MAC for an IP they knew" {
    deploy 42 nic=lab0,10.9.0.42
    deploy 40 nic=lab0,10.9.0.40
    ping -c 1 -W 2 -q 10.9.0.40
    vmdock purge one-40
    deploy 41 nic=lab0,10.9.0.40,mac=02:00:0a:09:aa:aa
    # without the announcement the host would go on with the old MAC
    same "$(ip -j neigh show 10.9.0.40 dev lab0 | jq -r '.[].lladdr')" 02:00:0a:09:aa:aa
    ping -c 1 -W 1 -q 10.9.0.40
}

@test "IPv6 neighbours are told as well" {
    deploy 42 nic=lab0,10.9.0.42
    deploy 40 nic=lab0,10.9.0.40,ip6=fd09::40
    ping -6 -c 1 -W 2 -q fd09::40
    vmdock purge one-40
    deploy 41 nic=lab0,10.9.0.41,ip6=fd09::40,mac=02:00:0a:09:aa:aa
    same "$(ip -6 -j neigh show fd09::40 dev lab0 | jq -r '.[].lladdr')" 02:00:0a:09:aa:aa
}

@test "the sandbox has a name that ip netns knows, and the host end says whose it is" {
    deploy 40 nic=lab0,10.9.0.40
    ip netns list | grep -q '^one-40'
    same "$(ip -j link show dev one-40-0 | jq -r '.[].ifalias')" vmdock:one-40
}

@test "a bridge that is not there: one sentence that names it, status 15, nothing left" {
    same "$(status_of NO_BRIDGE)" 15
    fails_with NO_BRIDGE nobridge deploy 40 nic=nobridge,10.9.0.40
    nothing_left
}

@test "a second NIC whose bridge is not there takes the first one back" {
    fails_with NO_BRIDGE nobridge deploy 40 nic=lab0,10.9.0.40 nic=nobridge,10.9.0.41
    nothing_left
}

@test "a link that is no bridge is refused" {
    ip link add notbridge type veth peer name notbridge-peer
    run -15 --separate-stderr deploy 40 nic=notbridge,10.9.0.40
    ip link del notbridge
    has "$stderr" notbridge
    nothing_left
}

@test "a NIC name of more than 15 bytes is refused before anything is made" {
    fails_with SPEC one-40-0123456789 deploy 40 nic=lab0,10.9.0.40,target=one-40-0123456789
    nothing_left
}

@test "NIC names that are paths, options or blanks are refused" {
    local name
    for name in ../one .. a/b 'a b' $'a\tb'; do
        fails_with SPEC "" deploy 40 "nic=lab0,10.9.0.40,target=$name" || fail "name: $name"
    done
    nothing_left
}

@test "two NICs with one MAC are refused" {
    fails_with SPEC 02:00:0a:09:00:28 deploy 40 nic=lab0,10.9.0.40 nic=lab1,10.10.0.40,mac=02:00:0a:09:00:28
    nothing_left
}

@test "two NICs with one host name are refused" {
    fails_with SPEC one-40-0 deploy 40 nic=lab0,10.9.0.40 nic=lab1,10.10.0.40,target=one-40-0
    nothing_left
}

@test "a gateway outside the NIC's subnet is refused" {
    fails_with SPEC 10.99.0.1 deploy 40 nic=lab0,10.9.0.40,gateway=10.99.0.1
    nothing_left
}

@test "an address that is its subnet's own or broadcast is refused" {
    fails_with SPEC 10.9.0.0 deploy 40 nic=lab0,10.9.0.0
    fails_with SPEC 10.9.0.255 deploy 40 nic=lab0,10.9.0.255
    nothing_left
}

@test "addresses, MACs and masks that are none are refused" {
    fails_with SPEC 10.9.0.400 deploy 40 nic=lab0,10.9.0.40,mac=02:00:0a:09:00:28 \
        template="<NIC>$(element NIC_ID 1)$(element BRIDGE lab0)$(element TARGET one-40-1)$(element IP 10.9.0.400)</NIC>"
    fails_with SPEC zz:00 deploy 40 nic=lab0,10.9.0.40,mac=zz:00
    fails_with SPEC 255.0.255.0 deploy 40 nic=lab0,10.9.0.40,mask=255.0.255.0
    nothing_left
}

@test "a foreign link of the NIC's name is not taken away" {
    ip link add one-40-0 type veth peer name foreign
    fails_with NETWORK "one-40-0" deploy 40 nic=lab0,10.9.0.40
    ip link show foreign
    ip link del one-40-0
    nothing_left
}

@test "the engine adds no interface and no address of its own" {
    deploy 40 nic=lab0,10.9.0.40
    same "$(ip -j -n one-40 link show | jq -r '.[].ifname' | sort | tr '\n' ' ')" "eth0 lo "
    same "$(docker inspect --format '{{.HostConfig.NetworkMode}}' one-40)" none
}
