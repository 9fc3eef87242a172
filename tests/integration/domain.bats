#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # $stderr is set by run
# libvirt's domain XML: what is asked for is there, what is not allowed is refused, and dumpxml says what is
# there in a form that libvirt's own schema takes, and that can be deployed again.

load helpers

VM=dom-web
DATA=$SOURCES/tests/data/domain

setup_file() {
    lab_ready
    install -d /srv/lab-media /srv/lab-www
    echo a song >/srv/lab-media/song
}

teardown_file() {
    rm -rf /srv/lab-media /srv/lab-www
}

setup() {
    remember_state
    XML=$BATS_TEST_TMPDIR/web.xml
}

teardown() {
    sweep
}

# domain [element=XML]… [device=XML]… [meta=XML]…: a domain named web.
domain() {
    local argument elements='' devices='' meta=''
    for argument; do
        case $argument in
            element=*) elements+=${argument#*=} ;;
            device=*) devices+=${argument#*=} ;;
            meta=*) meta+=${argument#*=} ;;
        esac
    done
    printf '<domain type="lxc"><name>web</name><memory unit="MiB">64</memory>%s<metadata>' "$elements"
    printf '<v:vm xmlns:v="https://vmdock.org/xmlns/libvirt/domain/1.0"><v:image>%s</v:image>%s</v:vm>' "$IMAGE" "$meta"
    printf '</metadata><os><type>exe</type></os><devices>%s</devices></domain>\n' "$devices"
}

# nic [XML]…: on lab0, 10.9.0.80.
nic() {
    printf '<interface type="bridge"><source bridge="lab0"/><ip address="10.9.0.80" prefix="24"/>%s</interface>' "$*"
}

in_vm() {
    docker exec "$VM" "$@"
}

valid() {
    virt-xml-validate "$1" domain >/dev/null
}

# The VM's dump, in the file that is named.
dump() {
    vmdock dumpxml "$VM" >"$1"
    valid "$1"
}

whole_domain() {
    cat <<'XML'
<domain type='lxc'>
  <name>web</name>
  <uuid>0f5e6a7b-1c2d-4e3f-8a9b-0c1d2e3f4a5b</uuid>
  <title>the web server</title>
  <metadata>
    <vmdock:vm xmlns:vmdock='https://vmdock.org/xmlns/libvirt/domain/1.0'>
      <vmdock:image>lab/vm:1</vmdock:image>
      <vmdock:hostname>web.example</vmdock:hostname>
      <vmdock:dns>10.9.0.1</vmdock:dns>
      <vmdock:stop_timeout>1</vmdock:stop_timeout>
    </vmdock:vm>
  </metadata>
  <memory unit='MiB'>96</memory>
  <vcpu placement='static'>2</vcpu>
  <cputune>
    <shares>512</shares>
    <period>50000</period>
    <quota>20000</quota>
    <vcpupin vcpu='0' cpuset='0'/>
    <vcpupin vcpu='1' cpuset='0'/>
  </cputune>
  <os>
    <type>exe</type>
    <init>/bin/sh</init>
    <initarg>-c</initarg>
    <initarg>trap 'exit 0' TERM; while :; do sleep 1; done</initarg>
    <initenv name='MODE'>a b</initenv>
    <initdir>/tmp</initdir>
    <inituser>1000</inituser>
    <initgroup>1001</initgroup>
  </os>
  <devices>
    <filesystem type='mount'>
      <source dir='/srv/lab-media'/>
      <target dir='/media'/>
      <readonly/>
    </filesystem>
    <filesystem type='mount'>
      <source dir='/srv/lab-www'/>
      <target dir='/srv/www'/>
    </filesystem>
    <filesystem type='ram'>
      <source usage='128' units='KiB'/>
      <target dir='/scratch'/>
    </filesystem>
    <interface type='bridge'>
      <mac address='52:54:00:11:22:33'/>
      <source bridge='lab0'/>
      <target dev='web-0'/>
      <guest dev='net0'/>
      <ip address='10.9.0.80' family='ipv4' prefix='24'/>
      <ip address='fd09::80' family='ipv6' prefix='64'/>
      <route family='ipv4' address='198.51.100.0' prefix='24' gateway='10.9.0.2'/>
      <route family='ipv4' address='0.0.0.0' prefix='0' gateway='10.9.0.1'/>
      <mtu size='1400'/>
      <bandwidth>
        <inbound average='10000' peak='20000' burst='512'/>
      </bandwidth>
    </interface>
    <console type='pty'/>
  </devices>
</domain>
XML
}

