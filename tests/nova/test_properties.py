# SPDX-License-Identifier: Apache-2.0
"""What an image and a flavor ask for, as the kernel has it then.

Each that doc/nova.md names is here, by both ways where there are both.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from typing import Any

import base
from base import Container, cgroup_file, run

DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                        '../../doc/nova.md')
# Says what it is told, and how it is asked to stop.
TELLS = ('trap "echo caught; exit 0" USR1; echo "as $(id -un)";'
         'echo "in $(pwd)"; echo "with $COLOUR"; while :; do sleep 0.1; done')
IMAGE = {
    'command': json.dumps([TELLS]), 'entrypoint': 'sh -c',
    'env': 'COLOUR=red', 'user': 'guest', 'workdir': '/tmp',
    'terminal': 'yes', 'init': 'yes', 'stop_signal': 'USR1',
    'stop_timeout': '30', 'pids_limit': '50', 'readonly_root': 'yes',
    'tmpfs': '/srv:size=1m', 'filter': 'spoofing'}
FLAVOR = {
    'command': 'sh -c ' + shlex.quote(TELLS.replace('USR1', 'USR2')),
    'entrypoint': '[]', 'env': '{"COLOUR": "blue"}', 'user': '0:0',
    'workdir': '/var', 'terminal': 'no', 'init': 'no', 'stop_signal': 'USR2',
    'stop_timeout': '40', 'pids_limit': '70', 'readonly_root': 'no',
    'tmpfs': '/var/log:size=2m', 'filter': 'off'}
FOR_FLAVORS = {'cap_add': 'NET_ADMIN', 'devices': '/dev/fuse:/dev/mine:rw',
               'privileged': 'yes'}
DISK = {kind + '_' + what for kind in ('read', 'write', 'total')
        for what in ('bytes_sec', 'iops_sec')}
NET_ADMIN = 1 << 12


class PropertyTest(base.NovaTest):

    def setUp(self) -> None:
        super().setUp()
        self.port = self.make_port(111)

    def start(self, image: dict[str, str], flavor: dict[str, str],
              **more: Any) -> Container:
        self.image = self.reference_image(**{
            'vmdock_' + name: value for name, value in image.items()})
        self.flavor = self.make_flavor(**flavor, **more)
        self.server = self.boot([self.port])
        return self.container(self.server)

    @staticmethod
    def file(there: Container, name: str) -> str:
        with open('/proc/%d/%s' % (there.pid, name),
                  encoding='utf-8') as file:
            return file.read()

    @staticmethod
    def link(there: Container, name: str) -> str:
        return os.readlink('/proc/%d/%s' % (there.pid, name))

    def status(self, there: Container, name: str) -> str:
        return re.findall(r'^%s:\s+(\S+)' % name,
                          self.file(there, 'status'), re.M)[0]

    def capabilities(self, there: Container) -> int:
        return int(self.status(there, 'CapBnd'), 16)

    def mounts(self, there: Container) -> dict[str, list[str]]:
        """Kind and options by the place."""
        found = {}
        for line in self.file(there, 'mounts').splitlines():
            _, place, kind, options, *_ = line.split()
            found[place] = [kind, *options.split(',')]
        return found

    def is_filtered(self) -> bool:
        return ('tap' + self.port['id'])[:14] in run(
            'nft', 'list', 'ruleset')

    def stop(self, there: Container) -> str:
        """What it has said when it has been asked to."""
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.assertEqual(0, there.inspect()['State']['ExitCode'])
        return run('docker', 'logs', there.name)


class Attributes(PropertyTest):

    def test_of_an_image(self) -> None:
        there = self.start(IMAGE, {})
        found = there.inspect()
        self.assertEqual(['sh', '-c'], found['Config']['Entrypoint'])
        self.assertEqual([TELLS], found['Config']['Cmd'])
        self.assertEqual('1000', self.status(there, 'Uid'))
        self.assertEqual('/tmp', self.link(there, 'cwd'))
        self.assertIn('COLOUR=red', self.file(there, 'environ').split('\0'))
        self.assertEqual('docker-init', self.status(there, 'Name'))
        self.assertRegex(self.link(there, 'fd/1'), '^/dev/(pts/|console)')
        self.assertEqual(30, found['Config']['StopTimeout'])
        self.assertEqual('50', cgroup_file(there.pid, 'pids.max',
                                           'pids/pids.max'))
        mounts = self.mounts(there)
        self.assertIn('ro', mounts['/'])
        self.assertIn('size=1024k', mounts['/srv'])
        self.assertTrue(self.is_filtered())
        said = self.stop(there)
        for words in ('as guest', 'in /tmp', 'with red', 'caught'):
            self.assertIn(words, said)

    def test_the_flavor_wins(self) -> None:
        there = self.start(IMAGE, {
            'vmdock__' + name: value for name, value in FLAVOR.items()})
        found = there.inspect()
        self.assertFalse(found['Config']['Entrypoint'])
        self.assertEqual(['sh', '-c', TELLS.replace('USR1', 'USR2')],
                         found['Config']['Cmd'])
        self.assertEqual('0', self.status(there, 'Uid'))
        self.assertEqual('/var', self.link(there, 'cwd'))
        self.assertIn('COLOUR=blue', self.file(there, 'environ').split('\0'))
        self.assertNotIn('COLOUR=red', self.file(there, 'environ'))
        self.assertEqual('sh', self.status(there, 'Name'))
        self.assertRegex(self.link(there, 'fd/1'), '^pipe:')
        self.assertEqual(40, found['Config']['StopTimeout'])
        self.assertEqual('70', cgroup_file(there.pid, 'pids.max',
                                           'pids/pids.max'))
        mounts = self.mounts(there)
        self.assertIn('rw', mounts['/'])
        self.assertNotIn('/srv', mounts)
        self.assertIn('size=2048k', mounts['/var/log'])
        self.assertFalse(self.is_filtered())
        said = self.stop(there)
        for words in ('as root', 'in /var', 'with blue', 'caught'):
            self.assertIn(words, said)

    def test_command_of_nova_s_own(self) -> None:
        """It is the image's; vmdock_command wins over it."""
        self.image = self.reference_image(os_command_line='sleep 1001')
        there = self.container(self.boot([]))
        self.assertEqual('sleep\x001001\0', self.file(there, 'cmdline'))
        self.image = self.reference_image(os_command_line='sleep 1001',
                                          vmdock_command='sleep 1002')
        there = self.container(self.boot([]))
        self.assertEqual('sleep\x001002\0', self.file(there, 'cmdline'))

    def test_each_documented_one_is_here(self) -> None:
        with open(DOCUMENT, encoding='utf-8') as file:
            text = file.read().split('## 6. ')[1].split('\n## ')[0]
        rows = re.findall(r'^\| `(\w+)`[^|]*\| ([^|]*) \|', text, re.M)
        names = {name for name, _ in rows}
        self.assertEqual({*IMAGE, *FOR_FLAVORS}, names)
        self.assertEqual(set(IMAGE), set(FLAVOR))
        for name, where in rows:
            self.assertEqual(name in IMAGE, 'image' in where, name)


