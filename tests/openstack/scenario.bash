# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The life of instances, as a user of the cloud has it with the command openstack. What has become of it is
# looked for in the container and in the kernel.

# Nova, Neutron and Glance are asked directly: each call of the command takes seconds. What changes something
# is always the command.
readonly IMAGE=lab/vm:1
readonly MARK=/root/mark

# ---- looking ------------------------------------------------------------------------------------

id_of() {
    cat "$RUN/server-$1"
}

container() {
    printf 'nova-%s\n' "$(id_of "$1")"
}

within() {
    docker exec "$(container "$1")" "${@:2}"
}

has_status() {
    expect "the status of $1" "$(ask "$COMPUTE_API/servers/$(id_of "$1")" .server.status)" "$2"
}

container_is() {
    expect "the container of $1" "$(docker inspect --format '{{.State.Status}}' "$(container "$1")")" "$2"
}

# port_of NAME NETWORK: what Neutron says, "MAC ADDRESS…"
port_of() {
    local network
    network=$(ask "$NETWORK_API/networks?name=$2" '.networks[].id')
    ask "$NETWORK_API/ports?device_id=$(id_of "$1")&network_id=$network" \
        '.ports[] | [.mac_address, .fixed_ips[].ip_address] | join(" ")'
}

# address NAME NETWORK: its first IPv4 address there
address() {
    port_of "$1" "$2" | tr ' ' '\n' | grep -m 1 -E '^[0-9.]+$'
}

# The container's NIC has the MAC and every address of the port.
nic_is_seen() {
    local name=$1 network=$2 nic=$3 expected seen one
    expected=$(port_of "$name" "$network")
    seen=$(within "$name" ip addr show dev "$nic")
    printf 'port: %s\n%s\n' "$expected" "$seen"
    [ "$(wc -w <<<"$expected")" -ge 2 ] || { echo "no port on $network"; return 1; }
    for one in $expected; do
        grep -qE "(link/ether|inet|inet6) ${one}[ /]" <<<"$seen" || { echo "$one is not in the container"; return 1; }
    done
}

nic_is_gone() {
    local seen
    seen=$(within "$1" ip -o link)
    [[ $seen != *"$2"* ]] || { printf '%s is still there: %s\n' "$2" "$seen"; return 1; }
}

# A switch takes up a new port after a moment.
pings() {
    wait_for 20 "an answer of $2 to $1" within "$1" ping -c 1 -W 1 "$2"
}

talks() {
    local there
    there=$(address "$2" wire)
    docker exec --detach "$(container "$2")" sh -c 'echo hello | nc -l -p 80'
    wait_for 20 "a TCP answer of $2 to $1" said_hello "$1" "$there"
}

said_hello() {
    [ "$(within "$1" timeout 3 nc "$2" 80 </dev/null)" = hello ]
}

mark_is_there() {
    expect "the file in $1" "$(within "$1" cat "$MARK")" kept
}

# ---- steps --------------------------------------------------------------------------------------

make_image_and_flavor() {
    docker save "$IMAGE" >"$RUN/image.tar"
    printf '%s\n' 'flavor create small --ram 64 --vcpus 1 --disk 1' \
        "image create small-system --container-format docker --disk-format raw --file $RUN/image.tar" | openstack
    expect 'the image' "$(ask "$IMAGE_API/images?name=small-system" '.images[].status')" active
    rm "$RUN/image.tar"
}

# boot NAME IMAGE [NETWORK [OPTION…]]
boot() {
    local name=$1 image=$2 network=${3:-wire}
    openstack server create "$name" --image "$image" --flavor small --network "$network" "${@:4}" --wait -f value -c id \
        >"$RUN/server-$name"
    # The client ends its lines of waiting with empty ones.
    sed -i '/^[0-9a-f-]\{36\}$/!d' "$RUN/server-$name"
    has_status "$name" ACTIVE
    container_is "$name" running
}

