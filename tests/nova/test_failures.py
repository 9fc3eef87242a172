# SPDX-License-Identifier: Apache-2.0
"""Each operation with an engine that goes down in the middle of it.

Of each operation every request that changes something in the engine is made
to fail: the engine goes before the first one, and then after each, without a
word (which is before the next, too). Then Nova
must have set the instance to a state from which it goes on, and what the
operation was for must still be possible: with the instance's files, its NIC,
and nothing left when it is deleted.
"""

from __future__ import annotations

import collections.abc
import os
from typing import Any

from nova.tests.functional.api import client

import base
from base import Container, run, wait

KILL = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'kill_shim')
Act = collections.abc.Callable[[], Any]


class Failing(base.NovaTest):
    number = 71

    def setUp(self) -> None:
        self.engine = base.Engine()
        self.addCleanup(self.engine.end)
        self.configure('engine', 'socket = ' + base.BETWEEN)
        super().setUp()
        self.flags(allow_resize_to_same_host=True, shutdown_timeout=1)

    def begin(self, **more: Any) -> None:
        self.server = self.boot([self.make_port(self.number)], **more)
        self.there = self.container(self.server)
        self.there.sh('echo kept > /root/file')

    def state(self) -> str:
        return self.idle(self.server)['status']

    def built(self, **more: Any) -> str:
        """What becomes of a new instance."""
        self.server = self.boot([self.make_port(self.number)], None, **more)
        wait('an end', 60, lambda: self.state() != 'BUILD')
        return self.state()

    def remove(self) -> None:
        """Of an instance in whatever state, as often as it takes."""
        if self.is_listed():
            self.api.delete_server(self.server['id'])
        wait('its end', 30, lambda: not self.is_listed())

    def is_listed(self) -> bool:
        return any(one['id'] == self.server['id']
                   for one in self.api.get_servers(detail=False))

    def ask(self, action: str, argument: Any = None) -> Act:
        """The operation, and its end whatever that is."""
        def act() -> None:
            try:
                self.act(self.server, action, argument)
            except client.OpenStackApiException as error:
                self.assertIn(error.response.status_code, (400, 409, 500))
            self.idle(self.server)
        return act

    def clear_up(self) -> None:
        """As the resource tracker's periodic task does."""
        self.configure('poll', 'sweep_after_s = 0')
        for compute in self.computes.values():
            driver = compute.manager.driver
            driver.get_available_resource(driver.get_available_nodes()[0])

    def hard(self) -> None:
        """What an operator does of whom Nova says ERROR. Nova may be about
        to take note that the container has stopped."""
        def act() -> bool:
            self.ask('reboot', {'type': 'HARD'})()
            return self.is_up()
        wait('a running instance', 30, act)

    def is_up(self) -> bool:
        return self.state() == 'ACTIVE' and self.there.exists() and \
            self.there.status == 'running'

    def mend(self) -> None:
        if not self.is_up():
            self.hard()

    def each(self, act: Act, states: str, again: Act) -> None:
        """ACT with each of its requests failing; STATES is what may become
        of the instance then, and AGAIN brings it back to where ACT can be
        asked for, by nothing but Nova."""
        for number in self.failures():
            act()
            self.heal()
            self.assertIn(self.state(), states.split(), number)
            again()
            self.whole()

    def failures(self) -> collections.abc.Iterator[int]:
        """Until there is no request any more that could fail."""
        self.failed = True
        number = 0
        while self.failed:
            self.engine.fail(max(1, number), 'after' if number else 'before')
            yield number
            number += 1
        self.assertGreater(number, 2)

    def heal(self) -> None:
        self.failed = self.engine.heal()

    def whole(self) -> None:
        self.assertEqual('ACTIVE', self.state())
        self.assertEqual('running', self.there.status)
        self.assertEqual('kept', self.there.sh('cat /root/file'))
        self.assertIn('192.168.1.%d/24' % self.number,
                      self.there.addresses('eth0'))

    def finish(self) -> None:
        self.delete(self.server)
        self.assert_nothing_left(cached=True)


