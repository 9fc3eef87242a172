# SPDX-License-Identifier: Apache-2.0
"""Neutron's word on NICs: which operations wait for it, and which do not.

It is as with libvirt. What Neutron has seen go it sees come: a new instance,
one that is unshelved, or brought back to the host that it had left. Of NICs
that were only away for a moment it may have nothing to say; a hard reboot and
a start wait for it where an option says that it has.
"""

from __future__ import annotations

import os
from typing import Any

import base
from base import Container, run, wait

ASK = 'wait_for_vif_plugged_event_during_hard_reboot'


def host_end(port: dict[str, str]) -> str:
    return '/sys/class/net/' + ('tap' + port['id'])[:14]


class PluggingTest(base.NovaTest):
    number = 101

    def setUp(self) -> None:
        super().setUp()
        self.flags(vif_plugging_timeout=30)
        self.port = self.make_port(self.number)
        self.server = self.boot([self.port], host=self.hosts[0])
        self.there = self.begin()
        self.there.sh('echo kept > /root/file')

    def begin(self) -> Container:
        return self.container(self.server)

    def down(self) -> None:
        """To Neutron the port is down from here on."""
        self.port['status'] = 'DOWN'

    def announce(self, status: str = 'completed') -> None:
        self.admin_api.api_post('/os-server-external-events', {'events': [{
            'name': 'network-vif-plugged', 'server_uuid': self.server['id'],
            'tag': self.port['id'], 'status': status}]})

    def wait_until_plugged(self, there: Container | None = None) -> None:
        """All is there, and the container does not run."""
        there = there or self.there
        wait('a container that waits', 20, lambda: os.path.exists(
            host_end(self.port)) and there.exists() and
            there.status in ('created', 'exited') and
            there.name in run('ip', 'netns').split())

    def check(self, there: Container | None = None,
              content: str = 'kept') -> None:
        there = there or self.there
        self.assertEqual('ACTIVE', self.idle(self.server)['status'])
        self.assertEqual('running', there.status)
        self.assertEqual(content, there.sh('cat /root/file; :'))
        self.assertIn('192.168.1.%d/24' % self.number,
                      there.addresses('eth0'))

    def ends(self, there: Container | None = None) -> None:
        """Once Neutron has spoken, and not before."""
        self.wait_until_plugged(there)
        self.announce()
        self._wait_for_state_change(self.server, 'ACTIVE')
        self.check(there)

    def finish(self) -> None:
        self.delete(self.server)
        self.assert_nothing_left(cached=True)


class Waits(PluggingTest):

    def test_unshelve(self) -> None:
        self.flags(shelved_offload_time=0)
        self.act(self.server, 'shelve', state='SHELVED_OFFLOADED')
        self.down()
        self.act(self.server, 'unshelve')
        self.ends()
        self.finish()

    def test_unshelve_without_a_word(self) -> None:
        self.flags(shelved_offload_time=0)
        self.act(self.server, 'shelve', state='SHELVED_OFFLOADED')
        self.down()
        self.flags(vif_plugging_timeout=1)
        self.act(self.server, 'unshelve')
        wait('its end', 30, lambda: not self.there.exists())
        self.assertEqual('SHELVED_OFFLOADED', self.idle(self.server)['status'])
        self.assert_nothing_left(cached=True)

    def reboot(self) -> None:
        self.act(self.server, 'reboot', {'type': 'HARD'})

    def ask(self, **flags: Any) -> None:
        self.flags(**{ASK: ['normal']}, group='workarounds')
        self.flags(**flags)

    def test_hard_reboot(self) -> None:
        self.ask()
        began = self.there.inspect()['State']['StartedAt']
        self.reboot()
        self.ends()
        self.assertNotEqual(began, self.there.inspect()['State']['StartedAt'])
        self.finish()

    def test_hard_reboot_of_a_stopped_instance(self) -> None:
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.ask()
        self.reboot()
        self.ends()

    def test_hard_reboot_without_a_word(self) -> None:
        """The instance is off then, and its files are there."""
        self.ask(vif_plugging_timeout=1)
        self.reboot()
        self._wait_for_state_change(self.server, 'ERROR')
        self.assertEqual('exited', self.there.status)
        self.assertFalse(os.path.exists(host_end(self.port)))
        self.assertNotIn(self.there.name, run('ip', 'netns'))
        self.flags(vif_plugging_timeout=30)
        self.reboot()
        self.ends()
        self.finish()

    def test_hard_reboot_without_a_word_that_must_be(self) -> None:
        self.ask(vif_plugging_timeout=1, vif_plugging_is_fatal=False)
        self.reboot()
        wait('an end', 30, lambda: 'has not plugged its NICs in time'
             in self.stdlog.logger.output)
        self.check()

    def test_hard_reboot_with_a_bad_word(self) -> None:
        self.ask()
        self.reboot()
        self.wait_until_plugged()
        self.announce('failed')
        self._wait_for_state_change(self.server, 'ERROR')
        self.assertEqual('exited', self.there.status)

    def test_start(self) -> None:
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.ask()
        self.act(self.server, 'os-start')
        self.ends()
        self.finish()

    def test_start_without_a_word(self) -> None:
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.ask(vif_plugging_timeout=1)
        self.act(self.server, 'os-start')
        wait('the failure', 30, lambda: self.idle(
            self.server)['OS-EXT-STS:vm_state'] == 'stopped' and
            'VirtualInterfaceCreateException' in self.stdlog.logger.output)
        self.assertEqual('exited', self.there.status)
        self.assertFalse(os.path.exists(host_end(self.port)))
        self.flags(vif_plugging_timeout=30)
        self.act(self.server, 'os-start')
        self.ends()

    def test_start_of_what_runs(self) -> None:
        """There is nothing to plug, and nothing is waited for."""
        self.ask(vif_plugging_timeout=120)
        driver = self.computes['host1'].manager.driver
        admin = base.context.get_admin_context()
        instance = base.nova.objects.Instance.get_by_uuid(
            admin, self.server['id'])
        began = self.there.inspect()['State']['StartedAt']
        driver.power_on(admin, instance, instance.get_network_info())
        self.assertEqual(began, self.there.inspect()['State']['StartedAt'])
        self.check()


