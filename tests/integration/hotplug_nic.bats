#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# NICs that come and go while the VM runs, by the scripts attach_nic and detach_nic.
#
# Contract: OpenNebula 7.4; argv and stdin as recorded.

load helpers
load front_end

FIRST=nic=lab0,10.9.0.71
SECOND=nic=lab0,10.9.0.72

setup_file() {
    lab_ready
    front_end_ready
    bridge lab1 10.19.0.1/24 fd19::1/64
}

setup() {
    remember_state
}

teardown() {
    sweep
}

teardown_file() {
    ip link del lab1
}

links_of() {
    ip -j -n "one-$1" link show | jq -r '.[].ifname' | grep -v '^lo$' | sort | tr '\n' ' '
}

saved() {
    jq -r "$2" "$STATE/one-$1/spec.json"
}

purged() {
    vmdock purge "one-$1"
    nothing_left
}

@test "attach_nic: the VM has the NIC at once, silent on stdout, and the container knows nothing of it" {
    one_deploy 71 "$FIRST"
    local pid
    pid=$(docker inspect --format '{{.State.Pid}}' one-71)
    attach_nic 71 10.9.0.72 "$FIRST" "$SECOND"
    same "$(cat "$OUT")" ""
    same "$(docker inspect --format '{{.State.Pid}}' one-71)" "$pid"
    same "$(addresses 71 eth1)" 10.9.0.72/24
    same "$(ip -j -n one-71 link show eth1 | jq -r '.[].address')" 02:00:0a:09:00:48
    same "$(ip -j link show one-71-1 | jq -r '.[] | "\(.master) \(.ifalias) \(.operstate)"')" "lab0 vmdock:one-71 UP"
    docker exec one-71 ip addr show eth1
    ping -c 1 -W 2 10.9.0.72
    same "$(saved 71 '[.nics[].host_name] | join(" ")')" "one-71-0 one-71-1"
    purged 71
}

@test "attach_nic again is no error and changes nothing; with another description the NIC follows it" {
    one_deploy 71 "$FIRST"
    attach_nic 71 10.9.0.72 "$FIRST" "$SECOND"
    local index
    index=$(cat /sys/class/net/one-71-1/ifindex)
    attach_nic 71 10.9.0.72 "$FIRST" "$SECOND"
    attach_nic 71 10.9.0.72 "$FIRST" "$SECOND,mtu=1400,mask=255.255.0.0"
    same "$(cat /sys/class/net/one-71-1/ifindex)" "$index"
    same "$(addresses 71 eth1)" 10.9.0.72/16
    same "$(in_sandbox 71 ip -j link show eth1 | jq '.[].mtu')" 1400
    same "$(links_of 71)" "eth0 eth1 "
    purged 71
}

@test "detach_nic: the NIC goes, the others stay as they are; again is no error" {
    one_deploy 71 "$FIRST" "$SECOND"
    local index
    index=$(cat /sys/class/net/one-71-1/ifindex)
    detach_nic 71 10.9.0.71 "$FIRST" "$SECOND"
    same "$(cat "$OUT")" ""
    same "$(links_of 71)" "eth1 "
    same "$(cat /sys/class/net/one-71-1/ifindex)" "$index"
    [ ! -e /sys/class/net/one-71-0 ]
    ping -c 1 -W 2 10.9.0.72
    same "$(saved 71 '[.nics[].id] | join(" ")')" 1
    detach_nic 71 10.9.0.71 "$FIRST" "$SECOND"
    same "$(container_state 71)" running
    purged 71
}

@test "reboot and reset keep what was attached and detached" {
    one_deploy 71 "$FIRST"
    attach_nic 71 10.9.0.72 "$FIRST" "$SECOND"
    detach_nic 71 10.9.0.71 "$FIRST" "$SECOND"
    local action
    for action in reboot reset; do
        one "$action" 71 "$FIRST"
        same "$(links_of 71)" "eth1 "
        ping -c 1 -W 2 10.9.0.72
    done
    purged 71
}

