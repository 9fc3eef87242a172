#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# NICs on networks of the container engine: bridge, macvlan and overlay ones; plain containers of the engine
# play the others on them.

load helpers
load front_end
load swarm

setup_file() {
    lab_ready
    front_end_ready
    docker network create --subnet 10.61.0.0/24 --gateway 10.61.0.1 --ipv6 --subnet fd61::/64 --gateway fd61::1 multi
    docker network create --subnet 10.62.0.0/24 alpha
    docker network create auto
    printf '\n[policy]\nengine_networks = multi;alpha;auto;over;closed;missing\n' >>"$CONF"
}

setup() {
    remember_state
    front_end_files
}

teardown() {
    [ ! -e "$BATS_TEST_TMPDIR/daemon.json" ] || live_restore_off
    [ ! -e "$BATS_TEST_TMPDIR/before.conf" ] || cp "$BATS_TEST_TMPDIR/before.conf" "$CONF"
    if [ -e "$FAR/pid" ]; then
        far sh -c 'docker ps --all --quiet | xargs --no-run-if-empty docker rm --force' >/dev/null
    fi
    sweep
    docker network rm over closed &>/dev/null || true
}

teardown_file() {
    swarm_end
    far_end
    docker network rm multi alpha auto macs &>/dev/null || true
}

# ---- helpers ------------------------------------------------------------------------------------

nobody_on() {
    same "$(on_network "$1")" ""
}

no_endpoints() {
    nobody_on multi && nobody_on alpha && nobody_on auto
}

# purged VM…: nothing is left of them, at the engine neither.
purged() {
    vmdock purge "$@"
    no_endpoints
    nothing_left
}

# peer NAME NETWORK [OPTION]…: a plain container there.
peer() {
    local name=$1 network=$2
    shift 2
    docker run --detach --name "$name" --network "$network" "$@" "$IMAGE" sleep 1000 >/dev/null
}

# engine_ip VM NETWORK
engine_ip() {
    docker inspect --format "{{(index .NetworkSettings.Networks \"$2\").IPAddress}}" "$1"
}

# vm_ip VM LINK: as the kernel has it.
vm_ip() {
    ip -j -4 -n "$1" addr show dev "$2" | jq -r '.[].addr_info[].local'
}

vm_links() {
    ip -j -n "$1" link show | jq -r '.[].ifname' | grep -v '^lo$' | sort | tr '\n' ' '
}

vm_mac() {
    ip -j -n "$1" link show dev "$2" | jq -r '.[].address'
}

saved_ip() {
    jq -r '[.nics[].addresses[]] | join(" ")' "$STATE/$1/spec.json"
}

pings() {
    docker exec "$1" ping -c 1 -W 2 -q "$2" >/dev/null
}

# engine_nic ID NUMBER NETWORK [IP]: the element of OpenNebula's XML.
engine_nic() {
    local ip=${4:-}
    printf '<NIC>%s%s%s%s' "$(element NIC_ID "$2")" "$(element BRIDGE lab0)" "$(element TARGET "one-$1-$2")" \
        "$(element DOCKER_NETWORK "$3")"
    printf '%s%s' "$(element VN_MAD dummy)" "$(element MAC "$(mac_of "${ip:-10.250.$1.$2}")")"
    [ -z "$ip" ] || element IP "$ip"
    printf '</NIC>'
}

# Engines from Docker 25 on take a MAC with a new container alone.
drops_macs() {
    local version
    version=$(docker version --format '{{.Server.Version}}')
    [ "${version%%.*}" -ge 25 ]
}

has_ended() {
    [ "$(docker inspect --format '{{.State.Status}}' "$1")" = exited ]
}

live_restore_on() {
    cp "$LAB_DIR/daemon.json" "$BATS_TEST_TMPDIR/daemon.json"
    jq '. + {"live-restore": true}' "$BATS_TEST_TMPDIR/daemon.json" >"$LAB_DIR/daemon.json"
    engine stop
    engine start
}

live_restore_off() {
    mv "$BATS_TEST_TMPDIR/daemon.json" "$LAB_DIR/daemon.json"
    engine stop
    engine start
}

# ---- a bridge of the engine's -------------------------------------------------------------------

