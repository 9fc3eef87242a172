# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch in user space, plugged by os-vif: native and hybrid."""

from __future__ import annotations

import os
from typing import Any

import base
from base import run, wait

FOLDER = '/run/openvswitch'


class OpenVSwitch(base.NovaTest):

    def setUp(self) -> None:
        self.start_switch()
        # Hybrid bridges pass the packet filter, whose policy the engine has
        # set: vmdock-setup mends it on a host.
        run('iptables', '-P', 'FORWARD', 'ACCEPT')
        self.addCleanup(run, 'iptables', '-P', 'FORWARD', 'DROP')
        super().setUp()

    def start_switch(self) -> None:
        os.makedirs(FOLDER, exist_ok=True)
        run('rm', '-f', FOLDER + '/conf.db')
        run('ovsdb-tool', 'create', FOLDER + '/conf.db',
            '/usr/share/openvswitch/vswitch.ovsschema')
        run('ovsdb-server', FOLDER + '/conf.db', '--detach', '--no-chdir',
            '--remote=punix:%s/db.sock' % FOLDER,
            '--remote=ptcp:6640:127.0.0.1', '--log-file=/dev/null',
            '--pidfile=%s/ovsdb-server.pid' % FOLDER)
        self.addCleanup(self.end, 'ovsdb-server')
        run('ovs-vsctl', '--no-wait', 'init')
        run('ovs-vswitchd', '--detach', '--no-chdir', '--log-file=/dev/null',
            '--pidfile=%s/ovs-vswitchd.pid' % FOLDER)
        self.addCleanup(self.end, 'ovs-vswitchd')
        run('ovs-vsctl', 'add-br', 'br-int', '--', 'set', 'bridge', 'br-int',
            'datapath_type=netdev')
        self.addCleanup(run, 'ovs-vsctl', 'del-br', 'br-int')

    @staticmethod
    def end(name: str) -> None:
        with open('%s/%s.pid' % (FOLDER, name), encoding='ascii') as file:
            pid = int(file.read())
        os.kill(pid, 15)
        wait('its end', 10, lambda: not os.path.exists('/proc/%d' % pid))

    def ports(self) -> list[str]:
        return run('ovs-vsctl', 'list-ports', 'br-int').split()

    def port(self, number: int, hybrid: bool) -> Any:
        port = self.make_port(number)
        port['binding:vif_type'] = 'ovs'
        port['binding:vif_details'] = {
            'ovs_hybrid_plug': hybrid, 'bridge_name': 'br-int',
            'datapath_type': 'netdev'}
        return port

    @staticmethod
    def reach(there: base.Container) -> None:
        """The switch takes up a new port after a moment."""
        wait('an answer', 20, lambda: ', 0% packet loss' in run(
            'docker', 'exec', there.name, 'ping', '-c', '1', '-W', '1',
            '192.168.1.62', check=False))

    def check(self, hybrid: bool) -> None:
        first, second = self.port(61, hybrid), self.port(62, hybrid)
        one, other = self.boot([first]), self.boot([second])
        there = self.container(one)
        name = (('qvo' if hybrid else 'tap') + first['id'])[:14]
        self.assertIn(name, self.ports())
        found = run('ovs-vsctl', 'get', 'interface', name, 'external_ids')
        self.assertIn('iface-id="%s"' % first['id'], found)
        self.assertIn('attached-mac="%s"' % first['mac_address'], found)
        self.assertIn('vm-uuid="%s"' % one['id'], found)
        self.assertIn('iface-status=active', found)
        self.assertIn('192.168.1.61/24', there.addresses('eth0'))
        self.reach(there)
        self.container(other).sh(
            '(echo hello | nc -l -p 80) >/dev/null 2>&1 &')
        wait('hello', 10, lambda: 'hello' in run(
            'docker', 'exec', there.name, 'nc', '-w', '2', '192.168.1.62',
            '80', check=False))
        self.act(one, 'os-stop', state='SHUTOFF')
        self.act(one, 'os-start', state='ACTIVE')
        self.reach(there)
        self.delete(one)
        self.delete(other)
        self.assertEqual([], self.ports())
        self.assert_nothing_left()

    def test_native(self) -> None:
        self.check(hybrid=False)

    def test_hybrid(self) -> None:
        self.check(hybrid=True)