class Allowed(PropertyTest):
    """What a host must allow, and a flavor alone may ask for."""

    def asked(self) -> dict[str, str]:
        return {'vmdock__' + name: value
                for name, value in FOR_FLAVORS.items()}

    def test_an_image_may_not(self) -> None:
        self.configure('policy', 'capabilities = NET_ADMIN\n'
                       'devices = /dev/fuse\nprivileged = yes')
        there = self.start(FOR_FLAVORS, {})
        self.assertFalse(self.capabilities(there) & NET_ADMIN)
        self.assertFalse(there.inspect()['HostConfig']['Privileged'])
        self.assertEqual('', there.sh('ls /dev/mine 2>/dev/null; :'))
        for name in FOR_FLAVORS:
            self.assertIn('vmdock_%s is not honoured: it is for the flavor '
                          'to ask for' % name, self.stdlog.logger.output)

    def test_the_host_must(self) -> None:
        for name, value in self.asked().items():
            self.flavor = self.make_flavor(**{name: value})
            server = self.boot([self.port], 'ERROR')
            fault = self.api.get_server(server['id'])['fault']
            self.assertRegex(fault['message'],
                             r'(allow|\[policy\])', fault['message'])
            self.assert_nothing_left()
            self.delete(server)

    def test_capability(self) -> None:
        self.configure('policy', 'capabilities = NET_ADMIN')
        there = self.start({}, {}, vmdock__cap_add='NET_ADMIN')
        self.assertTrue(self.capabilities(there) & NET_ADMIN)
        there.sh('ip link set eth0 mtu 1400')
        self.assertEqual(1400, there.links()['eth0']['mtu'])

    def test_device(self) -> None:
        self.configure('policy', 'devices = /dev/fuse')
        there = self.start({}, {}, vmdock__devices=FOR_FLAVORS['devices'])
        own = os.stat('/dev/fuse').st_rdev
        self.assertEqual('%x %x' % (os.major(own), os.minor(own)),
                         there.sh('stat -c "%t %T" /dev/mine'))
        there.sh('exec 3<>/dev/mine')

    def test_privileged(self) -> None:
        self.configure('policy', 'privileged = yes')
        plain = subprocess.run(
            ['docker', 'run', '--rm', '--privileged', '--network', 'none',
             base.IMAGE, 'true'], capture_output=True, text=True)
        if plain.returncode:
            # A machine that has not everything itself: the engine has asked
            # for it, and says so in the same words. What docker says after
            # that, of what it waits for, comes or does not.
            self.refused(re.findall('runc create failed: (.*)$', plain.stderr,
                                    re.M)[0])
            return
        there = self.start({}, {}, vmdock__privileged='yes')
        with open('/proc/self/status', encoding='utf-8') as file:
            most = re.findall(r'^CapBnd:\s+(\S+)', file.read(), re.M)[0]
        self.assertEqual(int(most, 16), self.capabilities(there))

    def refused(self, words: str) -> None:
        self.flavor = self.make_flavor(vmdock__privileged='yes')
        server = self.boot([self.port], 'ERROR')
        self.assertIn(words.strip().rstrip('.'), self.stdlog.logger.output)
        self.assert_nothing_left()
        self.delete(server)


