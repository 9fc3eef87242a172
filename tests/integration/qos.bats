#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# INBOUND_* and OUTBOUND_* of a NIC: what passes, what tc says, and that it goes with the NIC.
#
# Contract: OpenNebula 7.4: AVG_BW and PEAK_BW in kilobytes per second, PEAK_KB in kilobytes; VNM asks
# for new limits through set_qos of the class in vnmmad-load.d.

load helpers
load front_end

PLAIN=nic=lab0,10.9.0.81
CLASS=$REMOTES/vnm/vnmmad-load.d/onedock.rb

setup_file() {
    lab_ready
    front_end_ready
    cp "$SOURCES/tests/lib/vnmmad.rb" "$REMOTES/vnm/"
}

setup() {
    remember_state
}

teardown() {
    sweep
    clear_ifbs
}

clear_ifbs() {
    local name
    for name in $(ip -j link show type ifb | jq -r '.[].ifname'); do
        ip link del "$name"
    done
}

# limited NAME=VALUE…: an XML with these elements added to the only NIC of VM 81.
limited() {
    local pair limits=''
    for pair; do
        limits+=$(element "${pair%%=*}" "${pair#*=}")
    done
    vm_xml 81 "$PLAIN" | sed "s|</NIC>|$limits</NIC>|"
}

deploy_limited() {
    remote deploy /x/deployment.0 node1 81 node1 < <(limited "$@")
}

# moved in|out SECONDS: bytes that one TCP connection brings to the guest, or out of it, in that time.
moved() {
    local from=(in_sandbox 81) to=() address=10.9.0.1
    local file=$BATS_TEST_TMPDIR/moved open=$BATS_TEST_TMPDIR/open
    if [ "$1" = in ]; then
        from=() to=(in_sandbox 81) address=10.9.0.81
    fi
    # an input that does not end: nc tells the other side of the end, which would then end as well
    [ -p "$open" ] || mkfifo "$open"
    "${to[@]}" timeout "$2.5" busybox nc -l -p 7000 >"$file" <>"$open" 3>&- &
    within 2 "${to[@]}" sh -c 'ss -Hltn | grep -q :7000'
    "${from[@]}" timeout "$2" busybox nc "$address" 7000 </dev/zero >/dev/null || true
    wait $! || true
    stat --format %s "$file"
}

# between LEAST MOST NUMBER
between() {
    { [ "$3" -ge "$1" ] && [ "$3" -le "$2" ]; } || fail "$3 is not within $1 and $2"
}

# The rate of the token bucket on a link, in bytes a second; nothing when there is none.
rate_of() {
    tc -j qdisc show dev "$1" | jq '.[] | select(.kind == "tbf") | .options.rate'
}

peak_of() {
    tc qdisc show dev "$1" | sed -n 's/.* peakrate \([^ ]*\) .*/\1/p'
}

unlimited() {
    same "$(rate_of one-81-0)" ""
    [ ! -e /sys/class/net/qone-81-0 ]
    same "$(tc qdisc show dev one-81-0 ingress)" ""
}

@test "without limits nothing is in the way" {
    remote deploy /x/deployment.0 node1 81 node1 < <(vm_xml 81 "$PLAIN")
    unlimited
    between 20000000 99999999999 "$(moved in 1)"
    between 20000000 99999999999 "$(moved out 1)"
}

@test "averages: each direction passes what it may, and the engine's other traffic is free" {
    deploy_limited INBOUND_AVG_BW=1000 OUTBOUND_AVG_BW=2000
    same "$(rate_of one-81-0)" 1000000
    same "$(rate_of qone-81-0)" 2000000
    between 1200000 2600000 "$(moved in 2)"
    between 2400000 5200000 "$(moved out 2)"
    same "$(ip -j link show qone-81-0 | jq -r '.[].ifalias')" vmdock:one-81
    # what comes too fast waits in a queue: not every kernel has police
    has "$(tc filter show dev one-81-0 ingress)" "Redirect to device qone-81-0"
    has_not "$(tc filter show dev one-81-0 ingress)" police
    vmdock purge one-81
    nothing_left
}

