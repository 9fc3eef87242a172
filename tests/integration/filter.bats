#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# vmdock's own filter, with traffic: forged and denied frames do not arrive, honest and allowed ones do, in
# both families and directions. A VM has all rights in its sandbox, where tests/lib/frames makes frames by
# hand; "peer" is a namespace on the same bridge that nobody filters.

load helpers
load front_end

FRAMES=${BATS_TEST_DIRNAME%/integration}/lib/frames
VM4=10.9.0.40 VM6=fd09::40 PEER4=10.9.0.200 PEER6=fd09::200
NIC=nic=lab0,$VM4,ip6=$VM6,ip6_gateway=fd09::1
SPOOFING=user=$(element ONEDOCK_FILTER spoofing)
FULL=user=$(element ONEDOCK_FILTER full)

setup_file() {
    lab_ready
    front_end_ready
    # What the engine drops is not what is tested here.
    iptables -I FORWARD -m physdev --physdev-is-bridged -j ACCEPT
}

teardown_file() {
    iptables -D FORWARD -m physdev --physdev-is-bridged -j ACCEPT
}

setup() {
    ip netns add peer
    ip link add peer-host master lab0 up type veth peer name eth0 netns peer
    ip -n peer link set lo up
    ip -n peer link set eth0 up
    ip -n peer addr add $PEER4/24 dev eth0
    ip -n peer addr add $PEER6/64 dev eth0 nodad
    remember_state
}

teardown() {
    [ -z "${SERVER:-}" ] || kill "$SERVER" 2>/dev/null || true
    nft delete table bridge vmdock 2>/dev/null || true
    nft delete table inet vmdock 2>/dev/null || true
    follow_bridged 1
    sweep
}

# Whether the rules of IP are shown bridged packets, of IPv6.
follow_bridged() {
    echo "$1" >/proc/sys/net/bridge/bridge-nf-call-ip6tables
}

# The names of the lines on stdin whose frames arrive at the peer, sorted.
sent_by_vm() {
    "$FRAMES" one-40 "${1:-eth0}" peer eth0 | sort | xargs
}

sent_by_peer() {
    "$FRAMES" peer eth0 one-40 eth0 | sort | xargs
}

sent_by_host() {
    "$FRAMES" - lab0 one-40 eth0 | sort | xargs
}

# What only a forger sends, or a router; none of it may arrive.
forged() {
    cat <<'EOF'
arp-address arp op=2 spa=10.9.0.99
arp-gateway arp op=2 spa=10.9.0.1
arp-hardware arp op=2 sha=02:00:0a:09:00:63
arp-none arp op=2 spa=0.0.0.0
mac4 udp4 smac=02:00:0a:09:00:63
mac6 udp6 smac=02:00:0a:09:00:63
source4 udp4 src=10.9.0.99
source4-none udp4 src=0.0.0.0
source6 udp6 src=fd09::99
source6-link udp6 src=fe80::99
source6-none udp6 src=::
router4 udp4 src=10.9.0.1
advertisement icmp6 type=134 src=fe80::aff:fe09:28
neighbour-target icmp6 type=136 target=fd09::99
neighbour-gateway icmp6 type=136 target=fd09::1
neighbour-source icmp6 type=136 src=fd09::99
probe-of-another icmp6 type=135 src=:: target=fd09::99 dst=ff02::1
dhcp-server4 udp4 sport=67 dport=68
dhcp-server4-port udp4 sport=7 dport=68
dhcp-relay4 udp4 sport=67 dport=67
dhcp-server6 udp6 sport=547 dport=546
dhcp-server6-port udp6 sport=7 dport=546
dhcp-of-another dhcp smac=02:00:0a:09:00:63
dhcp-somewhere dhcp dst=10.9.0.1
tagged4 udp4 vlan=5
tagged-arp arp vlan=5
other-protocol ether type=88cc
EOF
}

# What an honest VM may send, whoever hears it; all of it must arrive.
honest() {
    cat <<'EOF'
arp arp op=1
arp-answer arp op=2
arp-probe arp op=1 spa=0.0.0.0
dhcp dhcp
dad icmp6 type=135 src=:: target=fd09::40 dst=ff02::1:ff00:40
icmp4 icmp4
icmp6 icmp6
link-local udp6 src=fe80::aff:fe09:28
listener icmp6 type=143 src=:: dst=ff02::16
neighbour icmp6 type=136
neighbour-link icmp6 type=136 src=fe80::aff:fe09:28 target=fe80::aff:fe09:28
routers icmp6 type=133 src=:: dst=ff02::2
solicitation icmp6 type=135 target=fd09::200
udp4 udp4
udp6 udp6
EOF
}

