# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The lab's own copy of the machine: folders whose writes stay in it, the packages, vmdock.

# Folders in which packages write and that are not the lab's own already. On a disk: this is much.
readonly PRIVATE=(/usr /var/cache /var/log /var/spool)

private_folder() {
    local path=$1 layer=$LAB_DIR/private$1
    [ -d "$path" ] || return 0
    mkdir -p "$layer/upper" "$layer/work"
    chmod --reference="$path" "$layer/upper"
    mount -t overlay -o "lowerdir=$path,upperdir=$layer/upper,workdir=$layer/work" private "$path"
}

# A prefix below /usr is private with it.
private_folders() {
    local path
    for path in "${PRIVATE[@]}"; do
        private_folder "$path"
    done
    case $PREFIX in
        /usr | /usr/*) ;;
        *) private_folder "$PREFIX" ;;
    esac
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    # The index of manual pages takes longer than many a package.
    rm -f /var/lib/man-db/auto-update
    # It may be a link into a /run that is not this one.
    rm -f /etc/resolv.conf
    cp "$WORK/resolv.conf" /etc/resolv.conf
}

apt_get() {
    DEBIAN_FRONTEND=noninteractive apt-get --yes --no-install-recommends \
        -o APT::Keep-Downloaded-Packages=true -o Dpkg::Options::=--force-unsafe-io \
        -o Dpkg::Options::=--force-confdef "$@"
}

# From here the network is the machine's.
download_packages() {
    apt_get update
    apt_get install --download-only "${PACKAGES[@]}"
}

install_stack() {
    apt_get install --no-download "${PACKAGES[@]}"
}

# The build as it is configured, and what doc/nova.md says of its prefix. State and cgroups are the lab's.
install_vmdock() {
    local etc python
    make -C "$BUILD" install
    etc=$(made sysconfdir) python=$(made pythondir)
    rm -rf "$PRODUCT_STATE" "$PRODUCT_RUN"
    mkdir -p "$PRODUCT_STATE" "$PRODUCT_RUN"
    printf '\n[vm]\ncgroup_parent = %s-vm\n' "$(jq -r '."cgroup-parent"' "$LAB_DIR/daemon.json")" \
        >>"$etc/vmdock/vmdock.conf"
    cmp -s "$etc/sudoers.d/vmdock-nova" /etc/sudoers.d/vmdock-nova ||
        install -m 440 "$etc/sudoers.d/vmdock-nova" /etc/sudoers.d/
    [ "$python" = /usr/lib/python3/dist-packages ] || cp -R "$python"/{vmdock_nova,nova} /usr/lib/python3/dist-packages/
    "$(made sbindir)/vmdock-setup" node
}
