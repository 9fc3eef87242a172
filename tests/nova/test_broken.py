# SPDX-License-Identifier: Apache-2.0
"""Operations of many requests that break off: moves, images, a slow engine.

The engine goes down at the requests after which there is most to be mended.
"""

from __future__ import annotations

import io
import tarfile
from typing import Any
from unittest import mock

from nova import exception

import base
from base import run, wait
from failing import CREATE, REMOVE, START, STOP, Failing, nothing


class Images(Failing):

    def test_archive_that_is_cut_off(self) -> None:
        self.image = self.archive_image(
            self.archive()[:len(self.archive()) // 2])
        self.check_refused()

    def test_archive_that_holds_no_image(self) -> None:
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode='w') as archive:
            text = tarfile.TarInfo('readme')
            text.size = 3
            archive.addfile(text, io.BytesIO(b'no\n'))
        self.image = self.archive_image(content.getvalue())
        self.check_refused()

    def check_refused(self) -> None:
        self.assertEqual('ERROR', self.built())
        fault = self.api.get_server(self.server['id'])['fault']
        self.assertIn('archive', fault['message'] + fault['details'])
        self.assert_nothing_left()
        self.remove()

    def test_upload_of_a_snapshot(self) -> None:
        """Glance refuses it before, and in the middle of it."""
        self.begin()
        for length in (0, 5000):
            def refuse(*args: Any, data: Any = None, **more: Any) -> None:
                data.read(length)
                raise exception.ImageQuotaExceeded(image_id='taken')

            with self.no_upload(refuse):
                self.ask('createImage', {'name': 'taken'})()
            self.whole()
            self.assertEqual([], [name for name in self.image_names()
                                  if '-now' in name])
        self.assertNotIn('active', {
            one['status'] for one in self.glance.images.values()
            if one['name'] == 'taken'})
        self.ask('createImage', {'name': 'taken'})()
        self.finish()

    def no_upload(self, refuse: Any) -> Any:
        return mock.patch('nova.image.glance.API.update', refuse)

    def test_boot_from_a_snapshot(self) -> None:
        self.begin()
        self.ask('createImage', {'name': 'taken'})()
        self.finish()
        self.image = next(key for key, one in self.glance.images.items()
                          if one['name'] == 'taken')
        for point in self.at(nothing, ('after', 'POST .*/images/load'),
                             ('after', START)):
            self.assertEqual('ERROR', self.built(), point)
            self.struck(point)
            self.remove()
            self.clear_up()
            self.assert_nothing_left(cached=True)
        self.begin_again()
        self.whole()
        self.finish()

    def begin_again(self) -> None:
        self.server = self.boot([self.make_port(self.number)])
        self.there = self.container(self.server)


class Shelf(Failing):

    def test_shelve_and_unshelve(self) -> None:
        self.flags(shelved_offload_time=0)
        self.begin()
        for point in self.at(nothing, ('before', STOP),
                             ('after', 'POST .*/commit'),
                             ('after', REMOVE)):
            self.ask('shelve')()
            self.struck(point)
            self.become('SHELVED' if REMOVE in point else 'ACTIVE', point)
            self.come_back()
        for point in self.at(self.ask('shelve'), ('before', CREATE),
                             ('after', START)):
            self.ask('unshelve')()
            self.struck(point)
            self.assertEqual('SHELVED_OFFLOADED', self.state(), point)
            self.come_back()
        self.finish()

    def come_back(self) -> None:
        if self.state() == 'SHELVED':
            self.ask('shelveOffload')()
        if self.state() == 'SHELVED_OFFLOADED':
            self.ask('unshelve')()
        self.mend()
        self.whole()


class InPlace(Failing):

    def test_resize(self) -> None:
        self.begin()
        larger = self.make_flavor(ram=96, vcpus=2)
        for point in self.at(nothing, ('before', STOP),
                             ('before', 'POST .*/update'),
                             ('after', START)):
            self.ask('resize', {'flavorRef': larger if self.wanted() == 64
                                else self.flavor})()
            self.struck(point)
            self.assertEqual('ERROR', self.state(), point)
            self.hard()
            self.whole()
            self.assertEqual(self.wanted(), self.memory())
        self.finish()

    def wanted(self) -> int:
        """What Nova says: a move that breaks off leaves either flavor."""
        return self.api.get_server(self.server['id'])['flavor']['ram']

    def memory(self) -> int:
        return self.there.inspect()['HostConfig']['Memory'] >> 20

    def test_force_delete(self) -> None:
        for how in ('before', 'after'):
            self.begin()
            self.engine.fail(1, how, on=REMOVE)
            self.act(self.server, 'forceDelete')
            wait('an end of it', 30, self.ended)
            self.struck(how)
            self.remove()
            self.clear_up()
            self.assert_nothing_left()

    def test_hanging_engine(self) -> None:
        """It takes a request and says nothing."""
        self.begin()
        self.configure('engine', 'request_timeout_ms = 1000\n'
                       'create_timeout_ms = 1000')
        for action, argument in (('os-stop', None),
                                 ('reboot', {'type': 'HARD'})):
            self.engine.fail(1, 'hang')
            self.ask(action, argument)()
            self.struck(action)
            self.mend()
            self.whole()
        self.engine.fail(1, 'hang')
        self.api.delete_server(self.server['id'])
        wait('ERROR', 30, lambda: self.state() == 'ERROR')
        self.struck('delete')
        self.remove()
        self.assert_nothing_left()


class Moves(Failing):
    hosts = ('host1', 'host2')
    shared_engine = True

    def begin(self, **more: Any) -> None:
        self.server = self.boot([self.make_port(self.number)], host='host1')
        self.source = self.container_on(self.server, 'host1')
        self.dest = self.container_on(self.server, 'host2')
        self.there = self.source
        self.there.sh('echo kept > /root/file')

    def where(self) -> str:
        """The instance's host, as Nova says."""
        host: str = self.admin_api.get_server(
            self.server['id'])['OS-EXT-SRV-ATTR:host']
        self.there = self.source if host == 'host1' else self.dest
        return host

    def settle(self) -> None:
        """Until nobody confirms or reverts any more."""
        def done() -> bool:
            found = self.admin_api.api_get(
                '/os-migrations?instance_uuid=' + self.server['id']).body
            return not any(one['status'] in ('confirming', 'reverting')
                           for one in found['migrations'])
        wait('an end of the move', 30, done)
        self.idle(self.server)

    def assert_source_whole(self) -> None:
        self.assertIn('kept', run(
            'docker', 'cp', self.source.name + ':/root/file', '-'))

    def come_up_and_go(self, point: str, host: str) -> None:
        """A hard reboot makes it well where Nova says that it is; what the
        other host still has goes when the instance has been deleted, with
        Nova's next look for what runs although it is deleted."""
        self.struck(point)
        self.assertEqual(('ERROR', host), (self.state(), self.where()), point)
        self.hard()
        self.whole()
        self.remove()
        for compute in self.computes.values():
            compute.manager._cleanup_running_deleted_instances(
                base.context.get_admin_context())
        self.clear_up()
        self.assert_nothing_left()

    def test_migrate(self) -> None:
        for point in self.at(self.begin, ('before', STOP),
                             ('after', 'POST .*/images/load'),
                             ('before', CREATE), ('after', START)):
            self.ask('migrate', {'host': 'host2'})()
            self.assert_source_whole()
            self.come_up_and_go(point, 'host2' if START in point or
                                CREATE in point else 'host1')

    def verify(self) -> None:
        self.begin()
        self.act(self.server, 'migrate', {'host': 'host2'}, 'VERIFY_RESIZE')

    def test_confirm(self) -> None:
        for point in self.at(self.verify, ('before', REMOVE)):
            self.ask('confirmResize')()
            self.settle()
            self.come_up_and_go(point, 'host2')

    def test_revert(self) -> None:
        """On the new host, and on the old one."""
        for point in self.at(self.verify, ('before', REMOVE),
                             ('before', START)):
            self.ask('revertResize')()
            self.settle()
            self.come_up_and_go(
                point, 'host2' if REMOVE in point else 'host1')

    def test_evacuate(self) -> None:
        self.begin()
        self.lose('host1')
        run('docker', 'kill', self.source.name)
        run('sh', '-c', 'ip link del "$(ls /sys/class/net | grep ^tap)"')
        for how, on in (('before', CREATE), ('after', START)):
            self.engine.fail(1, how, on=on)
            self.ask('evacuate', {'host': 'host2'})()
            self.struck(on)
            self.assertEqual('ERROR', self.state(), on)
        self.ask('evacuate', {'host': 'host2'})()
        wait('ACTIVE', 30, lambda: self.state() == 'ACTIVE')
        self.assertEqual('running', self.dest.status)
        self.assertIn('192.168.1.71/24', self.dest.addresses('eth0'))
        self.find('host1')
        wait('no container', 10, lambda: not self.source.exists())