class Life(Failing):

    def test_spawn(self) -> None:
        self.each_spawn()

    def test_spawn_of_an_archive(self) -> None:
        self.image = self.archive_image(self.archive())
        self.each_spawn()

    def each_spawn(self) -> None:
        for number in self.failures():
            status = self.built()
            self.heal()
            if self.failed:
                self.assertEqual('ERROR', status, number)
            self.remove()
            self.clear_up()
            self.assert_nothing_left(cached=True)
            for name in self.image_names():
                run('docker', 'rmi', name)

    def test_delete(self) -> None:
        self.begin()
        for _ in self.failures():
            self.api.delete_server(self.server['id'])
            wait('an end of it', 30, self.ended)
            self.heal()
            self.remove()
            self.assert_nothing_left()
            self.begin()

    def ended(self) -> bool:
        try:
            found = self.api.get_server(self.server['id'])
        except client.OpenStackApiException:
            return True
        return found['OS-EXT-STS:task_state'] is None

    def test_power_off(self) -> None:
        self.begin()

        def start() -> None:
            if self.state() == 'ACTIVE':
                self.ask('os-stop')()
            self.assertEqual('SHUTOFF', self.state())
            self.assertEqual('exited', self.there.status)
            self.act(self.server, 'os-start', state='ACTIVE')
        self.each(self.ask('os-stop'), 'ACTIVE SHUTOFF', start)
        self.finish()

    def test_power_on(self) -> None:
        self.begin()

        def start() -> None:
            self.ask('os-stop')()
            self.ask('os-start')()
        self.each(start, 'SHUTOFF ACTIVE', self.hard)
        self.finish()

    def test_reboot(self) -> None:
        self.begin()
        self.each(self.ask('reboot', {'type': 'SOFT'}),
                  'ACTIVE SHUTOFF ERROR', self.hard)
        self.finish()

    def test_hard_reboot(self) -> None:
        self.begin()
        self.each(self.ask('reboot', {'type': 'HARD'}),
                  'ACTIVE SHUTOFF ERROR', self.hard)
        self.finish()

    def test_pause_and_suspend(self) -> None:
        self.begin()
        for there, back, state in (('pause', 'unpause', 'PAUSED'),
                                   ('suspend', 'resume', 'SUSPENDED')):
            def come_back() -> None:
                if self.state() == 'ACTIVE':
                    self.ask(there)()
                if self.state() != 'ERROR':
                    self.ask(back)()
                self.mend()

            def go_and_come() -> None:
                self.ask(there)()
                self.ask(back)()

            self.each(self.ask(there), 'ACTIVE ERROR ' + state, come_back)
            self.each(go_and_come, 'ACTIVE ' + state + ' ERROR', self.mend)
        self.finish()

    def test_rescue(self) -> None:
        self.begin()
        rescuing = Container(self.there.name + '-rescue')

        def mended() -> None:
            if self.state() == 'RESCUE':
                self.assertEqual('kept', rescuing.sh(
                    'cat /mnt/rescue/root/file'))
                self.ask('unrescue')()
            self.mend()
            self.assertFalse(rescuing.exists())
        self.each(self.ask('rescue'), 'ACTIVE RESCUE ERROR', mended)
        self.finish()

    def test_unrescue(self) -> None:
        self.begin()

        def act() -> None:
            if self.state() == 'ACTIVE':
                self.ask('rescue')()
            self.ask('unrescue')()

        def again() -> None:
            if self.state() in ('RESCUE', 'ERROR'):
                self.ask('unrescue')()
            self.mend()
            self.assertFalse(Container(self.there.name + '-rescue').exists())
        self.each(act, 'ACTIVE RESCUE ERROR', again)
        self.finish()

    def test_rebuild(self) -> None:
        self.begin()

        def again() -> None:
            self.ask('rebuild', {'imageRef': self.image})()
            self.there.sh('echo kept > /root/file')
        self.each(self.ask('rebuild', {'imageRef': self.image}),
                  'ACTIVE ERROR', again)
        self.finish()

    def test_snapshot(self) -> None:
        self.begin()

        def again() -> None:
            self.clear_up()
            self.assertEqual([], [name for name in self.image_names()
                                  if '-now' in name])
        self.each(self.ask('createImage', {'name': 'taken'}), 'ACTIVE',
                  again)
        taken = {one['status'] for one in self.glance.images.values()
                 if one['name'] == 'taken'}
        self.assertEqual({'active'}, taken)
        self.finish()

    def test_soft_delete_and_restore(self) -> None:
        self.flags(reclaim_instance_interval=3600)
        self.begin()

        def act() -> None:
            self.api.delete_server(self.server['id'])
            self.idle(self.server)
            self.ask('restore')()

        def again() -> None:
            if self.state() == 'SOFT_DELETED':
                self.ask('restore')()
            self.mend()
        self.each(act, 'ACTIVE SOFT_DELETED ERROR SHUTOFF', again)
        self.act(self.server, 'forceDelete')
        self._wait_until_deleted(self.server)
        self.assert_nothing_left()