names() {
    cut -d' ' -f1 | sort | xargs
}

nothing_forged() {
    same "$( (forged; honest) | sent_by_vm)" "$(honest | names)"
    # The host itself is somebody that a VM could deceive.
    same "$( (forged; honest) | "$FRAMES" one-40 eth0 - lab0 | sort | xargs)" "$(honest | names)"
}

rule() {
    local part rule
    rule=$(element SECURITY_GROUP_ID "$1")
    shift
    for part; do
        rule+=$(element "${part%%=*}" "${part#*=}")
    done
    printf '<SECURITY_GROUP_RULE>%s</SECURITY_GROUP_RULE>' "$rule"
}

# vm_in GROUPS RULES [as vm_xml after the NIC]: the XML of VM 40, in security groups.
vm_in() {
    local groups=$1 rules=$2
    shift 2
    vm_xml 40 "$NIC" template="$rules" "$@" |
        sed "s|<NIC>|<NIC>$(element SECURITY_GROUPS "$groups" | sed 's/[&|\]/\\&/g')|"
}

# Both families: to TCP 8080 and UDP 5000 to 5009, pings, and out to UDP 5300 and to the peer's TCP 8081.
GROUP=$(
    rule 100 PROTOCOL=TCP RULE_TYPE=inbound RANGE=8080
    rule 100 PROTOCOL=UDP RULE_TYPE=inbound RANGE=4999,5000:5009
    rule 100 PROTOCOL=ICMP RULE_TYPE=inbound ICMP_TYPE=8
    rule 100 PROTOCOL=ICMPV6 RULE_TYPE=inbound ICMPV6_TYPE=128
    rule 101 PROTOCOL=UDP RULE_TYPE=outbound RANGE=5300
    rule 101 PROTOCOL=TCP RULE_TYPE=outbound RANGE=8081 IP=$PEER4 SIZE=1 IP6=$PEER6
)

inbound() {
    cat <<'EOF'
in4 udp4 dport=5000
in4-last udp4 dport=5009
in6 udp6 dport=5004
ping4 icmp4
ping6 icmp6
in4-other udp4 dport=5010
in6-other udp6 dport=4998
icmp4-other icmp4 type=13
in4-tagged udp4 dport=5000 vlan=5
in6-answer-of-nothing udp6 sport=5300 dport=4000
EOF
}
INBOUND="in4 in4-last in6 ping4 ping6"

outbound() {
    cat <<'EOF'
out4 udp4 sport=6000 dport=5300
out6 udp6 sport=6000 dport=5300
out4-other udp4 sport=6000 dport=5301
out6-other udp6 sport=6000 dport=5301
out4-ping icmp4
out6-ping icmp6
EOF
}
OUTBOUND="out4 out6"

judged_by_groups() {
    same "$(inbound | sent_by_peer)" "$INBOUND"
    same "$(inbound | sent_by_host)" "$INBOUND"
    same "$(outbound | sent_by_vm)" "$OUTBOUND"
}

# serve NETNS PORT: both families, until the test ends.
serve() {
    nsenter --net="/run/netns/$1" python3 -m http.server --bind :: --directory /var/empty "$2" &>/dev/null 3>&- &
    SERVER=$!
    within 10 nsenter --net="/run/netns/$1" bash -c "</dev/tcp/127.0.0.1/$2"
}

# connects NETNS ADDRESS PORT; "-": from the host.
connects() {
    local from=/proc/self/ns/net
    [ "$1" = - ] || from=/run/netns/$1
    timeout "${PATIENCE:-3}" nsenter --net="$from" bash -c "exec 3<>/dev/tcp/$2/$3; echo 'GET / HTTP/1.0

' >&3; grep -q HTTP <&3" 2>/dev/null
}

# What is dropped is not answered, and this is waited for.
connects_not() {
    PATIENCE=0.5 refused connects "$@"
}

elements() {
    nft -j list map bridge vmdock "$1" | jq -r '.nftables[].map? // empty | .elem[]?[0]' | sort | xargs
}