@test "a domain comes up as it is described, and is gone after purge" {
    whole_domain >"$XML"
    valid "$XML"
    VMDOCK_CONF=$(config_with '[policy]' 'mounts = /srv/lab-media:ro;/srv/lab-www')
    run -0 --separate-stderr vmdock --config "$VMDOCK_CONF" deploy "$XML"
    same "$output" "$VM"
    same "$stderr" ""
    ping -c 1 -W 2 -q 10.9.0.80
    ping -c 1 -W 2 -q fd09::80
    same "$(cut -c4- /sys/class/net/web-0/address)" 54:00:11:22:33
    local link
    link=$(ip -j -n "$VM" addr show net0)
    same "$(jq -r '.[0].address' <<<"$link")" 52:54:00:11:22:33
    same "$(jq -r '.[0].mtu' <<<"$link")" 1400
    has "$(ip -n "$VM" route)" "198.51.100.0/24 via 10.9.0.2 dev net0"
    has "$(ip -n "$VM" route)" "default via 10.9.0.1 dev net0"
    has "$(tc qdisc show dev web-0)" "rate 80Mbit"
    same "$(in_vm sh -c 'tr "\0" "\n" </proc/1/environ | grep ^MODE')" "MODE=a b"
    same "$(in_vm sh -c 'readlink /proc/1/cwd; id -u; id -g; hostname; cat /media/song' | tr '\n' ' ')" \
        "/tmp 1000 1001 web.example a song "
    same "$(in_vm sed -n 's/^Cpus_allowed_list:\t//p' /proc/1/status)" 0
    refused in_vm sh -c 'echo x >/media/song'
    same "$(in_vm df -k /scratch | sed -n '2s/  */ /gp' | cut -d' ' -f2)" 128
    local host
    host=$(docker inspect --format '{{json .HostConfig}}' "$VM")
    same "$(jq -c '[.Memory, .CpuShares, .CpuPeriod, .CpuQuota]' <<<"$host")" "[100663296,512,50000,40000]"
    in_cgroup
    vmdock purge "$VM"
    nothing_left
}

in_cgroup() {
    local id root=/sys/fs/cgroup
    id=$(docker inspect --format '{{.Id}}' "$VM")
    if cgroup_v2; then
        same "$(cat "$root/$PARENT/$id/cpu.max")" "40000 50000"
    else
        same "$(cat "$root/cpu/$PARENT/$id/cpu.cfs_quota_us" "$root/cpu/$PARENT/$id/cpu.cfs_period_us")" $'40000\n50000'
    fi
}

