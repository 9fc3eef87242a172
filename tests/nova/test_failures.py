# SPDX-License-Identifier: Apache-2.0
"""Each operation with an engine that goes down in the middle of it.

Of each operation but rebuild every request that changes something in the
engine is made to fail: the engine goes before the first one, and then after
each, without a word (which is before the next, too).
"""

from __future__ import annotations

import os

from nova.tests.functional.api import client

from base import Container, run, wait
from failing import CREATE, REMOVE, START, STOP, Failing, nothing

KILL = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'kill_shim')


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
            self.assertEqual('ERROR' if self.failed else 'ACTIVE', status,
                             number)
            self.remove()
            self.clear_up()
            self.assert_nothing_left(cached=True)
            for name in self.image_names():
                run('docker', 'rmi', name)

    def test_delete(self) -> None:
        for number in self.failures(self.begin):
            self.api.delete_server(self.server['id'])
            wait('an end of it', 30, self.ended)
            self.heal()
            self.remove()
            self.assert_nothing_left()

    def test_power_and_reboot(self) -> None:
        self.begin()

        def start() -> None:
            if self.state() == 'ACTIVE':
                self.ask('os-stop')()
            self.assertEqual('SHUTOFF', self.state())
            self.assertEqual('exited', self.there.status)
            self.act(self.server, 'os-start', state='ACTIVE')
        self.each(self.ask('os-stop'), 'ACTIVE', 'SHUTOFF', start)
        self.each(self.ask('os-start'), 'SHUTOFF', 'ACTIVE', self.mend,
                  self.ask('os-stop'))
        for kind in ('SOFT', 'HARD'):
            self.each(self.ask('reboot', {'type': kind}), 'ACTIVE', 'ACTIVE',
                      self.hard)
        self.finish()

    def test_pause_and_suspend(self) -> None:
        self.begin()
        # Where one of the first two fails Nova leaves the state; of the
        # others it takes none for granted.
        for there, back, state, failed in (
                ('pause', 'unpause', 'PAUSED', ('ACTIVE', 'PAUSED')),
                ('suspend', 'resume', 'SUSPENDED', ('ERROR', 'ERROR'))):
            def come_back() -> None:
                if self.state() == 'ACTIVE':
                    self.ask(there)()
                if self.state() != 'ERROR':
                    self.ask(back)()
                self.mend()

            self.each(self.ask(there), failed[0], state, come_back)
            self.each(self.ask(back), failed[1], 'ACTIVE', self.mend,
                      self.ask(there))
        self.finish()

    def test_rescue_and_unrescue(self) -> None:
        self.begin()
        rescuing = Container(self.there.name + '-rescue')

        def mended() -> None:
            if self.state() == 'RESCUE':
                self.assertEqual('kept', rescuing.sh(
                    'cat /mnt/rescue/root/file'))
                self.ask('unrescue')()
            self.mend()
            self.assertFalse(rescuing.exists())

        def ended() -> None:
            if self.state() == 'ERROR':
                self.ask('unrescue')()
            self.mend()
            self.assertFalse(rescuing.exists())
        self.each(self.ask('rescue'), 'ERROR', 'RESCUE', mended)
        self.each(self.ask('unrescue'), 'ERROR', 'ACTIVE', ended,
                  self.ask('rescue'))
        self.finish()

    def test_rebuild(self) -> None:
        self.begin()

        def again() -> None:
            self.ask('rebuild', {'imageRef': self.image})()
            self.there.sh('echo kept > /root/file')
        for point in self.at(nothing, ('before', STOP), ('after', REMOVE),
                             ('before', CREATE), ('after', START)):
            self.ask('rebuild', {'imageRef': self.image})()
            self.struck(point)
            self.assertEqual('ERROR', self.state(), point)
            again()
            self.whole()
        self.finish()

    def test_snapshot(self) -> None:
        self.begin()

        def again() -> None:
            self.clear_up()
            self.assertEqual([], [name for name in self.image_names()
                                  if '-now' in name])
        self.each(self.ask('createImage', {'name': 'taken'}), 'ACTIVE',
                  'ACTIVE', again)
        taken = {one['status'] for one in self.glance.images.values()
                 if one['name'] == 'taken'}
        self.assertEqual({'active'}, taken)
        self.finish()

    def test_soft_delete_and_restore(self) -> None:
        self.flags(reclaim_instance_interval=3600)
        self.begin()

        def delete() -> None:
            self.api.delete_server(self.server['id'])
            self.idle(self.server)

        def again() -> None:
            if self.state() == 'SOFT_DELETED':
                self.ask('restore')()
            self.mend()
        self.each(delete, 'ACTIVE', 'SOFT_DELETED', again)
        self.each(self.ask('restore'), 'SOFT_DELETED', 'ACTIVE', again,
                  delete)
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