no_rules() {
    local map
    for map in spoofing outbound inbound; do
        same "$(elements $map)" ""
    done
    same "$(nft -j list chains | jq -r '.nftables[].chain? // empty | select(.table == "vmdock" and (has("hook") | not)) | .name')" ""
}

# ---- anti-spoofing ------------------------------------------------------------------------------

@test "without a filter all of it arrives, and no program runs for it" {
    vm_xml 40 "$NIC" | vmdock --config "$(config_with '[network]' 'nft = /nonexistent/nft')" deploy -
    [ ! -e "$RUN/filter/one-40" ]
    same "$( (forged; honest) | sent_by_vm)" "$( (forged; honest) | names)"
    vmdock purge one-40
    nothing_left
}

@test "spoofing: no address but its own, in ARP, IPv4 and IPv6; no router, no DHCP server, no tag" {
    deploy 40 "$NIC" "$SPOOFING"
    nothing_forged
    ping -c 1 -W 2 -q $VM4
    ping -6 -c 1 -W 2 -q $VM6
    docker exec one-40 ping -c 1 -W 2 $PEER4
    docker exec one-40 ping -6 -c 1 -W 2 $PEER6
    vmdock purge one-40
    no_rules
    nothing_left
}

@test "spoofing: addresses that the guest gives itself do not answer, and teach no neighbour" {
    deploy 40 "$NIC" "$SPOOFING"
    in_sandbox 40 ip addr add 10.9.0.77/24 dev eth0
    in_sandbox 40 ip addr add fd09::77/64 dev eth0 nodad
    refused ping -c 1 -W 1 -q 10.9.0.77
    refused ping -6 -c 1 -W 1 -q fd09::77
    in_sandbox 40 ip link set eth0 address 02:00:0a:09:00:63
    refused ping -c 1 -W 1 -q $VM4
    has_not "$(bridge fdb show br lab0)" 02:00:0a:09:00:63
}

@test "spoofing: the addresses of aliases are its own" {
    deploy 40 "$NIC" "$SPOOFING" \
        template="<NIC_ALIAS>$(element PARENT_ID 0)$(element NIC_ID 1)$(element ALIAS_ID 0)$(element IP 10.9.0.49)$(element IP6 fd09::49)$(element MAC 02:00:0a:09:00:31)</NIC_ALIAS>"
    same "$(sent_by_vm <<'EOF'
alias4 udp4 src=10.9.0.49
alias6 udp6 src=fd09::49
alias-arp arp op=2 spa=10.9.0.49
alias-neighbour icmp6 type=136 target=fd09::49
other udp4 src=10.9.0.48
EOF
    )" "alias-arp alias-neighbour alias4 alias6"
    ping -c 1 -W 2 -q 10.9.0.49
}

@test "spoofing: an address that a router's prefix and the MAC make is its own where the VM learns its addresses" {
    vm_xml 40 nic=lab0,$VM4 "$SPOOFING" |
        sed "s|<CONTEXT>|<CONTEXT>$(element ETH0_IP6_METHOD auto | sed 's/[&|\]/\\&/g')|" | vmdock deploy -
    same "$(sent_by_vm <<'EOF'
learned udp6 src=2001:db8::aff:fe09:28 dst=2001:db8::1
learned-neighbour icmp6 type=136 src=2001:db8::aff:fe09:28 target=2001:db8::aff:fe09:28 dst=2001:db8::1
chosen udp6 src=2001:db8::1234 dst=2001:db8::1
chosen-neighbour icmp6 type=136 src=2001:db8::aff:fe09:28 target=2001:db8::1234 dst=2001:db8::1
EOF
    )" "learned learned-neighbour"
}

@test "spoofing: a NIC whose bandwidth is limited, and so goes by way of another link, is held to it as well" {
    vm_xml 40 "$NIC" "$SPOOFING" |
        sed "s|<NIC>|<NIC><OUTBOUND_AVG_BW>1000</OUTBOUND_AVG_BW><INBOUND_AVG_BW>1000</INBOUND_AVG_BW>|" | vmdock deploy -
    nothing_forged
}

@test "by configuration for all VMs; a template can ask for more, and not for less" {
    local conf
    conf=$(config_with '[network]' 'filter = spoofing')
    vm_xml 40 "$NIC" user="$(element ONEDOCK_FILTER off)" | vmdock --config "$conf" deploy -
    nothing_forged
    vm_in 100,101 "$GROUP" "$FULL" | vmdock --config "$conf" deploy -
    judged_by_groups
    fails_with SPEC ONEDOCK_FILTER deploy 41 nic=lab0,10.9.0.41 user="$(element ONEDOCK_FILTER some)"
}

