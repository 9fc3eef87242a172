#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# An oracle that shares no code with vmdock: whatever xmllint finds in a VM's XML about its network is
# found by ip(8) in the VM's sandbox. Over the project's own XML files and, where they are at hand,
# over those recorded from a real OpenNebula (VMDOCK_RECORDS).

load helpers

setup_file() {
    lab_ready
}

setup() {
    remember_state
}

teardown() {
    sweep
    local name
    for name in "${BRIDGES[@]}"; do
        ip link del "$name" 2>/dev/null || true
    done
}

# take FILE PATH: the text of one element under the VM's TEMPLATE.
take() {
    xmllint --xpath "string((//VM)[1]/TEMPLATE/$2)" "$1" 2>/dev/null
}

count() {
    xmllint --xpath "count((//VM)[1]/TEMPLATE/$2)" "$1"
}

# 255.255.254.0 -> 23; a length stays as it is.
prefix_of() {
    local IFS=. octet octets bits=0
    [[ $1 == *.* ]] || { printf '%s\n' "$1"; return; }
    read -ra octets <<<"$1"
    for octet in "${octets[@]}"; do
        while [ "$octet" -gt 0 ]; do
            bits=$((bits + (octet & 1))) octet=$((octet >> 1))
        done
    done
    printf '%s\n' "$bits"
}

# The number of the ETHn in CONTEXT that is this NIC's: by its MAC, else by its place.
context_number() {
    local file=$1 mac=$2 place=$3 n
    for n in 0 1 2 3 4 5 6 7; do
        if [ -n "$mac" ] && [ "$(take "$file" "CONTEXT/ETH${n}_MAC")" = "$mac" ]; then
            printf '%s\n' "$n"
            return
        fi
    done
    printf '%s\n' "$place"
}

# either FILE PATH…: the first that is not empty.
either() {
    local file=$1 path value
    shift
    for path; do
        value=$(take "$file" "$path")
        [ -z "$value" ] || { printf '%s\n' "$value"; return; }
    done
}

# An address in the one form that the kernel prints.
canonical() {
    if [[ $1 == *:* ]]; then
        python3 -c 'import ipaddress, sys; print(ipaddress.ip_address(sys.argv[1]))' "$1"
    else
        printf '%s\n' "$1"
    fi
}

link_of_mac() {
    ip -j -n "$1" link show | jq -r --arg mac "${2,,}" '.[] | select(.address == $mac) | .ifname'
}

expect_address() {
    local vm=$1 link=$2 address=$3 prefix=$4
    [ -n "$address" ] || return 0
    FOUND=$((FOUND + 1))
    ip -j -n "$vm" addr show dev "$link" |
        jq -e --arg a "$(canonical "$address")" --argjson p "$prefix" \
            'any(.[].addr_info[]; .local == $a and .prefixlen == $p and (.tentative // false | not))' >/dev/null ||
        fail "$vm: $address/$prefix is not on $link: $(ip -n "$vm" addr show dev "$link")"
}

expect_route() {
    local vm=$1 link=$2 to=$3 via=$4 family=-4
    [ -n "$via" ] || return 0
    FOUND=$((FOUND + 1))
    [[ $via != *:* ]] || family=-6
    ip -j "$family" -n "$vm" route show |
        jq -e --arg to "$to" --arg via "$(canonical "$via")" --arg dev "$link" \
            'any(.[]; .dst == $to and .gateway == $via and .dev == $dev)' >/dev/null ||
        fail "$vm: no route to $to via $via on $link: $(ip "$family" -n "$vm" route show)"
}

# set_by_cloud FILE METHOD-PATH: the guest is not told to leave the family alone, or to learn it.
set_by_cloud() {
    case $(take "$1" "$2") in skip | auto | disable) return 1 ;; esac
}

# expect_addresses FILE VM LINK NIC-PATH CONTEXT-PREFIX: what a NIC, or an alias of it, carries.
expect_addresses() {
    local file=$1 vm=$2 link=$3 nic=$4 eth=$5 mask prefix6
    mask=$(either "$file" "$nic/NETWORK_MASK" "${eth}_MASK")
    prefix6=$(either "$file" "${eth}_IP6_PREFIX_LENGTH")
    ! set_by_cloud "$file" "${eth}_METHOD" ||
        expect_address "$vm" "$link" "$(take "$file" "$nic/IP")" "$(prefix_of "${mask:-255.255.255.0}")" || return 1
    set_by_cloud "$file" "${eth}_IP6_METHOD" || return 0
    expect_address "$vm" "$link" "$(take "$file" "$nic/IP6")" "${prefix6:-64}" &&
        expect_address "$vm" "$link" "$(take "$file" "$nic/IP6_ULA")" 64 &&
        expect_address "$vm" "$link" "$(take "$file" "$nic/IP6_GLOBAL")" 64
}

# The gateway of each family that the NIC has an address of; an alias has none of its own.
expect_gateways() {
    local file=$1 vm=$2 link=$3 nic=$4 eth=$5
    if [ -n "$(take "$file" "$nic/IP")" ] && set_by_cloud "$file" "${eth}_METHOD"; then
        expect_route "$vm" "$link" default "$(either "$file" "$nic/GATEWAY" "${eth}_GATEWAY")" || return 1
    fi
    if set_by_cloud "$file" "${eth}_IP6_METHOD"; then
        expect_route "$vm" "$link" default "$(either "$file" "$nic/GATEWAY6" "${eth}_IP6_GATEWAY" "${eth}_GATEWAY6")"
    fi
}

expect_routes() {
    local vm=$1 link=$2 routes=$3 entry to via
    local -a entries
    IFS=, read -ra entries <<<"$routes"
    for entry in "${entries[@]}"; do
        read -r to via <<<"${entry//via/ }"
        expect_route "$vm" "$link" "$to" "$via" || return 1
    done
}