@test "a host's reboot keeps them as well: reset makes the NIC anew" {
    one_deploy 71 "$FIRST"
    attach_nic 71 10.9.0.72 "$FIRST" "$SECOND"
    docker stop --time 0 one-71 >/dev/null
    ip netns del one-71
    within 5 test ! -e /sys/class/net/one-71-1
    one reset 71 "$FIRST"
    same "$(links_of 71)" "eth0 eth1 "
    same "$(addresses 71 eth1)" 10.9.0.72/24
    purged 71
}

@test "power off and deploy with the cloud's new description: the same NICs" {
    one_deploy 71 "$FIRST"
    attach_nic 71 10.9.0.72 "$FIRST" "$SECOND"
    one shutdown 71 "$FIRST" "$SECOND"
    one_deploy 71 "$FIRST" "$SECOND"
    same "$(links_of 71)" "eth0 eth1 "
    ping -c 1 -W 2 10.9.0.72
    purged 71
}

@test "attached: two stacks, routes, an MTU of its own, another bridge" {
    one_deploy 71 "$FIRST"
    local nic="nic=lab1,10.19.0.72,mtu=1450,ip6=fd19::72,ip6_gateway=fd19::1,gateway=,routes=10.77.0.0/16 via 10.19.0.9"
    attach_nic 71 10.19.0.72 "$FIRST" "$nic"
    same "$(addresses 71 eth1 | sort | tr '\n' ' ')" "10.19.0.72/24 fd19::72/64 "
    same "$(in_sandbox 71 ip -j link show eth1 | jq '.[].mtu')" 1450
    same "$(in_sandbox 71 ip -j route show 10.77.0.0/16 | jq -r '.[].gateway')" 10.19.0.9
    has "$(in_sandbox 71 ip -6 route show default dev eth1)" fd19::1
    has "$(in_sandbox 71 ip route show default)" 10.9.0.1
    ping -c 1 -W 2 fd19::72
    ping -c 1 -W 2 10.19.0.72
    purged 71
}

@test "two NICs in one subnet: each answers for its own address, with its own MAC, and through itself" {
    local fourth="nic=lab0,10.9.0.74,ip6=fd09::74,ip6_gateway=fd09::1"
    one_deploy 71 "$FIRST,ip6=fd09::71,ip6_gateway=fd09::1" "$SECOND,ip6=fd09::72,ip6_gateway=fd09::1"
    attach_nic 71 10.9.0.74 "$FIRST" "$SECOND" "$fourth"
    local n ip
    for n in 1 2 4; do
        for ip in "10.9.0.7$n" "fd09::7$n"; do
            ip neigh flush dev lab0
            ping -c 1 -W 2 "$ip"
            same "$(ip neigh show "$ip" dev lab0 | grep -o 'lladdr [^ ]*')" "lladdr $(mac_of "10.9.0.7$n")"
        done
    done
    # in its own subnet, and beyond it
    for ip in 10.9.0.1 192.0.2.1 fd09::1 2001:db8::1; do
        same "$(leaves_by "$ip" 10.9.0.72 fd09::72)" eth1
        same "$(leaves_by "$ip" 10.9.0.74 fd09::74)" eth2
        same "$(leaves_by "$ip" 10.9.0.71 fd09::71)" eth0
    done
    detach_nic 71 10.9.0.72
    ping -c 1 -W 2 10.9.0.74
    one reboot 71
    same "$(ip -n one-71 rule show | grep -c '^10042:')" 1
    same "$(ip -6 -n one-71 rule show | grep -c '^10042:')" 1
    same "$(leaves_by 192.0.2.1 10.9.0.74 fd09::74)" eth2
    vmdock purge one-71
    nothing_left
}

