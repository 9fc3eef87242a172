# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A libvirtd of the lab's own, Debian's, and its networks. Loaded after helpers.

readonly URI=network:///system LIBVIRT_LOG=/run/libvirtd.log

v() {
    virsh --quiet --connect "$URI" "$@"
}

# A part of libvirtd that nothing here uses wants its user. Networks that the machine's has are not ours.
libvirtd_prepare() {
    rm -rf /etc/libvirt/qemu /run/libvirt
    id libvirt-qemu &>/dev/null || useradd --system --user-group --no-create-home libvirt-qemu
    mkdir -p /etc/libvirt
    printf '%s\n' 'auth_unix_rw = "none"' "log_outputs = \"3:file:$LIBVIRT_LOG\"" >/etc/libvirt/libvirtd.conf
}

libvirtd_start() {
    env -u LIBVIRT_DEFAULT_URI libvirtd --daemon --config /etc/libvirt/libvirtd.conf --pid-file /run/libvirtd.pid \
        </dev/null &>/dev/null 3>&-
    within 20 v net-list
}

libvirtd_signal() {
    kill -s "$1" "$(cat /run/libvirtd.pid)"
}

# Its networks stay as they are.
libvirtd_stop() {
    local pid
    pid=$(cat /run/libvirtd.pid)
    kill "$pid"
    within 10 refused kill -0 "$pid"
}

# network NAME XML [no]: defined, and started.
network() {
    printf '<network><name>%s</name>%s</network>' "$1" "$2" >"$BATS_FILE_TMPDIR/network.xml"
    v net-define "$BATS_FILE_TMPDIR/network.xml"
    [ "${3:-}" = no ] || v net-start "$1"
}

# What all networks reserve and name, as they are and as they are saved.
networks() {
    local name
    for name in $(v net-list --all --name); do
        v net-dumpxml "$name"
        v net-dumpxml --inactive "$name"
    done | grep -E '<host |<hostname>' || true
}

# reserved NETWORK: "NAME IP" of each reservation; the same live and saved.
reserved() {
    local live saved
    live=$(v net-dumpxml "$1" | xmllint --xpath '//dhcp/host' - 2>/dev/null) || true
    saved=$(v net-dumpxml --inactive "$1" | xmllint --xpath '//dhcp/host' - 2>/dev/null) || true
    same "$live" "$saved"
    sed -n "s/.*name=['\"]\([^'\"]*\)['\"] ip=['\"]\([^'\"]*\)['\"].*/\1 \2/p" <<<"$live"
}

# Clears whatever a failed test has left reserved.
clear_networks() {
    local name entry
    for name in $(v net-list --name); do
        for entry in live config; do
            clear_network "$name" "$entry"
        done
    done
}

# clear_network NAME live|config
clear_network() {
    local xml entry inactive=()
    [ "$2" = live ] || inactive=(--inactive)
    xml=$(v net-dumpxml "${inactive[@]}" "$1" | tr -d '\n')
    while read -r entry; do
        v net-update "$1" delete ip-dhcp-host "$entry" "--$2"
    done < <(grep -o '<host mac=[^>]*/>' <<<"$xml")
    while read -r entry; do
        v net-update "$1" delete dns-host "$entry" "--$2"
    done < <(grep -o '<host ip=[^/]*</hostname> *</host>' <<<"$xml")
}

# For setup.
remember_networks() {
    NETWORKS_BEFORE=$(networks)
}

# All is as it was, libvirt's networks too.
all_gone() {
    nothing_left && same "$(networks)" "$NETWORKS_BEFORE"
}