born_with_its_address() {
    nic_is_seen one wire eth0
    # the first program's own look at its network, before anything else could have happened
    docker logs "$(container one)" | tr -d '\r' | grep -F "inet $(address one wire)/24"
    docker logs "$(container one)" | tr -d '\r' | grep -F "default via $GATEWAY"
}

stop_one() {
    within one sh -c "echo kept >$MARK"
    openstack server stop "$(id_of one)"
    wait_for 60 SHUTOFF has_status one SHUTOFF
    container_is one exited
}

runs_as_before() {
    wait_for 60 ACTIVE has_status one ACTIVE
    container_is one running
    mark_is_there one
    nic_is_seen one wire eth0
    pings one "$GATEWAY"
}

start_one() {
    openstack server start "$(id_of one)"
    runs_as_before
}

reboot_one() {
    local before
    before=$(started_at one)
    openstack server reboot "--$1" --wait "$(id_of one)"
    runs_as_before
    [ "$(started_at one)" != "$before" ] || { echo "it was not started anew"; return 1; }
}

started_at() {
    docker inspect --format '{{.State.StartedAt}}' "$(container "$1")"
}

attach_interface() {
    local name
    for name in one two; do
        openstack server add network "$(id_of "$name")" inner
        wait_for 30 "the NIC of $name" nic_is_seen "$name" inner eth1
    done
    pings one "$(address two inner)"
}

detach_interface() {
    openstack server remove network "$(id_of one)" inner
    wait_for 30 'the end of eth1' nic_is_gone one eth1
    nic_is_seen one wire eth0
}

console_log() {
    openstack console log show "$(id_of one)" | grep -F 'first instruction'
}

# A container that ends by itself: long before Nova looks by itself, which it does every ten minutes.
dies_by_itself() {
    docker kill "$(container two)"
    wait_for 30 SHUTOFF has_status two SHUTOFF
    openstack server start "$(id_of two)"
    wait_for 60 ACTIVE has_status two ACTIVE
    pings two "$GATEWAY"
}

snapshot() {
    openstack server image create --name photo --wait "$(id_of one)"
    expect 'the image' "$(ask "$IMAGE_API/images?name=photo" '.images[] | [.container_format, .status] | join(" ")')" \
        'docker active'
    mark_is_there one
}

boot_from_snapshot() {
    boot three photo
    mark_is_there three
    nic_is_seen three wire eth0
    pings three "$(address one wire)"
}

# Out of a network of its own, through Neutron's router, which hides its address.
goes_through_the_router() {
    boot four small-system private
    nic_is_seen four private eth0
    pings four "$ROUTER"
    pings four "$GATEWAY"
}

# Neutron's security groups hold for the instance, in and out, and what changes of them at once.
security_group() {
    local address
    make_guarded_network
    boot five small-system guarded --security-group closed
    nic_is_seen five guarded eth0
    pings five "$GUARDED_ROUTER"
    openstack server add network "$(id_of two)" guarded
    wait_for 30 'the NIC of two' nic_is_seen two guarded eth2
    pings two "$GUARDED_ROUTER"
    address=$(address five guarded)
    is_kept_out two "$address"
    openstack security group rule create --protocol icmp --ingress closed
    pings two "$address"
    openstack security group rule delete \
        "$(ask "$NETWORK_API/security-group-rules?protocol=icmp" '.security_group_rules[].id')"
    wait_for 20 'the end of the answers' is_kept_out two "$address"
    openstack server delete --wait "$(id_of five)"
    openstack server remove network "$(id_of two)" guarded
    wait_for 30 'the end of eth2' nic_is_gone two eth2
    end_guarded_network
}

is_kept_out() {
    ! within "$1" ping -c 2 -W 1 "$2"
}

# The service comes anew to instances that run; theirs must not be disturbed.
restart_compute() {
    local before
    before=$(started_at one)
    end_service nova-compute
    start_compute
    wait_for 30 'the NIC of one' nic_is_seen one wire eth0
    pings one "$GATEWAY"
    expect 'the start of one' "$(started_at one)" "$before"
}