class Quotas(PropertyTest):

    def test_cpu(self) -> None:
        there = self.start({}, {}, vcpus=2, quota__cpu_shares='512',
                           quota__cpu_period='50000',
                           quota__cpu_quota='25000')
        found = there.inspect()['HostConfig']
        self.assertEqual(512, found['CpuShares'])
        # Half the time of each of two.
        limit = cgroup_file(there.pid, 'cpu.max', 'cpu/cpu.cfs_quota_us')
        self.assertEqual('100000', limit.split()[0])
        weight = int(cgroup_file(there.pid, 'cpu.weight', 'cpu/cpu.shares'))
        # As runc and crun turn shares into weights.
        self.assertIn(weight, (512, 1 + (512 - 2) * 9999 // 262142, 59))

    def rate(self, link: str) -> set[int]:
        """Bytes a second of its token buckets."""
        return {one['options']['rate'] for one in json.loads(
            run('tc', '-json', 'qdisc', 'show', 'dev', link))
            if one['kind'] == 'tbf'}

    def test_network(self) -> None:
        self.start({}, {}, quota__vif_inbound_average='1000',
                   quota__vif_inbound_peak='4000',
                   quota__vif_inbound_burst='64',
                   quota__vif_outbound_average='2000')
        shaped = {link['ifname']: self.rate(link['ifname'])
                  for link in json.loads(run('ip', '-json', 'link'))
                  if self.rate(link['ifname'])}
        host_end = ('tap' + self.port['id'])[:14]
        self.assertEqual({1000000}, shaped.pop(host_end))
        self.assertEqual([{2000000}], list(shaped.values()))

    def limits(self, there: Container) -> dict[str, str]:
        return {kind: value for (_, kind), value
                in base.disk_limits(there).items()}

    def test_disk_total(self) -> None:
        there = self.start({}, {}, quota__disk_total_bytes_sec='10485760',
                           quota__disk_total_iops_sec='300')
        self.assertEqual({'read_bps': '10485760', 'write_bps': '10485760',
                          'read_iops': '300', 'write_iops': '300'},
                         self.limits(there))

    def test_disk_of_image_and_flavor(self) -> None:
        """By vmdock's own names; of several numbers the smallest."""
        low = {name: str(1000 + number)
               for number, name in enumerate(sorted(DISK))}
        wanted = {'read_bps': low['read_bytes_sec'],
                  'write_bps': low['total_bytes_sec'],
                  'read_iops': low['read_iops_sec'],
                  'write_iops': low['total_iops_sec']}
        high = {name: '5000000' for name in low}
        for image, flavor in ((low, high), (high, low)):
            there = self.start(
                {'disk_' + name: value for name, value in image.items()},
                {'vmdock__disk_' + name: value
                 for name, value in flavor.items()})
            self.assertEqual(wanted, self.limits(there))
            self.delete(self.server)