class DoesNotWait(PluggingTest):
    """Though Neutron says that the port is down. Had one of them waited, it
    would have failed."""

    def setUp(self) -> None:
        super().setUp()
        self.down()
        self.flags(vif_plugging_timeout=1)

    def test_operations(self) -> None:
        for action, argument, state in (
                ('reboot', {'type': 'SOFT'}, 'ACTIVE'),
                ('reboot', {'type': 'HARD'}, 'ACTIVE'),
                ('os-stop', None, 'SHUTOFF'), ('os-start', None, 'ACTIVE'),
                ('suspend', None, 'SUSPENDED'), ('resume', None, 'ACTIVE'),
                ('pause', None, 'PAUSED'), ('unpause', None, 'ACTIVE'),
                ('rescue', None, 'RESCUE'), ('unrescue', None, 'ACTIVE')):
            self.act(self.server, action, argument)
            self.idle(self.server)
            self._wait_for_state_change(self.server, state)
        self.check()

    def test_resize(self) -> None:
        self.flags(allow_resize_to_same_host=True)
        self.act(self.server, 'resize', {
            'flavorRef': self.make_flavor(ram=96)}, 'VERIFY_RESIZE')
        self.act(self.server, 'confirmResize', state='ACTIVE')
        self.check()


class HostBoot(PluggingTest):
    """nova-compute starts, and sees what has become of its instances."""

    def begin_again(self, *command: str, resume: bool = True) -> None:
        self.computes['host1'].stop()
        run('docker', *command, self.there.name)
        self.flags(resume_guests_state_on_host_boot=resume)
        self.computes['host1'].start()

    def test_stopped(self) -> None:
        self.begin_again('kill')
        wait('a running container', 20,
             lambda: self.there.status == 'running')
        self.check()

    def test_frozen(self) -> None:
        """By somebody who will know why."""
        began = self.there.inspect()['State']['StartedAt']
        self.begin_again('pause')
        self.assertEqual('paused', self.there.status)
        run('docker', 'unpause', self.there.name)
        self.assertEqual(began, self.there.inspect()['State']['StartedAt'])
        self.check()

    def assert_plugged_in_peace(self) -> None:
        self.assertEqual('up', self.admin_api.get_services(
            binary='nova-compute', host='host1')[0]['state'])
        self.assertNotRegex(self.stdlog.logger.output,
                            '(?i)plug.* failed|failed to plug')

    def test_off(self) -> None:
        """By its owner's will: its NICs are plugged when it starts."""
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.begin_again('inspect')
        self.assert_plugged_in_peace()
        self.assertEqual('exited', self.there.status)
        self.assertEqual('SHUTOFF', self.idle(self.server)['status'])
        self.act(self.server, 'os-start', state='ACTIVE')
        self.check()

    def test_missing(self) -> None:
        """It has no files any more; a rebuild makes it anew."""
        self.begin_again('rm', '-f', resume=False)
        self.assert_plugged_in_peace()
        self.assertIn('it has no container to plug',
                      self.stdlog.logger.output)
        self.act(self.server, 'reboot', {'type': 'HARD'}, 'ERROR')
        self.idle(self.server)
        self.act(self.server, 'rebuild', {'imageRef': self.image})
        self._wait_for_state_change(self.server, 'ACTIVE')
        self.check(content='')
        self.finish()

    def test_missing_is_deleted(self) -> None:
        self.begin_again('rm', '-f', resume=False)
        self.finish()


class Moves(PluggingTest):
    hosts = ('host1', 'host2')
    shared_engine = True

    def begin(self) -> Container:
        self.dest = self.container_on(self.server, 'host2')
        return self.container_on(self.server, 'host1')

    def migrate(self) -> None:
        self.act(self.server, 'migrate', {'host': 'host2'}, 'VERIFY_RESIZE')

    def test_there_it_does_not_wait(self) -> None:
        self.down()
        self.flags(vif_plugging_timeout=1)
        self.migrate()
        self.assertEqual('running', self.dest.status)

    def test_back_it_waits(self) -> None:
        self.migrate()
        self.down()
        self.act(self.server, 'revertResize')
        self.ends()
        self.finish()

    def test_back_without_a_word(self) -> None:
        self.migrate()
        self.down()
        self.flags(vif_plugging_timeout=1)
        self.act(self.server, 'revertResize')
        self._wait_for_state_change(self.server, 'ERROR')
        self.assertEqual('exited', self.there.status)
        self.assertFalse(os.path.exists(host_end(self.port)))
        self.act(self.server, 'reboot', {'type': 'HARD'}, 'ACTIVE')
        self.check()

    def test_back_to_be_off(self) -> None:
        """What does not start waits for nothing."""
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.migrate()
        self.down()
        self.flags(vif_plugging_timeout=1)
        self.act(self.server, 'revertResize', state='SHUTOFF')
        self.assertEqual('exited', self.there.status)