delete_all() {
    openstack server delete --wait "$(id_of one)" "$(id_of two)" "$(id_of three)" "$(id_of four)"
    printf '%s\n' 'router remove subnet router private4' 'router delete router' 'image delete photo small-system' 'flavor delete small' 'network delete wire inner private' | openstack
    expect 'what is left' "$(ask "$COMPUTE_API/servers?all_tenants=1" '.servers[].id')$(ask "$NETWORK_API/ports" '.ports[].id')" ''
    expect 'what is left' "$(ask "$IMAGE_API/images" '.images[].id')$(ask "$NETWORK_API/networks" '.networks[].id')" ''
}

# ---- nothing left -------------------------------------------------------------------------------

# What there is on the host, a line a thing.
inventory() {
    docker ps --all --format 'container {{.Names}}'
    docker images --all --format 'image {{.Repository}}:{{.Tag}}'
    ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/link \1/'
    find /run/netns -mindepth 1 -printf 'namespace %f\n'
    # their own folders stay, empty
    find "$PRODUCT_STATE" "$PRODUCT_RUN" /var/lib/nova/instances -mindepth 2 ! -path '*/instances/locks/*' \
        -printf 'file %p\n'
    iptables-save | grep '^-A' | sed 's/^/filter /' || true
    find /sys/fs/cgroup -path "*$(jq -r '."cgroup-parent"' "$LAB_DIR/daemon.json")-vm/*" -type d -printf 'cgroup %p\n'
    [ ! -S /run/openvswitch/db.sock ] ||
        ovs-vsctl --columns=name --format=csv --no-headings list interface | sed 's/^/port /'
}

remember_inventory() {
    inventory | sort >"$RUN/inventory"
    cat "$RUN/inventory"
}

nothing_is_left() {
    # Neutron's agent removes its bridge of a network a moment after the network has gone; Nova looks for images that
    # no instance uses when it is their time.
    wait_for 60 'the former inventory' same_inventory || { diff <(cat "$RUN/inventory") <(inventory | sort); return 1; }
}

same_inventory() {
    diff "$RUN/inventory" <(inventory | sort)
}

log_is_clean() {
    ! grep -E ' (ERROR|CRITICAL) |Traceback' "$LOGS/nova-compute.log"
}

scenario() {
    step 'what there is before' remember_inventory
    step 'networks: flat (v4, v6) and vxlan' make_networks
    step 'image (docker save) and flavor' make_image_and_flavor
    step 'server create' boot one small-system
    step 'IP and MAC in the container, at its birth' born_with_its_address
    step 'ping to the gateway' pings one "$GATEWAY"
    step 'ping to the gateway, IPv6' pings one "$GATEWAY6"
    step 'server create, a second one' boot two small-system
    step 'ping to the second instance' ping_second
    step 'TCP to the second instance' talks one two
    step 'console log' console_log
    step 'stop' stop_one
    step 'start: file, NIC, ping' start_one
    step 'reboot, soft' reboot_one soft
    step 'reboot, hard' reboot_one hard
    step 'interface attach (vxlan), live, ping' attach_interface
    step 'interface detach' detach_interface
    step 'a container that dies: SHUTOFF, start' dies_by_itself
    step 'snapshot' snapshot
    step 'boot from the snapshot' boot_from_snapshot
    step 'behind a router of Neutron: ping out' goes_through_the_router
    # The agent of Linux bridges needs the kernel's ebtables for it.
    [ "$PART" != openvswitch ] || step 'security group of Neutron: denied, allowed, denied' security_group
    step 'nova-compute started anew' restart_compute
    step 'delete' delete_all
    step 'nothing left' nothing_is_left
    step 'no error in the log of nova-compute' log_is_clean
}

ping_second() {
    pings one "$(address two wire)"
}