# leaves_by DESTINATION IPV4 IPV6: the link that the VM sends by, from its address of that family.
leaves_by() {
    local from=$2
    [[ $1 != *:* ]] || from=$3
    ip -j -n one-71 route get "$1" from "$from" | jq -r '.[].dev'
}

@test "a bridge that is not there: one sentence, and all is as before" {
    one_deploy 71 "$FIRST"
    local before
    before=$(host_state && cat "$STATE/one-71/spec.json")
    refused_with "bridge nobridge is not there" attach_nic 71 10.9.0.72 "$FIRST" nic=nobridge,10.9.0.72
    same "$(host_state && cat "$STATE/one-71/spec.json")" "$before"
    same "$(links_of 71)" "eth0 "
}

@test "a MAC twice, an address outside its subnet, a MAC that the XML does not have" {
    one_deploy 71 "$FIRST"
    local before
    before=$(host_state && cat "$STATE/one-71/spec.json")
    refused_with "have one MAC" attach_nic 71 10.9.0.71 "$FIRST" "$SECOND,mac=02:00:0a:09:00:47"
    refused_with "outside" attach_nic 71 10.9.0.72 "$FIRST" "$SECOND,gateway=10.8.0.1"
    refused_with "no NIC with the MAC 02:00:0a:09:00:49" attach_nic 71 10.9.0.73 "$FIRST" "$SECOND"
    same "$(host_state && cat "$STATE/one-71/spec.json")" "$before"
}

@test "a MAC that another NIC of the running VM has, whatever the XML says" {
    one_deploy 71 "$FIRST"
    local xml
    xml=$(action_data 71 "$FIRST" | sed 's|<NIC_ID><!\[CDATA\[0\]\]>|<NIC_ID><![CDATA[5]]>|; s|one-71-0|one-71-5|')
    refused_with "NIC 0 and NIC 5 have one MAC" \
        remote attach_nic one-71 02:00:0a:09:00:47 lab0 - bridge one-71-5 71 node1 <<<"$xml"
    same "$(links_of 71)" "eth0 "
}

@test "a change of a NIC that fails is taken back" {
    one_deploy 71 "$FIRST"
    attach_nic 71 10.9.0.72 "$FIRST" "$SECOND"
    refused attach_nic 71 10.9.0.72 "$FIRST" nic=nobridge,10.9.0.72,mtu=1300
    same "$(ip -j link show one-71-1 | jq -r '.[].master')" lab0
    same "$(in_sandbox 71 ip -j link show eth1 | jq '.[].mtu')" 1500
    same "$(saved 71 '.nics[1].bridge')" lab0
}

@test "the name of the host end is another's: refused, and that one stays" {
    one_deploy 71 "$FIRST"
    ip link add one-71-1 type bridge
    refused_with "not this VM's to replace" attach_nic 71 10.9.0.72 "$FIRST" "$SECOND"
    ip link show one-71-1
    ip link del one-71-1
    same "$(saved 71 '.nics | length')" 1
}

@test "a VM that is stopped, and one that is not there" {
    one_deploy 71 "$FIRST"
    one shutdown 71 "$FIRST"
    refused_with "does not run" attach_nic 71 10.9.0.72 "$FIRST" "$SECOND"
    refused_with "no such VM" attach_nic 79 10.9.0.72 "$FIRST" "$SECOND"
    refused_with "no such VM" detach_nic 79 10.9.0.72 "$FIRST"
    detach_nic 71 10.9.0.71 "$FIRST"
    same "$(saved 71 '.nics | length')" 0
}

