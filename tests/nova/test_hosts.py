# SPDX-License-Identifier: Apache-2.0
"""Resize and cold migration between two hosts with an engine each."""

from __future__ import annotations

import twohosts
from base import Container


class OverSsh(twohosts.TwoHosts):

    def setUp(self) -> None:
        super().setUp()
        self.server = self.boot([self.make_port(81)], host='host1')
        self.one = self.container_at(self.server, 'host1')
        self.two = self.container_at(self.server, 'host2')
        self.one.sh('echo kept > /root/file')

    def check(self, there: Container, megabytes: int = 64) -> None:
        self.assertEqual('running', there.status)
        self.assertEqual('kept', there.sh('cat /root/file'))
        self.assertEqual(megabytes << 20,
                         there.inspect()['HostConfig']['Memory'])
        self.assertIn('192.168.1.81/24', there.addresses('eth0'))
        self.assertEqual('fa:16:3e:00:00:51',
                         there.links()['eth0']['address'])

    def test_resize_and_migrate(self) -> None:
        """Reverted; confirmed; and back to the first host."""
        larger = self.make_flavor(ram=96, vcpus=2)
        resize = {'flavorRef': larger}
        self.act(self.server, 'resize', resize, 'VERIFY_RESIZE')
        self.check(self.two, 96)
        self.two.sh('echo lost > /root/file')
        self.assertEqual('exited', self.one.status)
        self.act(self.server, 'revertResize', state='ACTIVE')
        self.idle(self.server)
        self.check(self.one)
        self.assertFalse(self.two.exists())

        self.act(self.server, 'resize', resize, 'VERIFY_RESIZE')
        self.act(self.server, 'confirmResize', state='ACTIVE')
        self.idle(self.server)
        self.check(self.two, 96)
        self.assertFalse(self.one.exists())

        self.act(self.server, 'migrate', {'host': 'host1'}, 'VERIFY_RESIZE')
        self.act(self.server, 'confirmResize', state='ACTIVE')
        self.idle(self.server)
        self.check(self.one, 96)
        self.assertFalse(self.two.exists())
        self.delete(self.server)
        self.assert_nothing_left()