expect_mtu() {
    local vm=$1 link=$2 mtu=$3
    [ -n "$mtu" ] || return 0
    FOUND=$((FOUND + 1))
    same "$(ip -j -n "$vm" link show dev "$link" | jq -r '.[].mtu')" "$mtu"
}

# Everything of one NIC; the host's end of it is a port of the bridge.
expect_nic() {
    local file=$1 vm=$2 place=$3 nic=NIC[$3] mac link n id target alias count_of_aliases
    mac=$(take "$file" "$nic/MAC")
    n=$(context_number "$file" "$mac" $((place - 1)))
    link=eth$((place - 1))
    if [ -n "$mac" ]; then
        FOUND=$((FOUND + 1))
        link=$(link_of_mac "$vm" "$mac")
        [ -n "$link" ] || fail "$vm: no link has the MAC $mac" || return 1
    fi
    expect_addresses "$file" "$vm" "$link" "$nic" "CONTEXT/ETH$n" &&
        expect_gateways "$file" "$vm" "$link" "$nic" "CONTEXT/ETH$n" &&
        expect_mtu "$vm" "$link" "$(either "$file" "$nic/GUEST_MTU" "CONTEXT/ETH${n}_MTU" "$nic/MTU")" &&
        expect_routes "$vm" "$link" "$(either "$file" "$nic/ROUTES" "CONTEXT/ETH${n}_ROUTES")" || return 1
    id=$(take "$file" "$nic/NIC_ID")
    target=$(take "$file" "$nic/TARGET")
    # OpenNebula before 5.0 does not name the host's end
    same "$(ip -j link show dev "${target:-$vm-$id}" | jq -r '.[].master')" \
        "$(take "$file" "$nic/BRIDGE")" || return 1
    count_of_aliases=$(count "$file" "NIC_ALIAS[PARENT_ID='$id']")
    for ((alias = 1; alias <= count_of_aliases; alias++)); do
        # an EXTERNAL alias is translated outside of the VM
        [ "$(take "$file" "NIC_ALIAS[PARENT_ID='$id'][$alias]/EXTERNAL")" != YES ] || continue
        expect_addresses "$file" "$vm" "$link" "NIC_ALIAS[PARENT_ID='$id'][$alias]" \
            "CONTEXT/ETH${n}_ALIAS$((alias - 1))" || return 1
    done
}

# The same VM without what it wants to run and to be allowed, on Linux bridges: its program is the lab's,
# its addresses are what is looked at.
network_alone() {
    python3 - "$1" <<'PY'
import sys
import xml.etree.ElementTree as tree

root = tree.parse(sys.argv[1]).getroot()
for parent in list(root.iter()):
    for child in list(parent):
        if child.tag in ("USER_TEMPLATE", "RAW", "DOCKERRUN") or child.tag.startswith("ONEDOCK"):
            parent.remove(child)
        elif child.tag == "DISK" and child.findtext("TYPE") == "swap":
            parent.remove(child)
        elif child.tag == "BRIDGE_TYPE":
            child.text = "linux"
        elif child.tag == "VN_MAD":
            child.text = "bridge"
tree.ElementTree(root).write(sys.stdout.buffer, "UTF-8", xml_declaration=True)
PY
}

# compare FILE: deploys it and looks for everything.
compare() {
    local file=$1 id nics place name
    id=$(xmllint --xpath 'string((//VM)[1]/ID)' "$file")
    nics=$(count "$file" NIC)
    image "vmdock/one-$id:disk.0"
    for name in $(bridges_of "$file"); do
        bridge "$name"
        BRIDGES+=("$name")
    done
    disk_files "$file"
    network_alone "$file" | vmdock deploy - || return 1
    for ((place = 1; place <= nics; place++)); do
        expect_nic "$file" "one-$id" "$place" || return 1
    done
    vmdock purge "one-$id"
    DEPLOYED=$((DEPLOYED + 1))
}

# Files that do not describe a VM to deploy are told apart by vmdock's own answer; the counts at the
# end of each test see to it that this does not empty the test.
compare_all() {
    local file
    FOUND=0 DEPLOYED=0 BRIDGES=()
    for file; do
        if vmdock explain "$file" &>/dev/null; then
            compare "$file" || fail "in $file" || return 1
        fi
    done
    printf '# %s files deployed, %s facts found\n' "$DEPLOYED" "$FOUND" >&3
}

# Of a NIC on a network of libvirt's, or of the engine's, the XML says half, and that network the rest: libvirt.bats and
# engine_network.bats look at those.
@test "the project's own XML: every MAC, address, MTU, gateway and route is in the sandbox" {
    local -a files
    mapfile -t files < <(grep -LE '<(LIBVIRT|DOCKER)_NETWORK>' "$SOURCES"/examples/*.xml "$SOURCES"/tests/data/opennebula/*.xml)
    compare_all "${files[@]}"
    same "$DEPLOYED" "${#files[@]}"
    [ "$FOUND" -ge 60 ]
    STATE_AFTER=$(host_state | grep -v '^link ')
    same "$STATE_AFTER" "$(grep -v '^link ' <<<"$STATE_BEFORE")"
}

@test "the recorded XML: every MAC, address, MTU, gateway and route is in the sandbox" {
    [ -n "${VMDOCK_RECORDS:-}" ] || {
        printf '# no records at hand (VMDOCK_RECORDS): %s stands for them\n' examples/vm.xml >&3
        compare_all "$SOURCES/examples/vm.xml"
        return
    }
    compare_all "$VMDOCK_RECORDS"/opennebula/xml/deploy-*.xml
    [ "$DEPLOYED" -ge 3 ]
    [ "$FOUND" -ge 14 ]
}