@test "one direction alone" {
    deploy_limited OUTBOUND_AVG_BW=1000
    same "$(rate_of one-81-0)" ""
    between 20000000 99999999999 "$(moved in 1)"
    between 500000 1500000 "$(moved out 1)"
}

@test "peak and burst: a rested NIC moves its burst at the peak, and then the average" {
    deploy_limited INBOUND_AVG_BW=500 INBOUND_PEAK_BW=4000 INBOUND_PEAK_KB=2000 \
        OUTBOUND_AVG_BW=500 OUTBOUND_PEAK_BW=4000 OUTBOUND_PEAK_KB=2000
    same "$(peak_of one-81-0)" 32Mbit
    same "$(peak_of qone-81-0)" 32Mbit
    local way
    for way in in out; do
        # 2 MB of burst at 4 MB/s, and 0.5 MB of average meanwhile
        between 1500000 4300000 "$(moved $way 1)"
        # the burst is spent
        between 200000 1300000 "$(moved $way 1)"
    done
}

@test "the numbers of the bucket are KVM's: thousands for rates, 1024 for sizes" {
    deploy_limited INBOUND_AVG_BW=1024 INBOUND_PEAK_BW=2048 INBOUND_PEAK_KB=100
    same "$(rate_of one-81-0)" 1024000
    same "$(peak_of one-81-0)" 16384Kbit
    has "$(tc qdisc show dev one-81-0)" "burst 100Kb "
}

@test "attach_nic brings its limits, detach_nic takes them" {
    one_deploy 81 "$PLAIN"
    local xml
    xml=$(action_data 81 "$PLAIN" nic=lab0,10.9.0.82 |
        sed "s|</NIC>\(<CPU>\|<DISK>\)|&|; s|<NIC_ID><!\[CDATA\[1\]\]></NIC_ID>|&$(element OUTBOUND_AVG_BW 300)$(element INBOUND_AVG_BW 400)|")
    remote attach_nic one-81 02:00:0a:09:00:52 lab0 - bridge one-81-1 81 node1 <<<"$xml"
    same "$(rate_of one-81-1)" 400000
    same "$(rate_of qone-81-1)" 300000
    unlimited
    vmdock reboot one-81
    same "$(rate_of qone-81-1)" 300000
    detach_nic 81 10.9.0.82 "$PLAIN"
    [ ! -e /sys/class/net/qone-81-1 ]
    vmdock purge one-81
    nothing_left
}

@test "limits are there again after a shutdown, a reboot of the host, and without them in the XML they are gone" {
    deploy_limited INBOUND_AVG_BW=1000 OUTBOUND_AVG_BW=2000
    one shutdown 81 "$PLAIN"
    [ ! -e /sys/class/net/qone-81-0 ]
    deploy_limited INBOUND_AVG_BW=1000 OUTBOUND_AVG_BW=2000
    docker stop --time 0 one-81 >/dev/null
    ip netns del one-81
    within 5 test ! -e /sys/class/net/one-81-0
    ip link del qone-81-0
    one reset 81 "$PLAIN"
    same "$(rate_of one-81-0) $(rate_of qone-81-0)" "1000000 2000000"
    one_deploy 81 "$PLAIN"
    unlimited
}

@test "a sandbox that ended leaves no link behind for good: the next deploy, cancel and gc find it" {
    local action
    for action in cancel gc; do
        deploy_limited OUTBOUND_AVG_BW=2000
        docker rm --force one-81 >/dev/null
        ip netns del one-81
        within 5 test ! -e /sys/class/net/one-81-0
        [ -e /sys/class/net/qone-81-0 ]
        if [ "$action" = gc ]; then vmdock gc; else one cancel 81 "$PLAIN"; fi
        [ ! -e /sys/class/net/qone-81-0 ]
    done
    vmdock purge one-81
    nothing_left
}

@test "a deploy that fails leaves no link of its limits" {
    refused_with "nobridge" remote deploy /x/deployment.0 node1 81 node1 < <(
        limited OUTBOUND_AVG_BW=2000 | sed "s|</NIC>|&<NIC>$(element NIC_ID 1)$(element BRIDGE nobridge)</NIC>|")
    nothing_left
}