# ---- security groups ----------------------------------------------------------------------------

@test "full: what the groups let pass, and no more, both families, from the bridge and from the host" {
    vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    judged_by_groups
    same "$(forged | sent_by_vm)" ""
    vmdock purge one-40
    no_rules
    nothing_left
}

@test "full: answers pass, of connections that were let through, and nothing else" {
    vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    serve peer 8081
    connects one-40 $PEER4 8081
    connects one-40 $PEER6 8081
    connects_not one-40 10.9.0.1 8081
    kill "$SERVER"
    serve peer 8082
    connects_not one-40 $PEER4 8082
    kill "$SERVER"
    serve one-40 8080
    connects peer $VM4 8080
    connects peer $VM6 8080
    connects - $VM4 8080
    connects - $VM6 8080
    kill "$SERVER"
    serve one-40 8083
    connects_not peer $VM4 8083
    connects_not peer $VM6 8083
}

@test "full: a group without rules lets nothing pass, a NIC without groups everything that is not forged" {
    vm_in 7 '' "$FULL" | vmdock deploy -
    same "$(inbound | sent_by_peer)" ""
    same "$(outbound | sent_by_vm)" ""
    deploy 40 "$NIC" "$FULL"
    same "$(outbound | sent_by_vm)" "$(outbound | names)"
    nothing_forged
}

@test "full: other groups by deploying onto the VM that runs, and by vmdock filter; connections go on" {
    vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    serve one-40 8080
    exec 8<>/dev/null
    nsenter --net=/run/netns/peer python3 -c '
import socket, sys
held = socket.create_connection((sys.argv[1], 8080)); print("connected", flush=True)
sys.stdin.readline(); held.sendall(b"GET / HTTP/1.0\r\n\r\n"); held.settimeout(3); print(held.recv(9).decode())' \
        $VM4 < <(sleep 2; echo) >"$BATS_TEST_TMPDIR/held" 3>&- &
    local client=$!
    within 5 grep -q connected "$BATS_TEST_TMPDIR/held"
    vm_in 102 "$(rule 102 PROTOCOL=UDP RULE_TYPE=inbound RANGE=5010)" "$FULL" | vmdock deploy -
    same "$(inbound | sent_by_peer)" in4-other
    same "$(outbound | sent_by_vm)" ""
    connects_not peer $VM4 8080
    wait $client
    has "$(cat "$BATS_TEST_TMPDIR/held")" HTTP
    vm_in 100,101 "$GROUP" | vmdock filter --xml - 40
    judged_by_groups
    same "$(jq '.nics[0].rules | length' "$STATE/one-40/spec.json")" 7
}

# ---- the life of a VM ---------------------------------------------------------------------------

@test "reboot and reset keep the rules; power off takes them, and the next deploy brings them back" {
    local action
    vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    for action in reboot reset; do
        vmdock $action one-40
        judged_by_groups
    done
    vmdock shutdown --time 1 one-40
    no_rules
    nothing_left_but_the_vm
    vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    judged_by_groups
    same "$(forged | sent_by_vm)" ""
    vmdock cancel one-40
    no_rules
}

nothing_left_but_the_vm() {
    [ ! -e "$RUN/filter/one-40" ]
    refused ip link show one-40-0
}

# The host's reboot takes rules, links, namespaces and /run; the engine keeps the container.
reboot_host() {
    docker kill one-40 >/dev/null
    within 5 docker_says_exited
    ip netns del one-40
    ip link del one-40-0 2>/dev/null || true
    nft delete table bridge vmdock
    nft delete table inet vmdock 2>/dev/null || true
    find "$RUN" -mindepth 1 -delete
}

docker_says_exited() {
    [ "$(container_state 40)" = exited ]
}

@test "after a reboot of the host the VM comes back filtered, by reset and by deploy" {
    vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    reboot_host
    vmdock reset one-40
    judged_by_groups
    same "$(forged | sent_by_vm)" ""
    reboot_host
    vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    judged_by_groups
}

