# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# For the tests that run on a real engine and real namespaces, inside a lab (tests/lib/lab):
#   lab start DIR --prefix PREFIX && lab run DIR bats tests/integration
# They start VMs from XML that they write themselves and look at the result with docker, ip and the
# files of the kernel, never through vmdock's own eyes alone.

bats_require_minimum_version 1.5.0
if [ -z "${LAB_DIR:-}" ] || [ ! -d /run/lab ]; then
    echo "these tests run inside a lab: see tests/lib/lab" >&2
    exit 1
fi
BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-180}
export BATS_TEST_TIMEOUT

# shellcheck disable=SC2034 # for the tests
readonly CONF=$LAB_PREFIX/etc/vmdock/vmdock.conf
SOURCES=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
readonly SOURCES
readonly IMAGE=lab/vm:1
readonly STATE=$LAB_PREFIX/var/lib/vmdock RUN=$LAB_PREFIX/var/run/vmdock

# The cgroup parent of the VMs, without the slash.
PARENT=$(sed -n 's|^cgroup_parent = /||p' "$CONF")
readonly PARENT

# The exit statuses of driver/error.h, by the name that stands there.
status_of() {
    sed -n "s/^ *X($1, \([0-9]*\),.*/\1/p" "$SOURCES/driver/error.h"
}

# ---- VM XML -------------------------------------------------------------------------------------

# 10.9.0.7 -> 02:00:0a:09:00:07, as OpenNebula makes it.
mac_of() {
    local IFS=. octets
    read -ra octets <<<"$1"
    printf '02:00:%02x:%02x:%02x:%02x' "${octets[@]}"
}

element() {
    printf '<%s><![CDATA[%s]]></%s>' "$1" "$2" "$1"
}

# nic_xml ID NUMBER "BRIDGE,IP[,KEY=VALUE]…": sets NIC_XML and NIC_CONTEXT. Keys: mac mask gateway mtu
# target ip6 (static) ip6_global ip6_ula ip6_gateway routes; "gateway=" alone leaves it out.
nic_xml() {
    local id=$1 number=$2 part fields
    local -A is=([mask]=255.255.255.0 [target]="one-$id-$number")
    IFS=, read -ra fields <<<"$3"
    is[bridge]=${fields[0]} is[ip]=${fields[1]:-}
    if [ -n "${is[ip]}" ]; then
        is[mac]=$(mac_of "${is[ip]}") is[gateway]=${is[ip]%.*}.1
    fi
    for part in "${fields[@]:2}"; do
        is[${part%%=*}]=${part#*=}
    done
    NIC_XML="<NIC>$(element NIC_ID "$number")$(element BRIDGE "${is[bridge]}")$(element TARGET "${is[target]}")"
    NIC_XML+=$(element VN_MAD bridge)$(element NETWORK lab)
    NIC_CONTEXT=$(element "ETH${number}_MASK" "${is[mask]}")
    nic_field IP ip && nic_field MAC mac && nic_field GATEWAY gateway && nic_field IP6 ip6 &&
        nic_field IP6_ULA ip6_ula && nic_field IP6_GLOBAL ip6_global && nic_field GATEWAY6 ip6_gateway
    NIC_XML+="</NIC>"
    NIC_CONTEXT+=$(element "ETH${number}_MTU" "${is[mtu]:-}")$(element "ETH${number}_ROUTES" "${is[routes]:-}")
    NIC_CONTEXT+=$(element "ETH${number}_IP6_GATEWAY" "${is[ip6_gateway]:-}")
}

# One element of the NIC, and the same in CONTEXT; uses nic_xml's variables.
nic_field() {
    [ -z "${is[$2]:-}" ] || {
        NIC_XML+=$(element "$1" "${is[$2]}")
        NIC_CONTEXT+=$(element "ETH${number}_$1" "${is[$2]}")
    }
}

# vm_xml ID [name=] [cpu=] [vcpu=] [memory=] [image=] [nic=…]… [template=XML] [user=XML] [command=]:
# the XML of a deploy.
vm_xml() {
    local id=$1 argument nics='' context='' template='' user='' number=0
    local -A is=([name]="vm $1" [cpu]=0.5 [vcpu]='' [memory]=64 [image]=docker://$IMAGE)
    shift
    for argument; do
        case $argument in
            nic=*)
                nic_xml "$id" "$number" "${argument#nic=}"
                nics+=$NIC_XML context+=$NIC_CONTEXT number=$((number + 1)) ;;
            template=*) template+=${argument#template=} ;;
            user=*) user+=${argument#user=} ;;
            command=*) user+=$(element DOCKERRUN "${argument#command=}") ;;
            *) is[${argument%%=*}]=${argument#*=} ;;
        esac
    done
    printf '<VM><ID>%s</ID>%s<TEMPLATE><CONTEXT>%s</CONTEXT>' "$id" "$(element NAME "${is[name]}")" "$context"
    element CPU "${is[cpu]}"
    element MEMORY "${is[memory]}"
    [ -z "${is[vcpu]}" ] || element VCPU "${is[vcpu]}"
    printf '<DISK>%s%s</DISK>%s%s%s</TEMPLATE>' "$(element DISK_ID 0)" "$(element SOURCE "${is[image]}")" \
        "$nics" "$template" "$(element VMID "$id")"
    printf '<USER_TEMPLATE>%s</USER_TEMPLATE></VM>\n' "$user"
}