@test "a VM has its own address and MAC on a network of the engine, before its first instruction" {
    peer peer multi
    vmdock run --name web --engine-network multi=10.61.0.40 "$IMAGE" sh -c 'ip -o -4 addr; ip route; sleep 1000'
    has "$(vmdock logs run-web)" "inet 10.61.0.40/24"
    has "$(vmdock logs run-web)" "default via 10.61.0.1 dev eth0"
    same "$(vm_links run-web)" "eth0 "
    same "$(engine_ip run-web multi)" 10.61.0.40
    same "$(docker inspect --format '{{(index .NetworkSettings.Networks "multi").MacAddress}}' run-web)" "$(vm_mac run-web eth0)"
    same "$(vm_mac run-web eth0 | cut -c 1-2)" 02
    pings peer 10.61.0.40
    pings run-web 10.61.0.1
    # It is in its own sandbox, and the engine's names work there.
    same "$(stat -L --format %i "/proc/$(docker inspect --format '{{.State.Pid}}' run-web)/ns/net")" \
        "$(stat --format %i /run/netns/run-web)"
    has "$(docker exec run-web cat /etc/resolv.conf)" "nameserver 127.0.0.11"
    pings run-web peer
    pings peer run-web
    docker rm --force peer >/dev/null
    purged run-web
}

@test "an address of the engine's choice is the VM's: told, shown, and the same as long as the VM is" {
    local ip ip6 mac
    vmdock run --name web --engine-network multi "$IMAGE"
    ip=$(engine_ip run-web multi)
    ip6=$(docker inspect --format '{{(index .NetworkSettings.Networks "multi").GlobalIPv6Address}}' run-web)
    mac=$(vm_mac run-web eth0)
    [ -n "$ip6" ]
    same "$(vm_ip run-web eth0)" "$ip"
    same "$(saved_ip run-web)" "$ip/24 $ip6/64"
    has "$(vmdock show run-web)" "eth0 on the engine's network multi, $mac, $ip/24, $ip6/64"
    same "$(vmdock --json list | jq -r '.[0].addresses | join(" ")')" "$ip $ip6"
    same "$(vmdock --json poll | jq -r '.[0].guest_ip')" "$ip"
    local action
    for action in reboot reset; do
        vmdock "$action" run-web
        same "$(vm_ip run-web eth0)" "$ip"
        drops_macs || same "$(vm_mac run-web eth0)" "$mac"
    done
    vmdock shutdown run-web
    nobody_on multi
    # Others come while it is off.
    peer first multi --ip 10.61.0.80 --ip6 fd61::80
    vmdock run --name web --engine-network multi "$IMAGE"
    same "$(vm_ip run-web eth0) $(engine_ip run-web multi)" "$ip $ip"
    # Its container is lost, its description is not.
    docker rm --force run-web >/dev/null
    vmdock run --name web --engine-network multi "$IMAGE"
    same "$(vm_ip run-web eth0)" "$ip"
    docker rm --force first >/dev/null
    # Somebody takes the very address: the VM starts, with another one, and says so.
    vmdock shutdown run-web
    peer thief multi --ip "$ip"
    run -0 --separate-stderr vmdock run --name web --engine-network multi "$IMAGE"
    # shellcheck disable=SC2154 # run sets it
    has "$stderr" "NIC 0: it may have another address than before"
    [ "$(vm_ip run-web eth0)" != "$ip" ]
    same "$(engine_ip run-web multi)" "$(vm_ip run-web eth0)"
    has "$(saved_ip run-web)" "$(vm_ip run-web eth0)/24"
    docker rm --force thief >/dev/null
    purged run-web
}

@test "beside a NIC on a bridge: names and order are the cloud's, and so is the default route" {
    one_deploy 61 nic=lab0,10.9.0.61 template="$(engine_nic 61 1 multi 10.61.0.61)" user="$(element DOCKER_NETWORK alpha)"
    same "$(vm_links one-61)" "eth0 eth1 eth2 "
    same "$(vm_ip one-61 eth0) $(vm_ip one-61 eth1)" "10.9.0.61 10.61.0.61"
    same "$(vm_ip one-61 eth2)" "$(engine_ip one-61 alpha)"
    same "$(vm_mac one-61 eth1)" "$(mac_of 10.61.0.61)"
    ! drops_macs || same "$(vm_mac one-61 eth2)" "$(jq -r '.nics[2].mac' "$STATE/one-61/spec.json")"
    same "$(in_sandbox 61 ip -j route show default | jq -r '.[] | "\(.gateway) \(.dev)"')" "10.9.0.1 eth0"
    ping -c 1 -W 2 -q 10.9.0.61
    peer peer multi
    pings peer 10.61.0.61
    pings one-61 peer
    pings one-61 10.9.0.1
    # The engine's own way of starting it again is no other.
    local action
    for action in "restart --time 0" kill start "stop --time 0" start; do
        # shellcheck disable=SC2086 # words
        docker $action one-61 >/dev/null
        [ "$action" != kill ] || continue
        [[ $action != stop* ]] || continue
        same "$(vm_links one-61)" "eth0 eth1 eth2 "
        same "$(vm_ip one-61 eth0) $(vm_ip one-61 eth1)" "10.9.0.61 10.61.0.61"
        within 2 ping -c 1 -W 2 -q 10.9.0.61
        pings peer 10.61.0.61
    done
    docker rm --force peer >/dev/null
    purged one-61
}