@test "attach_nic and detach_nic: the new NIC is filtered from its first frame, and leaves no rule" {
    one_deploy 40 "$NIC" "$SPOOFING"
    attach_nic 40 10.9.0.41 "$NIC" nic=lab0,10.9.0.41 "$SPOOFING"
    same "$(elements spoofing)" "one-40-0 one-40-1"
    same "$(sent_by_vm eth1 <<'EOF'
own udp4
other-nics-address udp4 src=10.9.0.40
other-nics-mac udp4 smac=02:00:0a:09:00:28
EOF
    )" own
    nothing_forged
    detach_nic 40 10.9.0.41 "$NIC" nic=lab0,10.9.0.41 "$SPOOFING"
    same "$(elements spoofing)" one-40-0
    same "$(cat "$RUN/filter/one-40")" one-40-0
    nothing_forged
}

@test "one nft an action" {
    local nft=$BATS_TEST_TMPDIR/nft conf
    printf '#!/bin/sh\necho >>%s/count\nexec nft "$@"\n' "$BATS_TEST_TMPDIR" >"$nft"
    chmod 755 "$nft"
    conf=$(config_with '[network]' "nft = $nft")
    # Whether the kernel follows connections through bridges is asked once.
    vm_in 100,101 "$GROUP" "$FULL" | vmdock --config "$conf" deploy -
    vmdock --config "$conf" cancel one-40
    local action
    for action in "deploy -" "reboot one-40" "deploy -" "cancel one-40"; do
        : >"$BATS_TEST_TMPDIR/count"
        # shellcheck disable=SC2086 # words
        vm_in 100,101 "$GROUP" "$FULL" | vmdock --config "$conf" $action
        same "$action: $(wc -l <"$BATS_TEST_TMPDIR/count")" "$action: 1"
    done
}

@test "many VMs at once keep each other's rules, and go without a rest" {
    local id ids=() names=() jobs=()
    nft add table bridge opennebula
    for id in {50..59}; do
        ids+=("$id") names+=("one-$id-0")
    done
    for id in "${ids[@]}"; do
        deploy "$id" "nic=lab0,10.9.0.$id" "$SPOOFING" >/dev/null 3>&- &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    same "$(elements spoofing)" "${names[*]}"
    for id in "${ids[@]}"; do
        same "$id $("$FRAMES" "one-$id" eth0 peer eth0 <<<"own udp4
forged udp4 src=10.9.0.1")" "$id own"
    done
    for id in "${ids[@]}"; do
        vmdock purge "one-$id" 3>&- &
        jobs+=($!)
    done
    wait "${jobs[@]}"
    no_rules
    has "$(nft list tables)" "table bridge opennebula"
    nft delete table bridge opennebula
    nothing_left
}

# deploy_with CONFIGURATION [as vm_xml after the NIC]
deploy_with() {
    local conf=$1
    shift
    vm_xml 40 "$NIC" "$@" | vmdock --config "$conf" deploy -
}

# ---- failures -----------------------------------------------------------------------------------

@test "without nft a VM that asks for a filter does not start, and one that does not does" {
    local conf
    conf=$(config_with '[network]' 'nft = /nonexistent/nft')
    fails_with UNSUPPORTED /nonexistent/nft deploy_with "$conf" "$SPOOFING"
    nothing_left
    deploy_with "$conf"
    fails_with UNSUPPORTED "cannot be filtered" deploy_with "$conf" "$SPOOFING"
    same "$(container_state 40)" running
    same "$(jq '.filter' "$STATE/one-40/spec.json")" null
}

@test "a kernel that cannot do it is told in its own words" {
    local nft=$BATS_TEST_TMPDIR/nft
    printf '#!/bin/sh\necho "Error: Could not process rule: Operation not supported" >&2\nexit 1\n' >"$nft"
    chmod 755 "$nft"
    fails_with UNSUPPORTED "Operation not supported" \
        deploy_with "$(config_with '[network]' "nft = $nft" 'filter = spoofing')"
    nothing_left
}

@test "an nft that does not end: one sentence, in time, and gc clears what it may have done" {
    local nft=$BATS_TEST_TMPDIR/nft
    printf '#!/bin/sh\nnft "$@"\nexec sleep 60\n' >"$nft"
    chmod 755 "$nft"
    fails_with NETWORK "did not end in time" \
        deploy_with "$(config_with '[network]' "nft = $nft" 'filter = spoofing' 'nft_timeout_ms = 500')"
    same "$(container_state 40 2>/dev/null)" ""
    vmdock gc
    refused nft list table bridge vmdock
    nothing_left
}

