# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What is plugged where: a "wire" that leads out of the host to a gateway in a namespace of its own, the
# agent of the part, and the compute service.

readonly GATEWAY=192.0.2.1 GATEWAY6=2001:db8::1 ROUTER=203.0.113.1 GUARDED_ROUTER=198.18.0.1
readonly TUNNEL_ADDRESS=172.30.0.1/24

# phys0 is the host's card; at its other end a router answers.
make_wire() {
    ip netns add gateway
    ip link add phys0 type veth peer name eth0 netns gateway
    ip link set phys0 up
    ip -n gateway link set lo up
    ip -n gateway link set eth0 up
    ip -n gateway addr add "$GATEWAY/24" dev eth0
    ip -n gateway addr add "$GATEWAY6/64" dev eth0 nodad
    # where tunnels end
    ip link add tunnel type bridge
    ip addr add "$TUNNEL_ADDRESS" dev tunnel
    ip link set tunnel up
}

start_linuxbridge() {
    start_agent linuxbridge 'Linux bridge agent'
}

end_linuxbridge() {
    end_service neutron-linuxbridge-agent
}

start_openvswitch() {
    local folder=/run/openvswitch
    mkdir -p "$folder"
    ovsdb-tool create "$folder/conf.db" /usr/share/openvswitch/vswitch.ovsschema
    service ovsdb-server root ovsdb-server "$folder/conf.db" --remote="punix:$folder/db.sock" \
        --remote=ptcp:6640:127.0.0.1
    wait_for 20 ovsdb-server ovs-vsctl --no-wait init
    service ovs-vswitchd root ovs-vswitchd
    ovs-vsctl add-br br-phys -- set bridge br-phys datapath_type=netdev -- add-port br-phys phys0
    start_agent openvswitch 'Open vSwitch agent'
}

end_openvswitch() {
    end_service neutron-openvswitch-agent
    ovs-vsctl list-br | xargs -n 1 ovs-vsctl del-br
    end_service ovs-vswitchd
    end_service ovsdb-server
}

start_agent() {
    local since
    since=$(date -u '+%F %T')
    service "neutron-$1-agent" neutron "neutron-$1-agent" --config-file /etc/neutron/neutron.conf \
        --config-file "/etc/neutron/plugins/ml2/$1_agent.ini" --log-file "$LOGS/neutron-$1-agent.log"
    wait_for 60 "the $2" agent_is_alive "$2" "$since"
}

# The agent of routers, whose namespaces hang on the same mechanism.
start_routers() {
    local since
    since=$(date -u '+%F %T')
    configuration l3_agent.ini /etc/neutron/l3_agent.ini neutron
    service neutron-l3-agent neutron neutron-l3-agent --config-file /etc/neutron/neutron.conf \
        --config-file /etc/neutron/l3_agent.ini --log-file "$LOGS/neutron-l3-agent.log"
    wait_for 60 'the L3 agent' agent_is_alive 'L3 agent' "$since"
}

# agent_is_alive TYPE SINCE: for a minute Neutron takes one that has ended for alive.
agent_is_alive() {
    local filter=".agents[] | select(.agent_type == \"$1\" and .started_at >= \"$2\") | .alive"
    [ "$(ask "$NETWORK_API/agents" "$filter")" = true ]
}

# Neutron would take them for alive yet, and give the next mechanism's ports to them.
end_agents() {
    local id
    end_service neutron-l3-agent
    "end_$PART"
    for id in $(ask "$NETWORK_API/agents" '.agents[].id'); do
        curl --silent --show-error --fail --request DELETE --header "X-Auth-Token: $(cat "$RUN/token")" "$NETWORK_API/agents/$id"
    done
}

# As the user nova, whose only way to root is what sudo allows.
start_compute() {
    service nova-compute nova python3 -c 'from nova.cmd.compute import main; main()' \
        --config-file /etc/nova/nova-compute.conf --log-file "$LOGS/nova-compute.log"
    wait_for 60 'the service' service_is_up
    as nova nova-manage cell_v2 discover_hosts
    wait_for 60 'the hypervisor' hypervisor_is_there
}

service_is_up() {
    [ "$(ask "$COMPUTE_API/os-services?binary=nova-compute" '.services[].state')" = up ]
}

hypervisor_is_there() {
    [ "$(ask "$COMPUTE_API/os-hypervisors/detail" '.hypervisors[] | .hypervisor_type + " " + .state')" = 'docker up' ]
}

make_networks() {
    openstack <<LIST
network create wire --external --provider-network-type flat --provider-physical-network physnet --disable-port-security
subnet create wire4 --network wire --subnet-range 192.0.2.0/24 --gateway $GATEWAY --no-dhcp --dns-nameserver $GATEWAY
subnet create wire6 --network wire --ip-version 6 --subnet-range 2001:db8::/64 --gateway $GATEWAY6 --no-dhcp
network create inner --disable-port-security
subnet create inner4 --network inner --subnet-range 198.51.100.0/24 --gateway none --no-dhcp
network create private --disable-port-security
subnet create private4 --network private --subnet-range 203.0.113.0/24 --gateway $ROUTER --no-dhcp
router create router
router set router --external-gateway wire
router add subnet router private4
LIST
    expect 'the subnets' "$(ask "$NETWORK_API/subnets" '.subnets[].name' | sort | xargs)" 'inner4 private4 wire4 wire6'
}

# With Neutron's own filter: a group of its own lets nobody in, yet everything out.
make_guarded_network() {
    openstack <<LIST
network create guarded
subnet create guarded4 --network guarded --subnet-range 198.18.0.0/24 --gateway $GUARDED_ROUTER --no-dhcp
router add subnet router guarded4
security group create closed
LIST
    expect 'what guards' "$(ask "$NETWORK_API/networks?name=guarded" '.networks[].port_security_enabled')" true
}

end_guarded_network() {
    printf '%s\n' 'router remove subnet router guarded4' 'security group delete closed' 'network delete guarded' | openstack
}