class Nics(Failing):

    def test_attach_and_detach(self) -> None:
        """Neither asks the engine for anything: what fails is the kernel."""
        self.begin()
        port = self.make_port(79)
        name = ('tap' + port['id'])[:14]
        run('ip', 'link', 'add', name, 'type', 'bridge')
        refused = self.assertRaises(
            client.OpenStackApiException, self.api.attach_interface,
            self.server['id'],
            {'interfaceAttachment': {'port_id': port['id']}})
        self.assertEqual(500, refused.response.status_code)
        run('ip', 'link', 'del', name)
        self.assertEqual(['eth0', 'lo'], sorted(self.there.links()))
        self.idle(self.server)
        self.whole()
        self.api.attach_interface(self.server['id'], {
            'interfaceAttachment': {'port_id': port['id']}})
        wait('eth1', 10, lambda: 'eth1' in self.there.links())
        self.finish()

    def test_detach_while_the_engine_is_down(self) -> None:
        self.begin()
        port = self.make_port(79)
        self.api.attach_interface(self.server['id'], {
            'interfaceAttachment': {'port_id': port['id']}})
        wait('eth1', 10, lambda: 'eth1' in self.there.links())
        run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" freeze')
        self.configure('engine', 'request_timeout_ms = 500')
        self.api.detach_interface(self.server['id'], port['id'])
        self.idle(self.server)
        run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" thaw')
        self.whole()
        if 'eth1' in self.there.links():
            self.api.detach_interface(self.server['id'], port['id'])
        wait('no eth1', 10, lambda: 'eth1' not in self.there.links())
        self.finish()

    def test_bridge_that_goes_before_the_start(self) -> None:
        """os-vif has made it, and the container's request is under way."""
        self.engine.fail(1, 'run', 'ip', 'link', 'del', self.bridge)
        self.assertEqual('ERROR', self.built())
        self.assertTrue(self.engine.heal())
        self.assert_nothing_left()
        self.delete(self.server)

    def test_killed_program(self) -> None:
        """vmdock-nova is killed when its first request is under way."""
        for action, argument in (('os-stop', None), ('pause', None),
                                 ('reboot', {'type': 'HARD'}),
                                 ('createImage', {'name': 'x'})):
            self.begin()
            self.engine.fail(1, 'run', KILL)
            self.ask(action, argument)()
            self.assertTrue(self.engine.heal())
            self.mend()
            self.whole()
            self.remove()
            self.assert_nothing_left()
        self.engine.fail(3, 'run', KILL)
        self.assertEqual('ERROR', self.built())
        self.assertTrue(self.engine.heal())
        self.remove()
        self.clear_up()
        self.assert_nothing_left()
