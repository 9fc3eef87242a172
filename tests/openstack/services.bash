# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The control plane, from empty databases: MariaDB, RabbitMQ, Keystone, Glance, Placement, Neutron, Nova.

readonly PASSWORD=lab
readonly SOCKET=$RUN/mysql/mysql.sock

readonly COMPUTE_API=http://127.0.0.1:8774/v2.1 NETWORK_API=http://127.0.0.1:9696/v2.0 IMAGE_API=http://127.0.0.1:9292/v2

export OS_AUTH_URL=http://127.0.0.1:5000/v3 OS_USERNAME=admin OS_PASSWORD=$PASSWORD OS_PROJECT_NAME=admin
export OS_USER_DOMAIN_ID=default OS_PROJECT_DOMAIN_ID=default OS_REGION_NAME=RegionOne OS_IDENTITY_API_VERSION=3

# configuration NAME DESTINATION OWNER
configuration() {
    mkdir -p "${2%/*}"
    sed -e "s|@RUN@|$RUN|g" -e "s|@LOGS@|$LOGS|g" -e "s|@MECHANISM@|$PART|g" "$HERE/etc/$1" >"$2"
    chown "root:$3" "$2"
    chmod 640 "$2"
}

configurations() {
    id keystone >/dev/null 2>&1 || useradd --system --home-dir /var/lib/keystone --create-home keystone
    configuration keystone.conf /etc/keystone/keystone.conf keystone
    configuration glance-api.conf /etc/glance/glance-api.conf glance
    configuration placement.conf /etc/placement/placement.conf placement
    configuration neutron.conf /etc/neutron/neutron.conf neutron
    configuration ml2_conf.ini /etc/neutron/plugins/ml2/ml2_conf.ini neutron
    configuration linuxbridge_agent.ini /etc/neutron/plugins/ml2/linuxbridge_agent.ini neutron
    configuration openvswitch_agent.ini /etc/neutron/plugins/ml2/openvswitch_agent.ini neutron
    configuration nova.conf /etc/nova/nova.conf nova
    # A compute node knows no database.
    sed '/^\[.*database]$/,/^$/d' /etc/nova/nova.conf >/etc/nova/nova-compute.conf
    chown root:nova /etc/nova/nova-compute.conf
    chmod 640 /etc/nova/nova-compute.conf
    install -d -o glance -g glance /var/lib/glance/{images,staging,tasks}
    install -d -o neutron -g neutron /var/lib/neutron /var/lib/neutron/lock
    install -d -o nova -g nova /var/lib/nova /var/lib/nova/lock
    install -d -o keystone -g keystone /var/lib/keystone /etc/keystone/fernet-keys /etc/keystone/credential-keys
}

start_database() {
    install -d -o mysql -g mysql "$RUN/mysql"
    mariadb-install-db --user=mysql --datadir="$RUN/mysql" --skip-test-db
    service mariadb mysql mariadbd --no-defaults --user=mysql --datadir="$RUN/mysql" --socket="$SOCKET" \
        --skip-networking --innodb-flush-log-at-trx-commit=0 --max-connections=500
    wait_for 60 MariaDB mariadb --socket="$SOCKET" --execute 'select 1'
    local name
    for name in keystone glance placement neutron nova nova_api nova_cell0; do
        printf 'create database %s character set utf8mb3; grant all on %s.* to lab@localhost identified by "%s";\n' \
            "$name" "$name" "$PASSWORD"
    done | mariadb --socket="$SOCKET"
}

start_queue() {
    install -d -o rabbitmq -g rabbitmq "$RUN/rabbitmq"
    service rabbitmq rabbitmq env HOME="$RUN/rabbitmq" RABBITMQ_NODENAME=rabbit@localhost \
        RABBITMQ_MNESIA_BASE="$RUN/rabbitmq" RABBITMQ_LOG_BASE="$RUN/rabbitmq" \
        RABBITMQ_PID_FILE="$RUN/rabbitmq/pid" RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 rabbitmq-server
    serves rabbitmq 5672
}

# wsgi NAME USER PORT FILE: a program that its package brings for a web server.
wsgi() {
    service "$1" "$2" uwsgi_python3 --http-socket "127.0.0.1:$3" --wsgi-file "$4" --master --die-on-term \
        --processes 2 --enable-threads --lazy-apps --buffer-size 65535 \
        --add-header 'Connection: close'
}

as() {
    runuser -u "$1" -- env -i PATH="$PATH" LC_ALL=C.UTF-8 HOME="$(home_of "$1")" "${@:2}"
}

start_keystone() {
    as keystone keystone-manage db_sync
    as keystone keystone-manage fernet_setup --keystone-user keystone --keystone-group keystone
    as keystone keystone-manage bootstrap --bootstrap-password "$PASSWORD" --bootstrap-region-id RegionOne \
        --bootstrap-public-url "$OS_AUTH_URL" --bootstrap-internal-url "$OS_AUTH_URL" \
        --bootstrap-admin-url "$OS_AUTH_URL"
    wsgi keystone keystone 5000 /usr/bin/keystone-wsgi-public
    serves keystone 5000
    service_users | openstack
    openstack token issue -f value -c id >"$RUN/token"
    expect 'services in the catalogue' "$(ask "$OS_AUTH_URL/services" '.services[].name' | sort | xargs)" \
        'glance keystone neutron nova placement'
}

# Commands for one process of the client: each process of its own takes two seconds.
service_users() {
    local name type url
    echo 'project create --domain default service'
    while read -r name type url; do
        printf 'user create --domain default --password %s %s\n' "$PASSWORD" "$name"
        printf 'role add --project service --user %s admin\n' "$name"
        printf 'service create --name %s %s\n' "$name" "$type"
        printf 'endpoint create --region RegionOne %s public %s\n' "$type" "$url"
        printf 'endpoint create --region RegionOne %s internal %s\n' "$type" "$url"
    done <<LIST
glance image ${IMAGE_API%/v2}
placement placement http://127.0.0.1:8778
neutron network ${NETWORK_API%/v2.0}
nova compute $COMPUTE_API
LIST
}

start_glance() {
    as glance glance-manage db_sync
    wsgi glance glance 9292 /usr/bin/glance-wsgi-api
}

start_placement() {
    as placement placement-manage db sync
    wsgi placement placement 8778 /usr/bin/placement-api
}

start_neutron() {
    local files=(--config-file /etc/neutron/neutron.conf --config-file /etc/neutron/plugins/ml2/ml2_conf.ini)
    as neutron neutron-db-manage "${files[@]}" upgrade head
    service neutron-server neutron neutron-server "${files[@]}" --log-file "$LOGS/neutron-server.log"
}

start_nova() {
    as nova nova-manage api_db sync
    as nova nova-manage cell_v2 map_cell0 \
        --database_connection "mysql+pymysql://lab:$PASSWORD@localhost/nova_cell0?unix_socket=$SOCKET"
    as nova nova-manage cell_v2 create_cell --name cell1
    as nova nova-manage db sync
    wsgi nova-api nova 8774 /usr/bin/nova-api-wsgi
    service nova-conductor nova nova-conductor --log-file "$LOGS/nova-conductor.log"
    service nova-scheduler nova nova-scheduler --log-file "$LOGS/nova-scheduler.log"
}

# The two long ones beside each other, on the other processor.
start_control_plane() {
    local pid
    (start_glance && start_placement && start_neutron) &
    pid=$!
    start_nova
    wait "$pid"
    serves glance 9292
    serves placement 8778
    serves neutron-server 9696
    serves nova-api 8774
}