@test "MTU and routes of the NIC are honoured, bandwidth and filters are said not to be, traffic is counted" {
    local before after nic
    nic=$(engine_nic 62 0 multi 10.61.0.62)
    nic=${nic/<\/NIC>/$(element GUEST_MTU 1400)$(element INBOUND_AVG_BW 1000)$(element FILTER_IP_SPOOFING YES)$(element ROUTES '10.77.0.0/16 via 10.61.0.9')</NIC>}
    one_deploy 62 template="$nic"
    same "$(ip -j -n one-62 link show eth0 | jq '.[].mtu')" 1400
    same "$(ip -n one-62 route show 10.77.0.0/16 | xargs)" "10.77.0.0/16 via 10.61.0.9 dev eth0 proto static"
    has "$(cat "$ERR")" "NIC 0: its bandwidth is not limited"
    has "$(cat "$ERR")" "NIC 0: its security groups and the filters against spoofing are not honoured"
    # New limits are said likewise; a link of the engine's is not looked for.
    has "$("$LAB_PREFIX/libexec/vmdock/vmdock-one" set_qos one-62 2>&1 \
        <<<"<VM><ID>62</ID><TEMPLATE><NIC><NIC_ID>0</NIC_ID><OUTBOUND_AVG_BW>50</OUTBOUND_AVG_BW></NIC></TEMPLATE></VM>")" \
        "NIC 0: its bandwidth is not limited"
    before=$(vmdock --json poll one-62 | jq '.[0].net_tx_bytes')
    docker exec one-62 ping -c 5 -i 0.1 -s 1000 -q 10.61.0.1
    after=$(vmdock --json poll one-62 | jq '.[0] | .net_tx_bytes')
    [ $((after - before)) -gt 5000 ]
    [ "$(vmdock --json poll one-62 | jq '.[0].net_rx_bytes')" -gt 5000 ]
    vmdock pause one-62
    vmdock resume one-62
    pings one-62 10.61.0.1
    purged one-62
}

@test "NICs come and go while it runs, between the engine's networks and bridges, and nobody else's goes" {
    local first second
    first=$(engine_nic 63 1 multi 10.61.0.63) second=$(engine_nic 63 2 alpha 10.62.0.63)
    one_deploy 63 nic=lab0,10.9.0.63 template="$first"
    peer peer alpha
    attach_nic 63 10.62.0.63 nic=lab0,10.9.0.63 template="$first$second"
    same "$(vm_links one-63)" "eth0 eth1 eth2 "
    same "$(vm_ip one-63 eth0) $(vm_ip one-63 eth1) $(vm_ip one-63 eth2)" "10.9.0.63 10.61.0.63 10.62.0.63"
    pings peer 10.62.0.63
    same "$(in_sandbox 63 ip -j route show default | jq -r '.[] | "\(.gateway) \(.dev)"')" "10.9.0.1 eth0"
    # Once more is no error, and changes nothing.
    attach_nic 63 10.62.0.63 nic=lab0,10.9.0.63 template="$first$second"
    detach_nic 63 10.61.0.63 nic=lab0,10.9.0.63 template="$first$second"
    same "$(vm_links one-63)" "eth0 eth2 "
    nobody_on multi
    ping -c 1 -W 2 -q 10.9.0.63
    pings peer 10.62.0.63
    attach_nic 63 10.61.0.63 nic=lab0,10.9.0.63 template="$first$second"
    same "$(vm_links one-63)" "eth0 eth1 eth2 "
    same "$(vm_ip one-63 eth1)" 10.61.0.63
    detach_nic 63 10.61.0.63 nic=lab0,10.9.0.63 template="$first$second"
    detach_nic 63 10.62.0.63 nic=lab0,10.9.0.63 template="$second"
    same "$(vm_links one-63)" "eth0 "
    ping -c 1 -W 2 -q 10.9.0.63
    one reboot 63 nic=lab0,10.9.0.63
    same "$(vm_links one-63)" "eth0 "
    ping -c 1 -W 2 -q 10.9.0.63
    docker rm --force peer >/dev/null
    no_endpoints
    # It was started without any by now: the engine cannot plug one in.
    refused_with "power it off first" attach_nic 63 10.61.0.63 nic=lab0,10.9.0.63 template="$first"
    same "$(vm_links one-63)" "eth0 "
    ping -c 1 -W 2 -q 10.9.0.63
    one shutdown 63 nic=lab0,10.9.0.63
    one_deploy 63 nic=lab0,10.9.0.63 template="$first"
    same "$(vm_links one-63)" "eth0 eth1 "
    same "$(vm_ip one-63 eth1)" 10.61.0.63
    one shutdown 63
    one_deploy 63 nic=lab0,10.9.0.63
    same "$(vm_links one-63)" "eth0 "
    no_endpoints
    purged one-63
}