@test "a NIC that cannot be attached leaves the others' rules, and none of its own" {
    deploy 40 "$NIC" "$SPOOFING"
    refused_with nobridge attach_nic 40 10.9.0.41 "$NIC" nic=nobridge,10.9.0.41 "$SPOOFING"
    same "$(elements spoofing)" one-40-0
    same "$(cat "$RUN/filter/one-40")" one-40-0
    nothing_forged
}

@test "a bridge of Open vSwitch is not filtered, and is not said to be" {
    open_vswitch() {
        vm_xml 40 "$NIC" "$SPOOFING" | sed 's|<NIC>|<NIC><BRIDGE_TYPE>openvswitch</BRIDGE_TYPE>|' | vmdock deploy -
    }
    fails_with UNSUPPORTED "vmdock cannot filter" open_vswitch
    nothing_left
}

@test "security groups need connections to be followed: without that they are refused, never weaker" {
    vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    if [ ! -e "$RUN/filter/.tracking" ]; then
        # nf_conntrack_bridge: the table asks the kernel, and needs nothing of the host's settings.
        has "$(nft list table bridge vmdock)" "ct state"
        follow_bridged 0
        vmdock reset one-40
        judged_by_groups
        follow_bridged 1
        return
    fi
    vmdock purge one-40
    with_groups() {
        vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    }
    follow_bridged 0
    fails_with UNSUPPORTED "nf_conntrack_bridge" with_groups
    follow_bridged 1
    nothing_left
    # Switched off later, it is the answers that no longer pass.
    with_groups
    serve peer 8081
    connects one-40 $PEER6 8081
    follow_bridged 0
    connects_not one-40 $PEER6 8081
    same "$(inbound | sent_by_peer)" "$INBOUND"
}

@test "doctor misses rules that somebody took away, vmdock filter brings them back" {
    local told
    vm_in 100,101 "$GROUP" "$FULL" | vmdock deploy -
    told=$(vmdock --json doctor | jq -r '.[] | select(.id == "network.filter") | "\(.level) \(.what)"')
    has "$told" "ok "
    nft delete table bridge vmdock
    nft delete table inet vmdock 2>/dev/null || true
    told=$(vmdock --json doctor | jq -r '.[] | select(.id == "network.filter") | "\(.level) \(.what)"')
    has "$told" "fail "
    has "$told" one-40
    vmdock filter --all
    judged_by_groups
    told=$(vmdock --json doctor | jq -r '.[] | select(.id == "network.filter") | "\(.level) \(.what)"')
    has "$told" "ok "
}

@test "gc: rules that nobody has go, and the table with the last of them" {
    deploy 40 "$NIC" "$SPOOFING"
    nft add chain bridge vmdock one-77-0-spoofing
    nft add element bridge vmdock spoofing '{ "one-77-0" : goto one-77-0-spoofing }'
    has "$(vmdock --json doctor | jq -r '.[].what')" one-77-0
    has "$(vmdock gc --dry-run)" "one-77-0"
    same "$(elements spoofing)" "one-40-0 one-77-0"
    has "$(vmdock gc)" "one-77-0"
    same "$(elements spoofing)" one-40-0
    same "$(vmdock gc)" ""
    nothing_forged
    vmdock purge one-40
    vmdock gc
    refused nft list table bridge vmdock
}

@test "gc: a killed deploy's rules go with the rest of it" {
    deploy 40 "$NIC" "$SPOOFING"
    docker rm --force one-40 >/dev/null
    ip link del one-40-0
    vmdock gc
    same "$(elements spoofing 2>/dev/null)" ""
    [ ! -e "$RUN/filter/one-40" ]
    nothing_left
}

@test "explain shows the rules without making one" {
    vm_in 100,101 "$GROUP" "$FULL" >"$BATS_TEST_TMPDIR/vm.xml"
    has "$(vmdock explain "$BATS_TEST_TMPDIR/vm.xml")" "filter = full"
    vmdock --json explain "$BATS_TEST_TMPDIR/vm.xml" | jq '{nftables: .filter_rules}' |
        sed 's/"in": *\["established/&/' >"$BATS_TEST_TMPDIR/rules.json"
    has "$(cat "$BATS_TEST_TMPDIR/rules.json")" one-40-0-inbound
    refused nft list table bridge vmdock
}