@test "limits that are none" {
    local value
    for value in -1 1.5 much 100000001; do
        refused_with "NIC 0: INBOUND_AVG_BW" deploy_limited "INBOUND_AVG_BW=$value"
    done
    nothing_left
    deploy_limited INBOUND_AVG_BW=0 OUTBOUND_AVG_BW=0 INBOUND_PEAK_KB=100
    unlimited
}

@test "set_qos: the saved limits are applied again, new ones are applied and saved, and others are refused" {
    deploy_limited INBOUND_AVG_BW=1000 OUTBOUND_AVG_BW=2000
    local vmdock_one
    vmdock_one=$(find "$LAB_PREFIX" -name vmdock-one -type f -perm -100 | head -n 1)
    tc qdisc del dev one-81-0 root
    ip link del qone-81-0
    "$vmdock_one" set_qos one-81 </dev/null
    same "$(rate_of one-81-0) $(rate_of qone-81-0)" "1000000 2000000"
    "$vmdock_one" set_qos one-81 <<<"<VM><ID>81</ID><TEMPLATE><NIC><NIC_ID>0</NIC_ID><OUTBOUND_AVG_BW>50</OUTBOUND_AVG_BW></NIC></TEMPLATE></VM>"
    same "$(rate_of one-81-0) $(rate_of qone-81-0)" " 50000"
    vmdock reset one-81
    same "$(rate_of one-81-0) $(rate_of qone-81-0)" " 50000"
    run -4 "$vmdock_one" set_qos one-81 <<<"<VM><ID>82</ID><TEMPLATE/></VM>"
    run -4 "$vmdock_one" set_qos one-81 <<<"<VM><ID>81</ID><TEMPLATE><NIC><NIC_ID>7</NIC_ID></NIC></TEMPLATE></VM>"
    run -4 "$vmdock_one" set_qos one-81 <<<"<VM><ID>81</ID>"
    run -2 "$vmdock_one" set_qos ../one-81 </dev/null
    run -6 "$vmdock_one" set_qos one-82 </dev/null
    same "$(rate_of qone-81-0)" 50000
}

# As VNM's scripts run on a node: ruby, as oneadmin.
vnm() {
    runuser -u oneadmin -- env -i LANG=C.UTF-8 PATH=/usr/local/bin:/usr/bin:/bin:/usr/games HOME=/run/oneadmin \
        ruby -W2 "$REMOTES/vnm/vnmmad.rb" "$CLASS" onedock "$@"
}

@test "the class that VNM asks: where the NIC's host end is" {
    same "$(vnm tap one-81 nic_id=0 target=one-81-0)" one-81-0
    same "$(vnm tap '' nic_id=0 target=tap7)" tap7
    same "$(vnm tap one-81 nic_id=3)" one-81-3
    same "$(vnm tap '' nic_id=3)" one-99-3
}

@test "the class that VNM asks: new limits of a network reach its NICs, and a failure reaches VNM" {
    deploy_limited INBOUND_AVG_BW=1000 OUTBOUND_AVG_BW=2000
    vnm set_qos one-81 nic_id=0 target=one-81-0 inbound_avg_bw=1500 inbound_peak_bw=3000 inbound_peak_kb=64 \
        'name=<&"' network_id=2
    same "$(rate_of one-81-0) $(peak_of one-81-0) $(rate_of qone-81-0 2>/dev/null)" "1500000 24Mbit "
    [ ! -e /sys/class/net/qone-81-0 ]
    same "$(jq -c '.nics[0].inbound' "$STATE/one-81/spec.json")" '{"average":1500000,"peak":3000000,"burst":65536}'
    run -1 vnm set_qos one-81 nic_id=5 inbound_avg_bw=1500
    has "$output" "cannot limit the bandwidth of NIC 5: VM one-81: it has no NIC 5"
    run -1 vnm set_qos one-82 nic_id=0
    has "$output" "no such VM"
}

@test "polled traffic counts each packet once" {
    deploy_limited OUTBOUND_AVG_BW=100000
    in_sandbox 81 ping -c 3 -i 0.2 -s 1400 10.9.0.1
    local sent
    sent=$(vmdock poll one-81 --json | jq '.. | .net_tx_bytes? // empty' | head -n 1)
    between 4000 9000 "$sent"
}
