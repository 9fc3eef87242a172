# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What measure and density share: series of samples, the rows that are made of them, and the VMs. TOOLS is where
# the helper programs are.

readonly IMAGE=lab/vm:1 BRIDGE=bench0
RESULTS=$(mktemp -d)
readonly RESULTS
trap 'rm -rf "$RESULTS"' EXIT
missed=0

# ---- figures ------------------------------------------------------------------------------------

# sample SERIES COMMAND…: one run, its line of figures added to the series.
sample() {
    local series=$RESULTS/$1
    shift
    "$TOOLS/timer" "$@" >>"$series" || {
        printf 'failed: %s\n' "$*" >&2
        exit 1
    }
}

# percentile SERIES COLUMN PERCENT
percentile() {
    sort -n -k "$2,$2" "$RESULTS/$1" | awk -v c="$2" -v p="$3" '
        { value[NR] = $c }
        END { at = int((NR - 1) * p / 100 + 0.5) + 1; print value[at] }'
}

median() {
    percentile "$1" "${2:-1}" 50
}

# calc EXPRESSION
calc() {
    awk "BEGIN { printf \"%.6f\", ${1//$'\n'/ } }"
}

ms() {
    awk -v us="$1" 'BEGIN { printf "%.2f ms", us / 1000 }'
}

row() {
    printf '  %-44s %12s %12s\n' "$@"
}

# series_row TITLE SERIES: median and the ninetieth percentile.
series_row() {
    row "$1" "$(ms "$(median "$2")")" "$(ms "$(percentile "$2" 1 90)")"
}

# target TITLE VALUE LIMIT UNIT: reached when VALUE is at most LIMIT.
target() {
    local word=reached
    if awk -v value="$2" -v limit="$3" 'BEGIN { exit !(value > limit) }'; then
        word=MISSED missed=$((missed + 1))
    fi
    printf '  %-58s %9.3f of %6.2f %-3s %s\n' "$1" "$2" "$3" "$4" "$word"
}

# ---- the VMs ------------------------------------------------------------------------------------

make_bridge() {
    ip link add "$BRIDGE" type bridge
    ip addr add 10.20.255.254/16 dev "$BRIDGE"
    ip link set "$BRIDGE" up
}

# The address and the MAC of a VM, or of a container beside it, by its number: at most 1000.
vm_ip() {
    printf '10.20.%d.%d' $(($1 / 250)) $(($1 % 250 + 2))
}

vm_mac() {
    printf '02:00:0a:14:%02x:%02x' $(($1 / 250)) $(($1 % 250 + 2))
}

vm_xml() {
    cat <<XML
<VM><ID>$1</ID><NAME>bench $1</NAME><TEMPLATE><CONTEXT><ETH0_MASK>255.255.0.0</ETH0_MASK></CONTEXT>
<CPU>0.5</CPU><MEMORY>64</MEMORY><VMID>$1</VMID>
<DISK><DISK_ID>0</DISK_ID><SOURCE>docker://$IMAGE</SOURCE></DISK>
<NIC><NIC_ID>0</NIC_ID><BRIDGE>$BRIDGE</BRIDGE><IP>$(vm_ip "$1")</IP><GATEWAY>10.20.255.254</GATEWAY>
<MAC>$(vm_mac "$1")</MAC><TARGET>one-$1-0</TARGET></NIC>
</TEMPLATE><USER_TEMPLATE/></VM>
XML
}

report_machine() {
    printf 'machine: %s cores (%s), kernel %s, Docker %s, %s, cgroup v%s\n\n' "$(nproc)" \
        "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" "$(uname -r)" \
        "$(docker version --format '{{.Server.Version}}')" "$(vmdock --version)" \
        "$(docker info --format '{{.CgroupVersion}}')"
}