@test "a container that ends by itself, or is taken away, takes no NIC along; reset and deploy bring all back" {
    local nic index
    nic=$(engine_nic 64 1 multi 10.61.0.64)
    one_deploy 64 nic=lab0,10.9.0.64 template="$nic"
    index=$(cat /sys/class/net/one-64-0/ifindex)
    kill -9 "$(docker inspect --format '{{.State.Pid}}' one-64)"
    within 5 has_ended one-64
    no_endpoints
    same "$(cat /sys/class/net/one-64-0/ifindex)" "$index"
    one reset 64
    same "$(vm_links one-64)" "eth0 eth1 "
    same "$(cat /sys/class/net/one-64-0/ifindex)" "$index"
    ping -c 1 -W 2 -q 10.9.0.64
    docker rm --force one-64 >/dev/null
    no_endpoints
    one_deploy 64 nic=lab0,10.9.0.64 template="$nic"
    same "$(vm_links one-64) $(vm_ip one-64 eth1)" "eth0 eth1  10.61.0.64"
    ping -c 1 -W 2 -q 10.9.0.64
    # A host's reboot leaves neither sandbox nor run directory.
    docker stop --time 0 one-64 >/dev/null
    ip netns del one-64
    find "$RUN" -xdev -mindepth 1 -delete 2>/dev/null || true
    one reset 64
    same "$(vm_links one-64) $(vm_ip one-64 eth1)" "eth0 eth1  10.61.0.64"
    ping -c 1 -W 2 -q 10.9.0.64
    docker rm --force one-64 >/dev/null
    vmdock gc
    vmdock purge one-64
    no_endpoints
    nothing_left
}

@test "a revert's new container has the old one's place on the network" {
    local ip
    vmdock run --name web --bridge lab0 --ip 10.9.0.65/24 --engine-network multi "$IMAGE"
    ip=$(vm_ip run-web eth1)
    docker exec run-web touch /later
    vmdock exec run-web sh -c 'echo one >/note'
    vmdock cancel run-web
    vmdock reboot run-web
    same "$(vm_ip run-web eth1)" "$ip"
    purged run-web
    one_deploy 65 nic=lab0,10.9.0.65 template="$(engine_nic 65 1 multi)"
    ip=$(vm_ip one-65 eth1)
    remote_direct snapshot_create one-65 0 65 node1 < <(action_data 65)
    remote snapshot_revert one-65 snap.0 65 node1 < <(action_data 65)
    same "$(vm_links one-65) $(vm_ip one-65 eth1)" "eth0 eth1  $ip"
    same "$(on_network multi)" "one-65 "
    ping -c 1 -W 2 -q 10.9.0.65
    purged one-65
}