# deploy ID [as vm_xml]: with the XML on stdin.
deploy() {
    vm_xml "$@" | vmdock deploy -
}

# ---- the lab ------------------------------------------------------------------------------------

# bridge NAME [ADDRESS/PREFIX]…: a bridge of the host, up; its own MAC does not change with its ports.
bridge() {
    local name=$1 address mac
    mac=$(md5sum <<<"$name" | sed 's/^\(..\)\(..\)\(..\).*/02:62:72:\1:\2:\3/')
    shift
    ip link show "$name" &>/dev/null || ip link add "$name" address "$mac" type bridge forward_delay 0
    ip link set "$name" up
    for address; do
        ip addr add "$address" dev "$name" nodad 2>/dev/null || true
    done
}

# config_with TEXT: prints the name of a configuration file that says TEXT beside what the lab's says.
config_with() {
    local file
    file=$(mktemp -p "$BATS_TEST_TMPDIR" conf.XXXXXX)
    { cat "$CONF" && printf '\n%s\n' "$@"; } >"$file"
    printf '%s\n' "$file"
}

engine() {
    "$LAB" engine "$LAB_DIR" "$1"
}

# other_engine_start PLACE [STORAGE]: another engine beside the lab's, with its data in the folder PLACE/data,
# on OTHER_SOCKET.
OTHER_SOCKET=/run/docker3.sock
other_engine_start() {
    local place=$1 storage=${2:-overlay2} socket=unix://$OTHER_SOCKET
    ip link add docker3 type bridge
    ip addr add 172.31.254.1/24 dev docker3
    jq ".hosts = [\"$socket\"] | .[\"data-root\"] = \"$place/data\" | .[\"storage-driver\"] = \"$storage\"" \
        "$LAB_DIR/daemon.json" >"$place/daemon.json"
    setsid env -i PATH="$PATH" HOME=/root dockerd --config-file "$place/daemon.json" --pidfile "$place/pid" \
        --exec-root /run/docker3 --bridge docker3 --iptables=false --ip6tables=false \
        </dev/null >"$place/log" 2>&1 3>&- &
    within 30 docker --host "$socket" version || fail "$(tail -n 5 "$place/log")"
}

# Ends it, and removes PLACE with what is mounted on its data; fine if it was never started.
other_engine_end() {
    local place=$1
    [ ! -e "$place/pid" ] || kill "$(cat "$place/pid")"
    within 20 test ! -e "$place/pid"
    ip link del docker3 2>/dev/null || true
    umount "$place/data" || true
    rm -rf --one-file-system "$place" "$OTHER_SOCKET"
}