@test "dumpxml: libvirt's schema takes it, what went in comes out, and it is deployed again without a change" {
    whole_domain >"$XML"
    VMDOCK_CONF=$(config_with '[policy]' 'mounts = /srv/lab-media:ro;/srv/lab-www')
    vmdock --config "$VMDOCK_CONF" deploy "$XML"
    local dumped=$BATS_TEST_TMPDIR/dumped.xml id path
    dump "$dumped"
    id=$(docker inspect --format '{{.Id}} {{.State.Pid}} {{.State.StartedAt}}' "$VM")
    same "$(xmllint --xpath 'string(/domain/@id)' "$dumped")" "$(docker inspect --format '{{.State.Pid}}' "$VM")"
    for path in /domain/name /domain/uuid /domain/title /domain/vcpu /domain/cputune/shares /domain/cputune/period \
        /domain/cputune/quota "/domain/cputune/vcpupin[2]/@cpuset" /domain/os/init "/domain/os/initarg[2]" \
        "/domain/os/initenv[@name='MODE']" /domain/os/initdir /domain/os/inituser /domain/os/initgroup \
        "/domain/devices/filesystem[1]/source/@dir" "count(/domain/devices/filesystem/readonly)" \
        "/domain/devices/filesystem[3]/source/@usage" /domain/devices/interface/mac/@address \
        /domain/devices/interface/target/@dev /domain/devices/interface/guest/@dev \
        "/domain/devices/interface/ip[2]/@address" "/domain/devices/interface/route[1]/@gateway" \
        /domain/devices/interface/mtu/@size /domain/devices/interface/bandwidth/inbound/@peak \
        "/domain/metadata/*/*[local-name() = 'hostname']" "/domain/metadata/*/*[local-name() = 'stop_timeout']"; do
        same "$path: $(xmllint --xpath "string($path)" "$dumped")" "$path: $(xmllint --xpath "string($path)" "$XML")"
    done
    run -0 --separate-stderr vmdock --config "$VMDOCK_CONF" deploy "$dumped"
    same "$stderr" ""
    same "$(docker inspect --format '{{.Id}} {{.State.Pid}} {{.State.StartedAt}}' "$VM")" "$id"
    local again=$BATS_TEST_TMPDIR/again.xml
    dump "$again"
    diff "$dumped" "$again"
    vmdock shutdown "$VM"
    dump "$again"
    same "$(xmllint --xpath 'count(/domain/@id)' "$again")" 0
}