@test "foreign arguments" {
    one_deploy 71 "$FIRST"
    local id mac
    for id in ../71 'one-71;id' one- one-72 ''; do
        refused remote attach_nic "$id" 02:00:0a:09:00:48 lab0 - bridge x 71 node1 < <(action_data 71 "$FIRST" "$SECOND")
        refused remote detach_nic "$id" 02:00:0a:09:00:47 71 node1 < <(action_data 71 "$FIRST")
    done
    for mac in '' 02:00 '02:00:0a:09:00:47 x' one-71-0; do
        refused remote detach_nic one-71 "$mac" 71 node1 < <(action_data 71 "$FIRST")
    done
    refused remote attach_nic one-72 02:00:0a:09:00:48 lab0 - bridge x 72 node1 < <(action_data 71 "$FIRST" "$SECOND")
    same "$(links_of 71)" "eth0 "
}

@test "the engine is not asked: it works while the engine hangs" {
    one_deploy 71 "$FIRST"
    engine freeze
    attach_nic 71 10.9.0.72 "$FIRST" "$SECOND" || { engine thaw; false; }
    detach_nic 71 10.9.0.71 "$FIRST" "$SECOND" || { engine thaw; false; }
    engine thaw
    same "$(links_of 71)" "eth1 "
}

@test "several at once on one VM: all of them" {
    one_deploy 71 "$FIRST"
    local n pids=() nics=("$FIRST")
    for n in 2 3 4 5; do
        nics+=("nic=lab0,10.9.0.7$n")
    done
    for n in 2 3 4 5; do
        mkdir -m 755 "$BATS_TEST_TMPDIR/$n"
        BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR/$n attach_nic 71 "10.9.0.7$n" "${nics[@]}" 3>&- &
        pids+=($!)
    done
    wait "${pids[@]}"
    same "$(links_of 71)" "eth0 eth1 eth2 eth3 eth4 "
    same "$(saved 71 '[.nics[].id | tostring] | join(" ")')" "0 1 2 3 4"
    purged 71
}

# A call of the recorded form, where there are no records.
fourth_nic_made_here() {
    local three=("$FIRST" "nic=lab1,10.19.0.72" "nic=lab1,10.19.0.73")
    one_deploy 71 "${three[@]}"
    attach_nic 71 10.9.0.74 "${three[@]}" nic=lab0,10.9.0.74
    same "$(addresses 71 eth3)" 10.9.0.74/24
    same "$(ip -j link show one-71-3 | jq -r '.[].master')" lab0
    purged 71
}

@test "the recorded call: a fourth NIC on a bridge that has one, named as the guest is told" {
    local xml=${VMDOCK_RECORDS:-}/opennebula/xml/vmm-attach_nic-002.xml name
    if [ -z "${VMDOCK_RECORDS:-}" ]; then
        printf '# no records at hand (VMDOCK_RECORDS): a call made here stands for it\n' >&3
        fourth_nic_made_here
        return
    fi
    for name in $(bridges_of "$xml"); do
        bridge "$name"
    done
    disk_files "$xml"
    image vmdock/one-1:disk.0 'RUN ln -s first /bin/nginx'
    # the VM as it was before, and without the swap disk, which no container can have
    xmllint --xpath '(//VM)[1]' "$xml" | tr -d '\n' | sed 's|<NIC><AR_ID>[^/]*</AR_ID><ATTACH>.*</NIC><NIC_ALIAS>|<NIC_ALIAS>|; s|CDATA\[swap\]|CDATA[fs]|' >"$BATS_TEST_TMPDIR/vm.xml"
    remote deploy /x/deployment.0 node1 1 node1 <"$BATS_TEST_TMPDIR/vm.xml"
    remote attach_nic one-1 02:00:0a:08:01:0c odbr1 - bridge one-1-4 1 onenode1 <"$xml"
    same "$(addresses 1 eth4)" 10.8.1.12/24
    same "$(ip -j link show one-1-4 | jq -r '.[].master')" odbr1
    remote detach_nic one-1 02:00:0a:08:01:0c 1 onenode1 <"$xml"
    [ ! -e /sys/class/net/one-1-4 ]
    vmdock purge one-1
    for name in $(bridges_of "$xml"); do
        ip link del "$name"
    done
}