@test "what the engine cannot give is one sentence, and everything is as it was" {
    local nic
    peer taken multi --ip 10.61.0.70
    remember_state
    fails_with NO_BRIDGE "NIC 0: the engine has no network missing" vmdock run --name web --engine-network missing "$IMAGE"
    nothing_left
    fails_with DUPLICATE "NIC 0: somebody else has its address on the engine's network multi" \
        vmdock run --name web --engine-network multi=10.61.0.70 "$IMAGE"
    nothing_left
    fails_with SPEC "NIC 1: its address is outside the subnets of the engine's network multi" \
        vmdock run --name web --bridge lab0 --ip 10.9.0.66/24 --engine-network multi=10.99.0.70 "$IMAGE"
    nothing_left
    fails_with SPEC "NIC 0: the engine's network auto gives no address that is asked for" \
        vmdock run --name web --engine-network auto=10.61.0.70 "$IMAGE"
    nothing_left
    # What cannot be placed ends the start, before the VM's first instruction.
    nic=$(engine_nic 66 1 multi 10.61.0.66)
    refused_with "NIC 1: cannot add the route 10.77.0.0/16 via 10.99.0.9" \
        one_deploy 66 nic=lab0,10.9.0.66 template="${nic/<\/NIC>/$(element ROUTES '10.77.0.0/16 via 10.99.0.9')</NIC>}"
    nothing_left
    # A VM that runs goes on as it was.
    one_deploy 66 nic=lab0,10.9.0.66 template="$(engine_nic 66 1 alpha)"
    refused_with "somebody else has its address" \
        attach_nic 66 10.61.0.70 nic=lab0,10.9.0.66 template="$(engine_nic 66 1 alpha)$(engine_nic 66 2 multi 10.61.0.70)"
    same "$(vm_links one-66)" "eth0 eth1 "
    same "$(jq '.nics | length' "$STATE/one-66/spec.json")" 2
    ping -c 1 -W 2 -q 10.9.0.66
    vmdock purge one-66
    docker rm --force taken >/dev/null
    no_endpoints
}

@test "a network without a subnet of its own gives an address, and says that it may be another one next time" {
    vmdock run --name web --engine-network auto "$IMAGE"
    same "$(vm_ip run-web eth0)" "$(engine_ip run-web auto)"
    run -0 --separate-stderr vmdock reboot run-web
    # shellcheck disable=SC2154 # run sets it
    has "$stderr" "the engine may choose another address with each start"
    same "$(vm_ip run-web eth0)" "$(engine_ip run-web auto)"
    same "$(saved_ip run-web)" "$(engine_ip run-web auto)/16"
    purged run-web
}

@test "a template may name what policy allows, and no name is more than a name" {
    cp "$CONF" "$BATS_TEST_TMPDIR/before.conf"
    local name datastores
    datastores=$(sed -n 's/^datastores = //p' "$CONF")
    for name in host none bridge default 'container:peer' '../multi' '-x' 'a b' ''; do
        refused vmdock run --name web --engine-network "$name" "$IMAGE" 2>/dev/null
    done
    sed -i 's/^engine_networks = .*/engine_networks = alpha/' "$CONF"
    denied POLICY "asks for the engine's network multi; [policy] engine_networks in" \
        one_deploy 67 template="$(engine_nic 67 0 multi)"
    nothing_left
    one_deploy 67 nic=lab0,10.9.0.67 user="$(element DOCKER_NETWORK alpha)"
    refused_with "[policy] engine_networks" \
        attach_nic 67 10.61.0.67 nic=lab0,10.9.0.67 template="$(engine_nic 67 1 multi 10.61.0.67)" user="$(element DOCKER_NETWORK alpha)"
    # Its user may write another name while it runs, which the next reconfigure hands on.
    denied POLICY "[policy] engine_networks" \
        remote reconfigure one-67 sdb "${datastores:-/var/lib/one/datastores}/102/67/disk.1" 67 node1 \
        < <(action_data 67 nic=lab0,10.9.0.67 user="$(element DOCKER_NETWORK multi)")
    same "$(on_network multi)$(on_network alpha)" "one-67 "
    # A container that only looks like a VM of such a network has nothing of it, and its end harms none.
    docker run --detach --name one-68 --hostname one-67 --runtime vmdock --network alpha --label vmdock.vm=one-67 \
        "$IMAGE" sleep 1000 >/dev/null
    docker rm --force one-68 >/dev/null
    same "$(vm_links one-67)" "eth0 eth1 "
    ping -c 1 -W 2 -q 10.9.0.67
    purged one-67
}