@test "every example validates, and so does what explain takes of it" {
    local file
    for file in "$DATA"/*.xml; do
        valid "$file"
        vmdock explain "$file" >/dev/null
    done
}

@test "explain names what is not honoured; a deploy warns of it once" {
    run -0 vmdock --json explain "$DATA/not-honoured.xml"
    same "$(jq -c .not_honoured <<<"$output")" \
        "$(jq -c .not_honoured "$SOURCES/tests/data/golden/domain-not-honoured.spec.json")"
    domain device='<graphics type="vnc"/>' "device=$(nic)" >"$XML"
    run -0 --separate-stderr vmdock deploy "$XML"
    same "$stderr" "warning: VM $VM: devices: graphics is not honoured: a container has no screen"
    run -0 --separate-stderr vmdock deploy "$XML"
    same "$stderr" ""
}

@test "capabilities: taken away, given where the host allows it, and none but those named" {
    local added
    domain 'element=<features><capabilities policy="default"><mknod state="off"/></capabilities></features>' >"$XML"
    vmdock deploy "$XML"
    same "$(in_vm sed -n 's/^CapBnd:\t//p' /proc/1/status)" 00000000a00425fb # the engine's a80425fb without mknod
    vmdock purge "$VM"
    domain 'element=<features><capabilities policy="deny"><chown state="on"/></capabilities></features>' >"$XML"
    vmdock deploy "$XML"
    same "$(in_vm sed -n 's/^CapBnd:\t//p' /proc/1/status)" 0000000000000001
    dump "$BATS_TEST_TMPDIR/deny.xml"
    vmdock purge "$VM"
    for added in '<capabilities policy="default"><net_admin state="on"/></capabilities>' '<capabilities policy="allow"/>'; do
        domain "element=<features>$added</features>" >"$XML"
        fails_with POLICY "[policy] capabilities in" vmdock deploy "$XML"
    done
    nothing_left
}

@test "a folder of the host, and its parent, are refused unless that very one is allowed" {
    local folder='<filesystem><source dir="/srv/lab-www"/><target dir="/www"/></filesystem>' conf
    domain "device=$folder" >"$XML"
    fails_with POLICY "asks for the host's folder /srv/lab-www, to write in" vmdock deploy "$XML"
    for conf in 'mounts = /srv/lab-www:ro' 'mounts = /srv'; do
        fails_with POLICY "[policy] mounts" vmdock --config "$(config_with '[policy]' "$conf")" deploy "$XML"
    done
    fails_with UNSUPPORTED "idmap is asked for" vmdock deploy <(domain \
        'element=<idmap><uid start="0" target="1000" count="10"/></idmap>')
    nothing_left
}

@test "link state: without a carrier, and changed while the VM runs" {
    domain "device=$(nic '<target dev="web-0"/><link state="down"/>')" >"$XML"
    vmdock deploy "$XML"
    same "$(ip netns exec "$VM" cat /sys/class/net/eth0/carrier)" 0
    refused ping -c 1 -W 1 -q 10.9.0.80
    dump "$BATS_TEST_TMPDIR/down.xml"
    same "$(xmllint --xpath 'string(/domain/devices/interface/link/@state)' "$BATS_TEST_TMPDIR/down.xml")" down
    domain "device=$(nic '<target dev="web-0"/>')" | vmdock deploy -
    within 5 ping -c 1 -W 1 -q 10.9.0.80
    vmdock deploy "$XML"
    same "$(ip netns exec "$VM" cat /sys/class/net/eth0/carrier)" 0
}

@test "a MAC that nobody gave is the same after a stop, and is not another VM's" {
    local first
    domain "device=$(nic)" >"$XML"
    vmdock deploy "$XML"
    first=$(ip -j -n "$VM" link show eth0 | jq -r '.[0].address')
    [[ $first == 52:54:00:* ]]
    vmdock cancel "$VM"
    vmdock deploy "$XML"
    same "$(ip -j -n "$VM" link show eth0 | jq -r '.[0].address')" "$first"
    vmdock purge "$VM"
    vmdock deploy "$XML"
    [ "$(ip -j -n "$VM" link show eth0 | jq -r '.[0].address')" != "$first" ]
}

@test "shares of the host's disks reach the engine" {
    local device=/dev/loop0
    [ -b "$device" ] || skip "there is no block device"
    domain "element=<blkiotune><device><path>$device</path><read_bytes_sec>1048576</read_bytes_sec><write_iops_sec>100</write_iops_sec></device></blkiotune>" >"$XML"
    vmdock deploy "$XML"
    same "$(docker inspect --format '{{json .HostConfig.BlkioDeviceReadBps}}' "$VM")" \
        "[{\"Path\":\"$device\",\"Rate\":1048576}]"
    dump "$BATS_TEST_TMPDIR/io.xml"
    vmdock deploy "$BATS_TEST_TMPDIR/io.xml"
}

@test "a VM of OpenNebula as domain XML" {
    deploy 81 nic=lab0,10.9.0.81 vcpu=2
    vmdock dumpxml one-81 >"$XML"
    valid "$XML"
    same "$(xmllint --xpath 'string(/domain/name)' "$XML")" one-81
    same "$(xmllint --xpath 'string(/domain/title)' "$XML")" "vm 81"
    same "$(xmllint --xpath 'string(/domain/devices/interface/ip/@address)' "$XML")" 10.9.0.81
    fails_with NO_VM "there is no VM $VM" vmdock dumpxml "$VM"
}

@test "the actions take such a VM as any other" {
    domain "device=$(nic)" | vmdock deploy -
    vmdock reboot "$VM"
    within 5 ping -c 1 -W 1 -q 10.9.0.80
    vmdock pause "$VM"
    vmdock resume "$VM"
    same "$(vmdock --json list | jq -r '.[] | "\(.vm) \(.cloud) \(.state)"')" "$VM libvirt running"
    vmdock reset "$VM"
    vmdock shutdown "$VM"
    same "$(docker inspect --format '{{.State.Status}}' "$VM")" exited
    vmdock purge "$VM"
    nothing_left
}

@test "what is no domain is one sentence" {
    fails_with SPEC "a domain of type kvm is no container" vmdock deploy <(echo '<domain type="kvm"><name>x</name></domain>')
    fails_with SPEC "the XML cannot be read" vmdock deploy <(echo '<domain type="lxc">')
    fails_with SPEC "NIC 0: its source names no bridge" vmdock explain <(domain 'device=<interface type="bridge"/>')
    nothing_left
}