# image NAME [INSTRUCTION]…: the lab's image under another name, with more instructions of a Dockerfile.
image() {
    local name=$1
    shift
    if [ $# -eq 0 ]; then
        docker tag "$IMAGE" "$name"
    else
        printf '%s\n' "FROM $IMAGE" "$@" | DOCKER_BUILDKIT=0 docker build --quiet --tag "$name" - >/dev/null
    fi
}

# The bridges that the NICs of a VM's XML name.
bridges_of() {
    local n
    for ((n = 1; n <= $(xmllint --xpath 'count((//VM)[1]/TEMPLATE/NIC)' "$1"); n++)); do
        xmllint --xpath "string((//VM)[1]/TEMPLATE/NIC[$n]/BRIDGE)" "$1"
    done | sort -u
}

# Puts a file with a file system where the VM of an XML is to have each of its further disks, as
# transfer drivers do, in datastores of the lab's own.
disk_files() {
    local ids id place
    ids=$(xmllint --xpath '(//VM)[1]/TEMPLATE/DISK[position() > 1]/DISK_ID/text()' "$1" 2>/dev/null) || return 0
    place=$LAB_DIR/datastores/$(xmllint --xpath 'string(//DS_ID)' "$1")/$(xmllint --xpath 'string((//VM)[1]/ID)' "$1")
    grep -qx "datastores = $LAB_DIR/datastores" "$CONF" ||
        printf '\n[opennebula]\ndatastores = %s\n' "$LAB_DIR/datastores" >>"$CONF"
    mkdir -p "$place"
    while read -r id; do
        truncate -s 4M "$place/disk.$id"
        mkfs.ext4 -q -F "$place/disk.$id"
    done < <(grep -o '[0-9]*' <<<"$ids")
}

# recorder FILE PROGRAM: makes FILE, which becomes PROGRAM and leaves all that its callers let everybody on the
# host see, arguments and environment, in FILE.seen.
recorder() {
    printf '%s\n' '#!/bin/sh' "{ printf '%s\\n' \"\$@\"; env; } >>'$1.seen'" "exec $2 \"\$@\"" >"$1"
    : >"$1.seen"
    chmod 755 "$1"
    chmod 666 "$1.seen"
}

# No secret of the registries' stands in TEXT, as it is or as a credentials file has it.
has_no_secret() {
    has_not "$1" secret && has_not "$1" "$(printf lab:secret | base64)"
}

# slow_network MBIT COMMAND…: the command, while what goes over lo, from registries above all, comes no faster.
slow_network() {
    local status=0
    tc qdisc add dev lo root tbf rate "$1mbit" burst 128kb latency 1s
    shift
    "$@" || status=$?
    tc qdisc del dev lo root
    return "$status"
}

# Everything on this host that a VM may leave traces in, one thing a line.
host_state() {
    ip -oneline link show | sed 's/^[0-9]*: \([^:@]*\).*/link \1/' | sort
    find /run/netns -mindepth 1 2>/dev/null | sort
    grep -o ' /run/netns/[^ ]*' /proc/self/mountinfo | sort -u | sed 's/^/mounted/'
    docker ps --all --no-trunc --format 'container {{.ID}} {{.Names}}' | sort
    docker images --format 'image name {{.Repository}}:{{.Tag}}' | sort
    find "$STATE" "$RUN" ! -type d ! -name 'samples*' ! -name links ! -path "$RUN/monitor/*" ! -path "$RUN/filter/.*" | sort
    find "$STATE" "$RUN" -mindepth 1 -type d -name '*[0-9]*' | sort
    find /sys/fs/cgroup -mindepth 2 -maxdepth 3 -type d -path "*/$PARENT/*" | sed 's|.*/|cgroup |' | sort -u
}

# Clears whatever a failed test left, by means of docker and ip, not of vmdock.
sweep() {
    local name
    # Of a failed test its last action's own words.
    [ -n "${BATS_TEST_COMPLETED-}" ] || [ ! -s "$BATS_TEST_TMPDIR/err" ] || cat "$BATS_TEST_TMPDIR/err"
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force >/dev/null 2>&1
    docker images --format '{{.Repository}}:{{.Tag}}' | grep '^vmdock/' | xargs --no-run-if-empty docker rmi >/dev/null 2>&1
    for name in /run/netns/*; do
        [ ! -e "$name" ] || ip netns del "${name##*/}" 2>/dev/null || rm -f "$name"
    done
    for name in $({ ip -oneline link show type veth; ip -oneline link show type ifb | grep ': q'; } | sed 's/^[0-9]*: \([^:@]*\).*/\1/'); do
        ip link del "$name" 2>/dev/null
    done
    grep -o " $RUN/disk[^ ]*" /proc/self/mountinfo | tac | xargs --no-run-if-empty umount 2>/dev/null
    find "$STATE" "$RUN" -xdev -mindepth 1 -delete 2>/dev/null || true
    return 0
}