@test "explain names the network and asks nobody; dumpxml says what it has no word for" {
    local xml
    vm_xml 69 nic=lab0,10.9.0.69 template="$(engine_nic 69 1 multi 10.61.0.69)" >"$BATS_TEST_TMPDIR/vm.xml"
    has "$(vmdock --json explain "$BATS_TEST_TMPDIR/vm.xml" | jq -r '.links[1].engine.network')" multi
    same "$(vmdock --json explain "$BATS_TEST_TMPDIR/vm.xml" | jq -r '.request.body.HostConfig.NetworkMode')" multi
    one_deploy 69 nic=lab0,10.9.0.69 template="$(engine_nic 69 1 multi 10.61.0.69)"
    xml=$(vmdock dumpxml one-69)
    has "$xml" "eth1 is on a network of the container engine"
    same "$(xmllint --xpath 'count(//interface)' - <<<"$xml")" 1
    has_not "$(vmdock doctor)" "engine's network"
    sed 's/^engine_networks = .*/engine_networks = nowhere/' "$CONF" >"$BATS_TEST_TMPDIR/other.conf"
    has "$(vmdock --config "$BATS_TEST_TMPDIR/other.conf" doctor || true)" nowhere
    purged one-69
}

@test "the engine restarts: with live-restore the VM notices nothing, without it comes back by a deploy" {
    local nic started
    nic=$(engine_nic 70 1 multi 10.61.0.71)
    one_deploy 70 nic=lab0,10.9.0.70 template="$nic"
    engine stop
    engine start
    no_endpoints
    one_deploy 70 nic=lab0,10.9.0.70 template="$nic"
    same "$(vm_links one-70) $(vm_ip one-70 eth1)" "eth0 eth1  10.61.0.71"
    live_restore_on
    one_deploy 70 nic=lab0,10.9.0.70 template="$nic"
    started=$(docker inspect --format '{{.State.StartedAt}}' one-70)
    peer peer multi
    engine stop
    pings_from_host
    engine start
    same "$(docker inspect --format '{{.State.StartedAt}}' one-70)" "$started"
    same "$(vm_links one-70) $(vm_ip one-70 eth1)" "eth0 eth1  10.61.0.71"
    pings peer 10.61.0.71
    pings one-70 peer
    # The engine still knows what it has plugged in, and nothing else goes with it.
    attach_nic 70 10.62.0.71 nic=lab0,10.9.0.70 template="$nic$(engine_nic 70 2 alpha 10.62.0.71)"
    same "$(vm_links one-70)" "eth0 eth1 eth2 "
    detach_nic 70 10.61.0.71 nic=lab0,10.9.0.70 template="$nic"
    same "$(vm_links one-70)" "eth0 eth2 "
    ping -c 1 -W 2 -q 10.9.0.70
    one reboot 70
    same "$(vm_links one-70)" "eth0 eth2 "
    ping -c 1 -W 2 -q 10.9.0.70
    # It ends while nobody watches.
    engine stop
    kill -9 "$(docker_pid_of 70)"
    engine start
    one reset 70
    same "$(vm_links one-70)" "eth0 eth2 "
    ping -c 1 -W 2 -q 10.9.0.70
    docker rm --force peer >/dev/null
    purged one-70
}

pings_from_host() {
    ping -c 1 -W 2 -q 10.9.0.70 && ping -c 1 -W 2 -q 10.61.0.71
}

