# SPDX-License-Identifier: Apache-2.0
"""An instance's NICs, seen in its namespace and on the bridge."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import base
from base import run, wait

FRAMES = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      '../lib/frames')


def host_end(port: dict[str, str]) -> str:
    return ('tap' + port['id'])[:14]


class Network(base.NovaTest):

    def master(self, port: dict[str, str]) -> str:
        found = json.loads(run('ip', '-json', 'link', 'show',
                               host_end(port)))
        return found[0].get('master', '')

    def test_addresses_routes_and_servers(self) -> None:
        self.neutron.subnet_1.update(
            host_routes=[{'destination': '10.77.0.0/16',
                          'nexthop': '192.168.1.254'}],
            dns_nameservers=['192.0.2.53'])
        self.neutron.subnet_ipv6_1.update(
            host_routes=[{'destination': 'fd77::/48',
                          'nexthop': 'fd37:44e8:ad06::fe'}],
            dns_nameservers=['2001:db8::53'])
        for subnet in (self.neutron.subnet_1, self.neutron.subnet_ipv6_1):
            self.addCleanup(subnet.update, host_routes=[],
                            dns_nameservers=[])
        first, second = self.make_port(31), self.make_port(32, dual=False)
        server = self.boot([first, second])
        container = self.container(server)
        links = container.links()
        self.assertEqual(['eth0', 'eth1', 'lo'], sorted(links))
        for name, port in (('eth0', first), ('eth1', second)):
            self.assertEqual(port['mac_address'], links[name]['address'])
            self.assertEqual(1450, links[name]['mtu'])
            self.assertIn('UP', links[name]['flags'])
            self.assertEqual(self.bridge, self.master(port))
        self.assertEqual({'192.168.1.31/24', 'fd37:44e8:ad06::1f/64'},
                         container.addresses('eth0'))
        self.assertEqual({'192.168.1.32/24'}, container.addresses('eth1'))
        routes = run('ip', '-n', container.name, 'route')
        self.assertIn('default via 192.168.1.1 dev eth0', routes)
        self.assertIn('10.77.0.0/16 via 192.168.1.254 dev eth0', routes)
        routes = run('ip', '-n', container.name, '-6', 'route')
        self.assertIn('default via fd37:44e8:ad06::1 dev eth0', routes)
        self.assertIn('fd77::/48 via fd37:44e8:ad06::fe dev eth0', routes)
        servers = container.sh('cat /etc/resolv.conf')
        self.assertIn('nameserver 192.0.2.53', servers)
        self.assertIn('nameserver 2001:db8::53', servers)
        self.delete(server)
        self.assert_nothing_left()

    def test_two_instances_reach_each_other(self) -> None:
        one = self.boot([self.make_port(33)])
        other = self.boot([self.make_port(34)])
        self.container(one).sh('ping -c 1 -W 3 192.168.1.34')
        self.container(other).sh('ping -6 -c 1 -W 3 fd37:44e8:ad06::21')

    def arrive(self, sender: base.Container, receiver: base.Container,
               *frames: str) -> list[str]:
        """The names of the frames that come through (tests/lib/frames)."""
        done = subprocess.run(
            [FRAMES, sender.name, 'eth0', receiver.name, 'eth0'],
            input='\n'.join(frames), stdout=subprocess.PIPE, text=True,
            check=True)
        return done.stdout.split()

    def assert_held(self, sender: base.Container,
                    receiver: base.Container) -> None:
        """To its own addresses."""
        self.assertEqual(['arp', 'four', 'six'], self.arrive(
            sender, receiver, 'arp arp op=2', 'four udp4', 'six udp6',
            'other-arp arp op=2 spa=192.168.1.1',
            'other-mac udp4 smac=fa:16:3e:00:00:99',
            'other-four udp4 src=192.168.1.1',
            'other-six udp6 src=fd37:44e8:ad06::1',
            'router icmp6 type=134', 'server udp4 sport=67 dport=68'))

    def test_own_filter(self) -> None:
        # Nova gives a compute driver no security groups: full is no more.
        self.configure('network', 'filter = full')
        port = self.make_port(38)
        server = self.boot([port])
        held = self.container(server)
        peer = self.container(self.boot([self.make_port(39)]))
        self.assert_held(held, peer)
        self.act(server, 'reboot', {'type': 'HARD'})
        self.idle(server)
        self.assert_held(held, peer)
        self.act(server, 'os-stop', state='SHUTOFF')
        self.assertNotIn(host_end(port), run('nft', 'list', 'ruleset'))
        self.act(server, 'os-start', state='ACTIVE')
        self.assert_held(held, peer)
        self.delete(server)
        self.assertNotIn(host_end(port), run('nft', 'list', 'ruleset'))

    def test_attach_and_detach(self) -> None:
        first, second = self.make_port(35), self.make_port(36)
        server = self.boot([first])
        container = self.container(server)
        self.api.attach_interface(server['id'], {
            'interfaceAttachment': {'port_id': second['id']}})
        wait('eth1', 10, lambda: 'eth1' in container.links())
        self.assertIn('192.168.1.36/24', container.addresses('eth1'))
        self.assertEqual(self.bridge, self.master(second))
        self.idle(server)
        self.act(server, 'reboot', {'type': 'HARD'})
        self.idle(server)
        self.assertIn('192.168.1.36/24', container.addresses('eth1'))
        self.api.detach_interface(server['id'], first['id'])
        wait('no eth0', 10, lambda: 'eth0' not in container.links())
        self.assertFalse(os.path.exists('/sys/class/net/' + host_end(first)))
        self.act(server, 'os-stop', state='SHUTOFF')
        self.act(server, 'os-start', state='ACTIVE')
        self.assertEqual(['eth1', 'lo'], sorted(container.links()))

    def tell_deleted(self, server: Any, port: Any) -> None:
        """As Neutron does of a port that goes, whoever has taken it out."""
        self.admin_api.api_post('/os-server-external-events', {'events': [{
            'name': 'network-vif-deleted', 'server_uuid': server['id'],
            'tag': port['id']}]}, check_response_status=[200, 404])

    def test_port_that_neutron_deletes(self) -> None:
        """Of which Nova hears more than once."""
        first, second = self.make_port(45), self.make_port(46)
        server = self.boot([first, second])
        container = self.container(server)
        driver = self.computes['host1'].manager.driver
        admin = base.context.get_admin_context()
        instance = base.nova.objects.Instance.get_by_uuid(
            admin, server['id'])
        vif = instance.get_network_info()[1]
        self.tell_deleted(server, second)
        wait('no eth1', 30, lambda: 'eth1' not in container.links())
        wait('no host end', 30, lambda: not os.path.exists(
            '/sys/class/net/' + host_end(second)))
        self.tell_deleted(server, second)
        driver.detach_interface(admin, instance, vif)
        self.assertIn('192.168.1.45/24', container.addresses('eth0'))
        self.api.detach_interface(server['id'], first['id'])
        wait('no eth0', 30, lambda: 'eth0' not in container.links())
        self.tell_deleted(server, first)
        self.assertEqual('ACTIVE', self.idle(server)['status'])
        self.assertEqual(['lo'], sorted(container.links()))
        self.delete(server)
        self.tell_deleted(server, first)
        self.assert_nothing_left()
        self.assertNotIn('InterfaceDetachFailed', self.stdlog.logger.output)

    def test_attach_to_a_stopped_instance(self) -> None:
        server = self.boot([self.make_port(37)])
        self.act(server, 'os-stop', state='SHUTOFF')
        port = self.make_port(38)
        self.api.attach_interface(server['id'], {
            'interfaceAttachment': {'port_id': port['id']}})
        self.idle(server)
        self.act(server, 'os-start', state='ACTIVE')
        self.assertIn('192.168.1.38/24',
                      self.container(server).addresses('eth1'))

    def test_plugged_event_is_waited_for(self) -> None:
        """The instance starts when Neutron has plugged its NICs."""
        self.flags(vif_plugging_timeout=20)
        port = self.make_port(39, active=False)
        server = self.boot([port], state=None)
        container = self.container(server)
        wait('the host end', 10, lambda: os.path.exists(
            '/sys/class/net/' + host_end(port)))
        wait('the container', 10, container.exists)
        self.assertEqual('created', container.status)
        self.announce_when_plugged(server, port)
        self._wait_for_state_change(server, 'ACTIVE')
        self.assertEqual('running', container.status)

    def test_event_that_never_comes(self) -> None:
        self.flags(vif_plugging_timeout=2)
        server = self.boot([self.make_port(40, active=False)], 'ERROR')
        self.assert_nothing_left()
        self.delete(server)

    def test_event_that_never_comes_is_not_fatal(self) -> None:
        self.flags(vif_plugging_timeout=2, vif_plugging_is_fatal=False)
        server = self.boot([self.make_port(41, active=False)])
        self.assertEqual('running', self.container(server).status)

    def test_plugging_that_fails(self) -> None:
        self.flags(vif_plugging_timeout=20)
        port = self.make_port(42, active=False)
        server = self.boot([port], state=None)
        self.announce_when_plugged(server, port, 'failed')
        self._wait_for_state_change(server, 'ERROR')
        self.assert_nothing_left()

    def test_bridge_that_is_none(self) -> None:
        """The port names a link that no NIC can be plugged into."""
        self.flags(max_attempts=1, group='scheduler')
        port = self.make_port(43)
        details = {'bridge_name': 'lo'}
        port['binding:vif_details'] = details
        server = self.boot([port], 'ERROR')
        self.assert_nothing_left()
        self.delete(server)

    def test_start_of_the_service_plugs_again(self) -> None:
        port = self.make_port(44)
        server = self.boot([port])
        container = self.container(server)
        started = container.inspect()['State']['StartedAt']
        self.computes['host1'].stop()
        run('ip', 'link', 'del', host_end(port))
        self.computes['host1'].start()
        wait('its addresses', 10, lambda: 'eth0' in container.links() and
             '192.168.1.44/24' in container.addresses('eth0'))
        self.assertEqual(self.bridge, self.master(port))
        self.assertEqual(started, container.inspect()['State']['StartedAt'])
