# SPDX-License-Identifier: Apache-2.0
"""Resize, cold migration and evacuation, between two hosts on one engine."""

from __future__ import annotations

import base
from base import Container, run, wait


class InPlace(base.NovaTest):
    """A resize on the host where the instance is."""

    def setUp(self) -> None:
        super().setUp()
        self.flags(allow_resize_to_same_host=True)
        self.server = self.boot([self.make_port(51)])
        self.there = self.container(self.server)
        self.there.sh('echo kept > /root/file')
        self.larger = self.make_flavor(ram=96, vcpus=2)

    def check(self, megabytes: int) -> None:
        self.assertEqual('running', self.there.status)
        self.assertEqual(megabytes << 20,
                         self.there.inspect()['HostConfig']['Memory'])
        self.assertEqual('kept', self.there.sh('cat /root/file'))
        self.assertIn('192.168.1.51/24', self.there.addresses('eth0'))

    def test_confirm(self) -> None:
        self.act(self.server, 'resize', {'flavorRef': self.larger},
                 'VERIFY_RESIZE')
        self.check(96)
        self.act(self.server, 'confirmResize', state='ACTIVE')
        self.idle(self.server)
        self.check(96)
        self.delete(self.server)
        self.assert_nothing_left()

    def test_revert(self) -> None:
        self.act(self.server, 'resize', {'flavorRef': self.larger},
                 'VERIFY_RESIZE')
        self.act(self.server, 'revertResize', state='ACTIVE')
        self.idle(self.server)
        self.check(64)
        self.delete(self.server)
        self.assert_nothing_left()

    def test_of_a_stopped_instance(self) -> None:
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.act(self.server, 'resize', {'flavorRef': self.larger},
                 'VERIFY_RESIZE')
        self.assertEqual('exited', self.there.status)
        self.act(self.server, 'confirmResize', state='SHUTOFF')
        self.act(self.server, 'os-start', state='ACTIVE')
        self.check(96)


class Moves(base.NovaTest):
    hosts = ('host1', 'host2')
    shared_engine = True
    # Who holds the pipes of what it runs open, to its end.
    command = ['sudo', '-n', base.SHIM]

    def setUp(self) -> None:
        super().setUp()
        self.server = self.boot([self.make_port(52)], host='host1')
        self.source = self.container_on(self.server, 'host1')
        self.dest = self.container_on(self.server, 'host2')
        self.source.sh('echo moved > /root/file')

    def check(self, there: Container, gone: Container | None) -> None:
        self.assertEqual('running', there.status)
        self.assertEqual('moved', there.sh('cat /root/file'))
        self.assertIn('192.168.1.52/24', there.addresses('eth0'))
        if gone:
            self.assertFalse(gone.exists())

    def test_migrate_and_confirm(self) -> None:
        self.act(self.server, 'migrate', {'host': 'host2'}, 'VERIFY_RESIZE')
        self.check(self.dest, None)
        self.assertEqual('exited', self.source.status)
        self.assertIn(self.server['id'], self.dest.sh(
            'cat /mnt/config/openstack/latest/meta_data.json'))
        self.act(self.server, 'confirmResize', state='ACTIVE')
        self.idle(self.server)
        self.check(self.dest, self.source)
        self.delete(self.server)
        self.assert_nothing_left()

    def test_migrate_and_revert(self) -> None:
        self.act(self.server, 'migrate', {'host': 'host2'}, 'VERIFY_RESIZE')
        self.dest.sh('echo lost > /root/file')
        self.act(self.server, 'revertResize', state='ACTIVE')
        self.idle(self.server)
        self.check(self.source, self.dest)
        self.delete(self.server)
        self.assert_nothing_left()

    def test_disk_that_cannot_be_sent(self) -> None:
        """The instance is back as if nothing had been asked."""
        self.flags(ssh=['false'], group='vmdock')
        driver = self.computes['host1'].manager.driver
        driver.get_host_ip_addr = lambda: '192.0.2.1'
        self.act(self.server, 'migrate', {'host': 'host2'})
        self.idle(self.server)
        self._wait_for_state_change(self.server, 'ACTIVE')
        self.check(self.source, self.dest)

    def test_evacuate(self) -> None:
        self.lose('host1')
        run('docker', 'kill', self.source.name)
        run('sh', '-c', 'ip link del "$(ls /sys/class/net | grep ^tap)"')
        self.act(self.server, 'evacuate', {'host': 'host2'})
        self.idle(self.server)
        self._wait_for_state_change(self.server, 'ACTIVE')
        self.assertEqual('running', self.dest.status)
        self.assertIn('192.168.1.52/24', self.dest.addresses('eth0'))
        # Its disk was on the host that is lost.
        self.assertEqual('', self.dest.sh('ls /root'))
        # The host that comes back clears up what it has no more.
        self.find('host1')
        wait('no container', 10, lambda: not self.source.exists())
        self.assertEqual('running', self.dest.status)

    def test_each_host_lists_its_own(self) -> None:
        for host, count in (('host1', 1), ('host2', 0)):
            driver = self.computes[host].manager.driver
            self.assertEqual(count, len(driver.list_instance_uuids()))