# By its cgroup: the engine is not there to be asked.
docker_pid_of() {
    local id file
    id=$(cd "$STATE/container" && grep -lx "one-$1" ./* | head -n 1)
    file=$(find /sys/fs/cgroup -path "*/$PARENT/${id#./}/cgroup.procs" | head -n 1)
    head -n 1 "$file"
}

# ---- macvlan ------------------------------------------------------------------------------------

@test "a macvlan network: on a cable of the host, a NIC of its own; it comes and goes" {
    ip link add cable0 type veth peer name cable1
    ip link set cable0 up
    ip link add cable9 link cable0 type macvlan 2>/dev/null || skip "kernel lacks macvlan"
    ip link del cable9
    docker network create --driver macvlan --subnet 10.63.0.0/24 --opt parent=cable0 macs
    sed -i 's/^engine_networks = .*/&;macs/' "$CONF"
    ip netns add guest
    ip link set cable1 netns guest
    ip -n guest addr add 10.63.0.1/24 dev cable1
    ip -n guest link set cable1 up
    one_deploy 71 nic=lab0,10.9.0.71 template="$(engine_nic 71 1 macs 10.63.0.71)"
    same "$(vm_links one-71) $(vm_ip one-71 eth1)" "eth0 eth1  10.63.0.71"
    same "$(vm_mac one-71 eth1)" "$(mac_of 10.63.0.71)"
    within 3 ip netns exec guest ping -c 1 -W 2 -q 10.63.0.71
    same "$(ip -n guest -j neigh show 10.63.0.71 | jq -r '.[].lladdr')" "$(mac_of 10.63.0.71)"
    one reboot 71
    within 3 ip netns exec guest ping -c 1 -W 2 -q 10.63.0.71
    attach_nic 71 10.61.0.72 nic=lab0,10.9.0.71 template="$(engine_nic 71 1 macs 10.63.0.71)$(engine_nic 71 2 multi 10.61.0.72)"
    detach_nic 71 10.63.0.71 nic=lab0,10.9.0.71 template="$(engine_nic 71 2 multi 10.61.0.72)"
    same "$(vm_links one-71)" "eth0 eth2 "
    nobody_on macs
    attach_nic 71 10.63.0.71 nic=lab0,10.9.0.71 template="$(engine_nic 71 1 macs 10.63.0.71)$(engine_nic 71 2 multi 10.61.0.72)"
    same "$(vm_links one-71)" "eth0 eth1 eth2 "
    within 3 ip netns exec guest ping -c 1 -W 2 -q 10.63.0.71
    vmdock purge one-71
    nobody_on macs
    docker network rm macs
    ip link del cable0
    ip netns del guest
}

# ---- overlay ------------------------------------------------------------------------------------

# Whether what the host has is the same a second later: no container needs to be there for the engine to be at it.
settled() {
    local before
    before=$(host_state)
    sleep 1
    same "$(host_state)" "$before"
}

# The engine's own namespaces of that network are gone, and with them the links that it makes there.
left_by_engine() {
    local id
    id=$(docker network inspect --format '{{slice .Id 0 9}}' "$1")
    ! grep -o "/netns/[^ ]*${id}[^ ]*" /proc/self/mountinfo
}

@test "overlay: VMs of two hosts in one swarm reach each other by address and name; each keeps its own" {
    far_start
    swarm_start
    docker network create --driver overlay --attachable --subnet 10.64.0.0/24 over
    docker network create --driver overlay closed
    # What the engine makes for the first of all, and keeps.
    docker run --rm --network over "$IMAGE" true
    # What it makes for a run it takes away in its own time.
    within 20 left_by_engine over
    within 5 settled
    remember_state
    vmdock run --name near --engine-network over=10.64.0.40 "$IMAGE"
    same "$(vm_ip run-near eth0)" 10.64.0.40
    # The way out of the host is a link that no NIC asked for.
    same "$(vm_links run-near)" "eth0 gwbridge "
    far vmdock run --name far --bridge lab0 --ip 10.9.0.72/24 --engine-network over "$IMAGE" &>/dev/null || true
    far ip link add lab0 type bridge
    far ip link set lab0 up
    far vmdock run --name far --bridge lab0 --ip 10.9.0.72/24 --gateway 10.9.0.1 --engine-network over "$IMAGE"
    local far_ip
    far_ip=$(far ip -j -4 -n run-far addr show dev eth1 | jq -r '.[].addr_info[].local')
    [[ $far_ip == 10.64.0.* ]]
    within 10 pings run-near "$far_ip"
    far docker exec run-far ping -c 1 -W 2 -q 10.64.0.40
    pings run-near run-far
    far docker exec run-far ping -c 1 -W 2 -q run-near
    same "$(far ip -j -n run-far link show | jq -r '.[].ifname' | sort | tr '\n' ' ')" "eth0 eth1 gwbridge lo "
    same "$(far ip -j -n run-far route show default | jq -r '.[] | "\(.gateway) \(.dev)"')" "10.9.0.1 eth0"
    vmdock reboot run-near
    far vmdock reboot run-far
    same "$(vm_ip run-near eth0) $(far ip -j -4 -n run-far addr show dev eth1 | jq -r '.[].addr_info[].local')" "10.64.0.40 $far_ip"
    within 10 pings run-near "$far_ip"
    fails_with NO_BRIDGE "takes no containers" vmdock run --name shut --engine-network closed "$IMAGE"
    far vmdock purge run-far
    vmdock purge run-near
    # The engine takes its own ends away a moment later.
    within 20 nobody_on over
    within 20 nothing_left
}
