# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What quickstart, check and the benchmark share: packages, a copy of the sources, the build, steps
# with their time. Expects TOP (the top of the tree) and LOG (where quiet output goes).

# shellcheck disable=SC2034 # for those who read this in
if [ -t 1 ]; then
    BOLD=$'\e[1m' GREEN=$'\e[32m' RED=$'\e[31m' DIM=$'\e[2m' PLAIN=$'\e[0m'
else
    BOLD='' GREEN='' RED='' DIM='' PLAIN=''
fi
# shellcheck disable=SC2034
readonly BOLD GREEN RED DIM PLAIN

die() {
    printf '%s%s: %s%s\n' "$RED" "${0##*/}" "$*" "$PLAIN" >&2
    exit 1
}

need_root() {
    [ "$(id -u)" -eq 0 ] || die "must run as root: sudo ./${0##*/}"
}

# Seconds since an earlier $EPOCHREALTIME, with two decimals.
since() {
    local micros=$((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}))
    printf '%d.%02d' $((micros / 1000000)) $((micros / 10000 % 100))
}

# ---- packages -----------------------------------------------------------------------------------

packages_for() {
    local purpose
    for purpose; do
        sed -n "s/^$purpose: //p" "$TOP/tests/lib/packages"
    done | tr ' ' '\n' | sort -u
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Of alternatives, "first|second", any will do, and the first is what is missing when none is there.
missing_packages() {
    local entry package
    for entry in $(packages_for "$@"); do
        for package in ${entry//|/ }; do
            ! is_installed "$package" || continue 2
        done
        printf '%s\n' "${entry%%|*}"
    done
}

# Keeps the services of new packages from starting: the machine did not ask for an engine of its own.
readonly POLICY=/usr/sbin/policy-rc.d
readonly POLICY_MARK='# while vmdock installs packages'

hold_services() {
    [ ! -e "$POLICY" ] || grep -qF "$POLICY_MARK" "$POLICY" || return 0
    printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >"$POLICY"
    chmod 755 "$POLICY"
}

release_services() {
    ! grep -qsF "$POLICY_MARK" "$POLICY" || rm -f "$POLICY"
}

# Installs what is missing of the packages for PURPOSE…; asks the network only if anything is.
install_packages() {
    local -a missing
    local status=0
    release_services
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    printf 'missing: %s\n' "${missing[*]}"
    command -v apt-get >/dev/null || die "apt-get is needed to install: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    hold_services
    { apt-get update &&
        apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}"; } ||
        status=$?
    release_services
    return "$status"
}

# ---- sources and build --------------------------------------------------------------------------

# Copies the sources to DEST, so that nothing that root makes lies among them, and leaves out what a
# build in the tree itself has made there. A file that is the same already is not touched: a second
# build does only what has changed.
copy_sources() {
    local file
    mkdir -p "$1" || return 1
    while IFS= read -r -d '' file; do
        cmp --silent "$TOP/$file" "$1/$file" && continue
        mkdir -p "$1/${file%/*}" && cp --preserve=mode "$TOP/$file" "$1/$file" || return 1
    done < <(source_files)
}

source_files() {
    local -a top=(.git 'build*' m4 autom4te.cache aclocal.m4 configure 'configure~' deb 'vmdock-*.tar.xz' Makefile Makefile.in
        config.status config.log libtool stamp-h1 'vmdock-build.h*')
    local -a anywhere=(.libs .deps .dirstamp '*.o' '*.lo' '*.la' '*.log' '*.trs')
    local -a skip=()
    local name
    for name in "${top[@]}"; do
        skip+=(-path "./$name" -prune -o)
    done
    for name in "${anywhere[@]}"; do
        skip+=(-name "$name" -prune -o)
    done
    (cd "$TOP" && find . "${skip[@]}" -type f -print0)
}

# build SOURCES BUILD [CONFIGURE OPTION…]: configures once, makes whenever called.
build() {
    local sources=$1 build=$2
    shift 2
    { [ -x "$sources/configure" ] || (cd "$sources" && ./autogen.sh); } &&
        mkdir -p "$build" &&
        { [ -e "$build/config.status" ] || (cd "$build" && "$sources/configure" "$@"); } &&
        make -C "$build" -j2
}