# For setup_file of every file: the image and a bridge with addresses of the host.
lab_ready() {
    engine start
    docker image inspect "$IMAGE" &>/dev/null || "$LAB" image "$LAB_DIR" "$IMAGE"
    bridge lab0 10.9.0.1/24 fd09::1/64
    sweep
}

# ---- looking at a VM ----------------------------------------------------------------------------

# in_sandbox ID COMMAND…: in the VM's network namespace, by its name alone. "ip -n" would do for ip.
in_sandbox() {
    local id=$1
    shift
    nsenter --net="/run/netns/one-$id" -- "$@"
}

# The addresses of a link of the VM, one a line: "10.9.0.7/24".
addresses() {
    ip -j -n "one-$1" addr show dev "${2:-eth0}" |
        jq -r '.[].addr_info[] | select(.scope == "global") | "\(.local)/\(.prefixlen)"'
}

container_state() {
    docker inspect --format '{{.State.Status}}' "one-$1"
}

# Which containers the engine has on one of its networks, by name.
on_network() {
    docker network inspect --format '{{range .Containers}}{{.Name}} {{end}}' "$1"
}

container_id() {
    docker inspect --format '{{.Id}}' "one-$1"
}

# cgroup_value ID CONTROLLER FILE: from wherever this machine mounts the controller.
cgroup_value() {
    local root=/sys/fs/cgroup
    [ ! -d "$root/$2/$PARENT" ] || root+=/$2
    cat "$root/$PARENT/$(container_id "$1")/$3"
}

cgroup_v2() {
    [ -e /sys/fs/cgroup/cgroup.controllers ]
}

# ---- assertions ---------------------------------------------------------------------------------

fail() {
    printf '%s\n' "$*" >&2
    return 1
}

same() {
    [ "$1" = "$2" ] || fail "expected: $2
     got: $1"
}

# refused COMMAND…: it must fail, whatever it says.
refused() {
    if "$@"; then
        fail "succeeds: $*"
    fi
}

has() {
    [[ $1 == *"$2"* ]] || fail "\"$2\" is not in: $1"
}

has_not() {
    [[ $1 != *"$2"* ]] || fail "\"$2\" is in: $1"
}

remember_state() {
    STATE_BEFORE=$(host_state)
}

# engine_between SOCKET ORDER: the engine, at SOCKET too, fails as ORDER has it (tests/nova/between.py), until end_between.
engine_between() {
    local orders=$BATS_TEST_TMPDIR/orders
    # What an earlier one told goes, or it would be taken for this one's.
    rm -f "$orders" "$orders.told"
    mkfifo "$orders"
    python3 "$BATS_TEST_DIRNAME/../nova/between.py" "$1" /run/docker.sock <"$orders" >"$orders.told" 3>&- &
    BETWEEN=$!
    exec 7>"$orders"
    printf '%s\n' "$2" >&7
    within 5 test -s "$orders.told"
}

end_between() {
    exec 7>&-
    wait "$BETWEEN"
}

# The host is as it was when remember_state was called.
nothing_left() {
    diff <(printf '%s\n' "$STATE_BEFORE") <(host_state) || fail "something is left (>) or gone (<)"
}

# fails_with KIND TEXT COMMAND…: ends with the exit status of KIND and with one sentence that has TEXT;
# notes may stand before it. The whole of stderr is in $output then.
fails_with() {
    local kind=$1 text=$2 expected sentences
    shift 2
    expected=$(status_of "$kind")
    [ -n "$expected" ] || fail "driver/error.h has no $kind" || return 1
    local status=0
    output=$("$@" 2>&1 >/dev/null) || status=$?
    [ "$status" -eq "$expected" ] || fail "status $status instead of $expected ($kind): $output" || return 1
    sentences=$(grep -c '^vmdock: ' <<<"$output") || true
    [ "$sentences" -eq 1 ] || fail "not one sentence: $output" || return 1
    if grep -qvE '^(vmdock|warning|note): ' <<<"$output"; then
        fail "more than sentences: $output"
        return 1
    fi
    has "$output" "$text" && has_not "$output" "AddressSanitizer"
}

# Waits at most SECONDS for COMMAND to succeed.
within() {
    local tries=$(($1 * 20))
    shift
    until "$@" &>/dev/null; do
        [ $((tries -= 1)) -gt 0 ] || break
        sleep 0.05
    done
    # The last look is shown: it tells what is not so.
    [ "$tries" -gt 0 ] || "$@" || fail "still not so: $*"
}
