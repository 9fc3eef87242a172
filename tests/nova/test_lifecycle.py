# SPDX-License-Identifier: Apache-2.0
"""Each operation of an instance's life, and then a look at the container."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import tarfile
import threading
import time
from typing import Any
from unittest import mock

import fixtures
from nova import exception
from nova.network import neutron
from nova.tests.functional.api import client
from nova.virt.vmdock import DockerDriver

import base
from base import Container, run, wait


class Marking(base.NovaTest):

    def marked_image(self, name: str) -> str:
        """Makes NAME an image with a file of its own; its id."""
        made = run('docker', 'create', '--network', 'none', base.IMAGE)
        self.addCleanup(run, 'docker', 'rm', made)
        mark = os.path.join(self.useFixture(fixtures.TempDir()).path, 'mark')
        with open(mark, 'w', encoding='ascii') as file:
            file.write('other')
        run('docker', 'cp', mark, made + ':/mark')
        return run('docker', 'commit', made, name)


class Lifecycle(Marking):

    def test_boot_of_reference_and_delete(self) -> None:
        port = self.make_port(11)
        server = self.boot([port])
        container = self.container(server)
        self.assertEqual('running', container.status)
        found = container.inspect()
        self.assertEqual(64 << 20, found['HostConfig']['Memory'])
        self.assertEqual('host1', found['Config']['Labels']['vmdock.host'])
        self.assertEqual('web-one', container.sh('hostname'))
        self.assertIn(self.bridge, run('ip', 'link', 'show', (
            'tap' + port['id'])[:14]))
        self.delete(server)
        self.assert_nothing_left()

    def test_network_that_comes_late(self) -> None:
        """Nova asks Neutron while the driver has begun."""
        allocate = neutron.API.allocate_for_instance
        done = threading.Event()

        def late(*args: Any, **names: Any) -> Any:
            time.sleep(2)
            done.set()
            return allocate(*args, **names)

        with mock.patch.object(neutron.API, 'allocate_for_instance', late):
            server = self.boot([self.make_port(35)])
        self.assertTrue(done.is_set())
        self.assertIn('192.168.1.35/24',
                      self.container(server).addresses('eth0'))
        self.delete(server)
        self.assert_nothing_left()

    def test_network_that_does_not_come(self) -> None:
        def fail(*args: Any, **names: Any) -> None:
            time.sleep(2)
            raise exception.PortInUse(port_id='of another one')

        with mock.patch.object(neutron.API, 'allocate_for_instance', fail), \
                mock.patch.object(DockerDriver, '_start') as start:
            server = self.boot([self.make_port(36)], 'ERROR')
        start.assert_not_called()
        self.assertIn('of another one', self.stdlog.logger.output)
        self.assert_nothing_left()
        self.delete(server)

    def test_boot_of_archive_is_cached(self) -> None:
        """What the archive calls its image means nothing."""
        self.image = self.archive_image(self.archive())
        server = self.boot([])
        self.assertIn('first instruction', run(
            'docker', 'logs', self.container(server).name))
        self.assertIn(self.cached(self.image), self.image_names())
        # From the cache: Glance has no content to give any more.
        self.glance._imagedata[self.image] = b''
        again = self.boot([])
        self.assertEqual('running', self.container(again).status)
        self.delete(server)
        self.delete(again)
        self.assert_nothing_left(cached=True)

    def other_archive(self) -> bytes:
        """By the same name, and with a file of its own."""
        own = run('docker', 'image', 'inspect', '--format', '{{.Id}}',
                  base.IMAGE)
        self.marked_image(base.IMAGE)
        try:
            return subprocess.run(['docker', 'save', base.IMAGE], check=True,
                                  capture_output=True).stdout
        finally:
            run('docker', 'tag', own, base.IMAGE)

    def mark_of(self, server: Any) -> str:
        return self.container(server).sh('cat /mark 2>/dev/null; :')

    def test_cache_goes_by_id_and_checksum(self) -> None:
        """Never by what an image is called."""
        other = self.other_archive()
        plain = self.archive_image(self.archive())
        marked = self.archive_image(other)
        names = {one['name'] for key, one in self.glance.images.items()
                 if key in (plain, marked)}
        self.assertEqual({'image'}, names)
        servers = []
        for image, mark in ((plain, ''), (marked, 'other'), (plain, '')):
            self.image = image
            servers.append(self.boot([]))
            self.assertEqual(mark, self.mark_of(servers[-1]))
        # The same id, and another checksum.
        old = self.cached(plain)
        self.glance._imagedata[plain] = other
        self.glance.images[plain]['checksum'] = base.checksum(other)
        servers.append(self.boot([]))
        self.assertEqual('other', self.mark_of(servers[-1]))
        self.assertNotEqual(old, self.cached(plain))
        self.assertEqual(
            {old, self.cached(plain), self.cached(marked)},
            {name for name in self.image_names() if 'glance' in name})
        for server in servers:
            self.delete(server)
        self.assert_nothing_left(cached=True)

    def test_download_with_a_wrong_checksum(self) -> None:
        """It is an image that could be started, and not the one that Glance
        has."""
        self.image = self.archive_image(self.archive())
        self.glance._imagedata[self.image] = self.other_archive()
        server = self.boot([self.make_port(45)], 'ERROR')
        # Nova has tried it on all hosts: the next one may have better luck.
        self.assertRegex(self.stdlog.logger.output, 'the image %s has not '
                         'come whole: .*Corrupt image download' % self.image)
        self.assert_nothing_left()
        self.delete(server)
        self.glance._imagedata[self.image] = self.archive()
        server = self.boot([])
        self.assertEqual('', self.mark_of(server))
        self.delete(server)
        self.assert_nothing_left(cached=True)

    def oci_archive(self) -> bytes:
        """As skopeo and buildx make them, gzip and all."""
        folder = self.useFixture(fixtures.TempDir()).path
        saved, path = folder + '/saved.tar', folder + '/oci.tar'
        with open(saved, 'wb') as file:
            file.write(self.archive())
        run('skopeo', '--tmpdir', folder, 'copy', '--insecure-policy',
            'docker-archive:' + saved,
            'oci-archive:' + path + ':vmdock/glance:stolen')
        with open(path, 'rb') as file:
            content = file.read()
        self.assertNotIn(b'manifest.json', content)
        return content

    def test_boot_of_oci_archive(self) -> None:
        self.image = self.archive_image(self.oci_archive())
        server = self.boot([])
        self.assertIn('first instruction', run(
            'docker', 'logs', self.container(server).name))
        names = self.image_names()
        self.assertIn(self.cached(self.image), names)
        self.assertNotIn('vmdock/glance:stolen', names)
        self.delete(server)
        self.assert_nothing_left(cached=True)

    def test_oci_archive_without_its_manifest(self) -> None:
        source = tarfile.open(fileobj=io.BytesIO(self.oci_archive()))
        cut = io.BytesIO()
        with tarfile.open(fileobj=cut, mode='w') as target:
            for member in source.getmembers():
                file = source.extractfile(member)
                content = file.read() if file else b''
                if b'"layers"' not in content:
                    target.addfile(member, io.BytesIO(content))
        self.image = self.archive_image(cut.getvalue())
        server = self.boot([], 'ERROR')
        fault = self.api.get_server(server['id'])['fault']
        self.assertIn('does not hold a manifest',
                      fault['details'] + fault['message'])
        self.assert_nothing_left()
        self.delete(server)

    def test_broken_archive(self) -> None:
        self.image = self.archive_image(b'this is no archive' * 1000)
        server = self.boot([self.make_port(12)], 'ERROR')
        fault = self.api.get_server(server['id'])['fault']
        self.assertIn('docker save', fault['details'] + fault['message'])
        self.assert_nothing_left()
        self.delete(server)

    def test_archive_with_a_wrong_signature(self) -> None:
        """Which is told when all of it has come; if the service dies then,
        the archive is nobody's image all the same."""
        self.image = self.archive_image(self.archive())
        download = base.Images.download

        def refuse(glance: base.Images, *args: Any, data: Any = None,
                   **names: Any) -> None:
            download(glance, *args, data=data, **names)
            data.truncate(0)
            raise exception.InvalidImageRef(image_href='signature')

        with mock.patch.object(base.Images, 'download', refuse), \
                mock.patch.object(DockerDriver, '_forget_image'):
            server = self.boot([], 'ERROR')
        self.assertNotIn(self.cached(self.image), self.image_names())
        self.delete(server)
        server = self.boot([])
        self.assertIn(self.cached(self.image), self.image_names())
        self.delete(server)
        self.assert_nothing_left(cached=True)

    def test_image_that_is_none(self) -> None:
        self.image = self._image({}, b'x', container_format='bare')
        server = self.boot([], 'ERROR')
        self.assert_nothing_left()
        self.delete(server)

    def test_image_that_dies(self) -> None:
        self.configure('vm', 'boot_watch_ms = 2000')
        self.image = self.reference_image(
            vmdock_command='sh -c "echo it is broken; exit 3"')
        server = self.boot([self.make_port(13)], 'ERROR')
        fault = self.api.get_server(server['id'])['fault']
        self.assertIn('it is broken', fault['details'] + fault['message'])
        self.assert_nothing_left()
        self.delete(server)

    def test_properties_and_extra_specs(self) -> None:
        self.image = self.reference_image(
            os_command_line='sh -c "echo from the image; sleep 1000"',
            vmdock_env='COLOUR=red', vmdock_user='guest',
            vmdock_pids_limit='50', vmdock_privileged='yes')
        self.flavor = self.make_flavor(vmdock__pids_limit='77',
                                       quota__cpu_quota='50000')
        found = self.container(self.boot([])).inspect()
        self.assertEqual(['sh', '-c', 'echo from the image; sleep 1000'],
                         found['Config']['Cmd'])
        self.assertIn('COLOUR=red', found['Config']['Env'])
        self.assertEqual('guest', found['Config']['User'])
        self.assertEqual(77, found['HostConfig']['PidsLimit'])
        self.assertEqual(50000, found['HostConfig']['CpuQuota'])
        self.assertFalse(found['HostConfig']['Privileged'])

    def test_stop_and_start(self) -> None:
        port = self.make_port(14)
        server = self.boot([port])
        container = self.container(server)
        container.sh('echo kept > /root/file')
        self.act(server, 'os-stop', state='SHUTOFF')
        self.assertEqual('exited', container.status)
        self.assertNotIn(container.name, run('ip', 'netns'))
        self.act(server, 'os-start', state='ACTIVE')
        self.assertEqual('kept', container.sh('cat /root/file'))
        self.assertIn('192.168.1.14/24', container.addresses('eth0'))
        self.assertIn(self.bridge, run('ip', 'link', 'show', (
            'tap' + port['id'])[:14]))

    def test_reboot(self) -> None:
        port = self.make_port(15)
        server = self.boot([port])
        container = self.container(server)
        container.sh('echo kept > /root/file')
        for kind, state in (('SOFT', 'REBOOT'), ('HARD', 'HARD_REBOOT')):
            before = container.inspect()['State']['StartedAt']
            self.act(server, 'reboot', {'type': kind})
            self.idle(server)
            self._wait_for_state_change(server, 'ACTIVE')
            self.assertNotEqual(before,
                                container.inspect()['State']['StartedAt'])
            self.assertEqual('kept', container.sh('cat /root/file'))
            self.assertIn('192.168.1.15/24', container.addresses('eth0'))

    def test_hard_reboot_of_what_does_not_run(self) -> None:
        server = self.boot([self.make_port(32)])
        container = self.container(server)
        container.sh('echo kept > /root/file')
        for action, state in (('os-stop', 'SHUTOFF'), ('pause', 'PAUSED'),
                              ('suspend', 'SUSPENDED')):
            self.act(server, action, state=state)
            self.act(server, 'reboot', {'type': 'HARD'}, 'ACTIVE')
            self.idle(server)
            self.assertEqual(('running', 'kept'), (
                container.status, container.sh('cat /root/file')), action)
            self.assertIn('192.168.1.32/24', container.addresses('eth0'))

    def test_hard_reboot_mends(self) -> None:
        """From stopped, and with the host end cut off."""
        port = self.make_port(16)
        server = self.boot([port])
        container = self.container(server)
        run('ip', 'link', 'del', ('tap' + port['id'])[:14])
        self.act(server, 'reboot', {'type': 'HARD'})
        self.idle(server)
        self.assertIn('192.168.1.16/24', container.addresses('eth0'))
        self.act(server, 'os-stop', state='SHUTOFF')
        self.act(server, 'reboot', {'type': 'HARD'}, state='ACTIVE')
        self.assertEqual('running', container.status)

    def check_kept(self, container: Container, address: str) -> None:
        self.assertEqual('kept', container.sh('cat /root/file'))
        self.assertIn(address, container.addresses('eth0'))

    def test_pause_and_suspend(self) -> None:
        server = self.boot([self.make_port(34)])
        container = self.container(server)
        container.sh('echo kept > /root/file')
        began = container.inspect()['State']['StartedAt']
        self.act(server, 'pause', state='PAUSED')
        self.assertEqual('paused', container.status)
        self.assertEqual(3, self.power_state(server))
        self.act(server, 'unpause', state='ACTIVE')
        self.assertEqual('running', container.status)
        self.act(server, 'suspend', state='SUSPENDED')
        self.assertEqual('paused', container.status)
        self.assertEqual(7, self.power_state(server))
        self.act(server, 'resume', state='ACTIVE')
        self.assertEqual('running', container.status)
        self.assertEqual(1, self.power_state(server))
        self.check_kept(container, '192.168.1.34/24')
        self.assertEqual(began, container.inspect()['State']['StartedAt'])

    def power_state(self, server: object) -> int:
        return self.idle(server)['OS-EXT-STS:power_state']

    def test_rebuild(self) -> None:
        port = self.make_port(17)
        server = self.boot([port])
        container = self.container(server)
        container.sh('echo old > /root/file')
        before = container.inspect()['Image']
        image = self.archive_image(self.other_archive(), vmdock_env='NEW=yes')
        self.act(server, 'rebuild', {'imageRef': image})
        self.idle(server)
        self._wait_for_state_change(server, 'ACTIVE')
        found = container.inspect()
        self.assertNotEqual(before, found['Image'])
        self.assertEqual('other', self.mark_of(server))
        self.assertIn('NEW=yes', found['Config']['Env'])
        self.assertEqual('', container.sh('cat /root/file 2>/dev/null; :'))
        self.assertIn('192.168.1.17/24', container.addresses('eth0'))
        self.assertEqual(port['mac_address'],
                         container.links()['eth0']['address'])

    def test_soft_delete_and_restore(self) -> None:
        self.flags(reclaim_instance_interval=3600)
        server = self.boot([self.make_port(18)])
        container = self.container(server)
        container.sh('echo kept > /root/file')
        self.api.delete_server(server['id'])
        self._wait_for_state_change(server, 'SOFT_DELETED')
        self.assertEqual('exited', container.status)
        self.act(server, 'restore', state='ACTIVE')
        self.assertEqual('running', container.status)
        self.check_kept(container, '192.168.1.18/24')
        self.act(server, 'forceDelete')
        self._wait_until_deleted(server)
        self.assert_nothing_left()

    def test_snapshot_and_boot_from_it(self) -> None:
        server = self.boot([self.make_port(19)])
        container = self.container(server)
        container.sh('echo taken > /root/file')
        self.api.post_server_action(server['id'], {
            'createImage': {'name': 'taken'}})
        self.idle(server)
        image = next(one for one in self.glance.images.values()
                     if one['name'] == 'taken')
        self.assertEqual(('docker', 'active'),
                         (image['container_format'], image['status']))
        self.assertEqual('running', container.status)
        self.image = image['id']
        other = self.boot([self.make_port(20)])
        self.assertEqual('taken',
                         self.container(other).sh('cat /root/file'))
        self.delete(server)
        self.delete(other)
        self.assert_nothing_left(cached=True)

    def test_shelve_and_unshelve(self) -> None:
        self.flags(shelved_offload_time=0)
        server = self.boot([self.make_port(21)])
        self.container(server).sh('echo shelved > /root/file')
        self.act(server, 'shelve', state='SHELVED_OFFLOADED')
        self.assert_nothing_left(cached=True)
        self.act(server, 'unshelve', state='ACTIVE')
        container = self.container(server)
        self.assertEqual('shelved', container.sh('cat /root/file'))
        self.assertIn('192.168.1.21/24', container.addresses('eth0'))

    def test_shelve_that_stays_on_its_host(self) -> None:
        self.flags(shelved_offload_time=-1)
        server = self.boot([self.make_port(33)])
        container = self.container(server)
        container.sh('echo shelved > /root/file')
        self.act(server, 'shelve', state='SHELVED')
        self.assertEqual('exited', container.status)
        self.act(server, 'unshelve', state='ACTIVE')
        self.assertEqual('shelved', container.sh('cat /root/file'))
        self.assertIn('192.168.1.33/24', container.addresses('eth0'))
        self.delete(server)
        self.assert_nothing_left()

    def test_console(self) -> None:
        """As many lines as are asked for. The engine tells an unfinished one
        when nothing can come behind it any more."""
        for end, last in (('', '30'), ('; printf more', 'more')):
            self.image = self.reference_image(
                vmdock_command='sh -c "seq 1 30%s; sleep 1000"' % end)
            server = self.boot([])
            if end:
                run('docker', 'kill', self.container(server).name)
            wait('the output', 30, lambda: last in run(
                'docker', 'logs', self.container(server).name))
            lines = [str(n) for n in range(1, 31)] + ([last] if end else [])
            for asked, there in (
                    ({'length': 3}, lines[-3:]), ({'length': 0}, []),
                    ({'length': 1000}, lines), ({'length': '1'}, [last]),
                    ({}, lines)):
                answer = self.api.post_server_action(server['id'], {
                    'os-getConsoleOutput': asked})
                self.assertEqual('\n'.join(there), answer['output'], asked)
            self.delete(server)

    def test_console_of_what_says_nothing(self) -> None:
        self.image = self.reference_image(vmdock_command='sleep 1000')
        server = self.boot([])
        for asked in ({}, {'length': 3}):
            answer = self.api.post_server_action(server['id'], {
                'os-getConsoleOutput': asked})
            self.assertEqual('', answer['output'])

    def test_consoles_that_are_not_there(self) -> None:
        server = self.boot([])
        for group in ('vnc', 'spice', 'serial_console', 'mks'):
            self.flags(enabled=True, group=group)
        for protocol, kind in (('vnc', 'novnc'), ('spice', 'spice-html5'),
                               ('serial', 'serial'), ('mks', 'webmks')):
            refused = self.assertRaises(
                client.OpenStackApiException, self.api.api_post,
                '/servers/%s/remote-consoles' % server['id'],
                {'remote_console': {'protocol': protocol, 'type': kind}})
            self.assertEqual(400, refused.response.status_code)
            self.assertIn('vmdock does not support consoles of the type %s '
                          'yet: what a container prints is in its console '
                          'log' % kind, refused.response.text)
        self.assertEqual('ACTIVE', self.idle(server)['status'])

    def test_diagnostics(self) -> None:
        server = self.boot([self.make_port(22)])
        found = self.api.get_server_diagnostics(server['id'])
        self.assertEqual('running', found['state'])
        self.assertEqual(64, found['memory_details']['maximum'])
        self.assertEqual([1, 1, 1], [found['num_' + name] for name in (
            'cpus', 'nics', 'disks')])
        self.assertGreater(found['cpu_details'][0]['time'], 0)
        self.assertEqual({'read_bytes', 'read_requests', 'write_bytes',
                          'write_requests', 'errors_count'},
                         set(found['disk_details'][0]))
        self.check_traffic(server)
        # Nova's API asks for those of an active instance alone.
        driver = self.computes['host1'].manager.driver
        instance = base.nova.objects.Instance.get_by_uuid(
            base.context.get_admin_context(), server['id'])
        for action, state in (('pause', 'paused'), ('unpause', 'running'),
                              ('suspend', 'suspended'), ('resume', 'running'),
                              ('os-stop', 'shutdown')):
            self.act(server, action)
            self.idle(server)
            self.assertEqual(
                state, driver.get_instance_diagnostics(instance).state)

    def check_traffic(self, server: Any) -> None:
        """What its one NIC has seen, in the guest's directions."""
        def octets() -> list[int]:
            found = json.loads(run('ip', '-n', container.name, '-s', '-json',
                                   'link', 'show', 'eth0'))[0]['stats64']
            return [found[way]['bytes'] for way in ('rx', 'tx')]

        container = self.container(server)
        container.sh('ping -c 2 -s 9000 -W 1 192.168.1.1; :')
        before = octets()
        [nic] = self.api.get_server_diagnostics(server['id'])['nic_details']
        for least, told, most in zip(
                before, (nic['rx_octets'], nic['tx_octets']), octets()):
            self.assertGreaterEqual(told, least)
            self.assertLessEqual(told, most)
        self.assertGreater(nic['tx_octets'], 0)

    def image_with_passwords(self) -> str:
        run('docker', 'run', '--name', 'shadow', '--network', 'none',
            base.IMAGE, 'sh', '-c',
            "echo 'root:!:19000:0:99999:7:::' > /etc/shadow")
        self.addCleanup(run, 'docker', 'rmi', '-f', 'lab/shadow:1')
        run('docker', 'commit', '--change', 'CMD ["first"]', 'shadow',
            'lab/shadow:1')
        run('docker', 'rm', 'shadow')
        return self.reference_image(vmdock_image='lab/shadow:1')

    def test_what_the_guest_is_told(self) -> None:
        self.image = self.image_with_passwords()
        keypair = self.api.api_post('/os-keypairs', {'keypair': {
            'name': 'mine', 'type': 'ssh', 'public_key':
                'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHJ3vYQ0Ytb+1UuV'
                'FkMIiXyHmqUuVRrNQWOnQeh1zn1o me'}}).body
        server = self.boot(
            [self.make_port(23)], key_name='mine',
            user_data=base64.b64encode(b'#!/bin/sh\necho hi\n').decode(),
            metadata={'colour': 'red'}, adminPass='secret-word')
        container = self.container(server)
        told = '/mnt/config/openstack/latest/'
        self.assertEqual('#!/bin/sh\necho hi',
                         container.sh('cat %suser_data' % told))
        meta = container.sh('cat %smeta_data.json' % told)
        self.assertIn('"colour": "red"', meta)
        self.assertIn(server['id'], meta)
        self.assertIn('fa:16:3e:00:00:17',
                      container.sh('cat %snetwork_data.json' % told))
        self.assertIn(keypair['keypair']['public_key'][:60],
                      container.sh('cat /root/.ssh/authorized_keys'))
        self.assertIn('root:$', container.sh('cat /etc/shadow'))
        inspected = run('docker', 'inspect', container.name)
        self.assertNotIn('secret-word', inspected)
        with open(os.path.join(base.STATE, container.name,
                               'spec.json')) as spec:
            self.assertNotIn('secret-word', spec.read())

    def test_engine_down_in_spawn(self) -> None:
        run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" stop')
        try:
            server = self.boot([self.make_port(24)], 'ERROR')
        finally:
            run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" start')
        self.assert_nothing_left()
        self.delete(server)

    def test_container_that_dies_is_stopped_within_a_second(self) -> None:
        """On a machine that has nothing else to do; here it is measured."""
        server = self.boot([self.make_port(25)])
        container = self.container(server)
        began = time.monotonic()
        run('docker', 'kill', container.name)
        wait('SHUTOFF', 10, lambda: self.api.get_server(
            server['id'])['status'] == 'SHUTOFF')
        print('# %.2f s from the kill to SHUTOFF' % (
            time.monotonic() - began))
        self.assertEqual('exited', Container(container.name).status)
        self.act(server, 'os-start', state='ACTIVE')
        self.assertIn('192.168.1.25/24', container.addresses('eth0'))

    def test_rescue_and_unrescue(self) -> None:
        """The rescuing container has the NICs, and the files at hand."""
        port = self.make_port(26)
        server = self.boot([port])
        container = self.container(server)
        container.sh('echo broken > /root/file')
        rescuing = Container(container.name + '-rescue')
        image = self.reference_image(
            vmdock_env='RESCUE=yes',
            vmdock_command='sh -c "echo to the rescue; sleep 1000"')
        self.act(server, 'rescue', {'rescue_image_ref': image}, 'RESCUE')
        self.assertIn('to the rescue', self.api.post_server_action(
            server['id'], {'os-getConsoleOutput': {}})['output'])
        self.assertEqual('exited', container.status)
        self.assertEqual(1, self.power_state(server))
        self.assertIn('RESCUE=yes', rescuing.inspect()['Config']['Env'])
        self.assertIn('192.168.1.26/24', rescuing.addresses('eth0'))
        self.assertEqual(port['mac_address'],
                         rescuing.links()['eth0']['address'])
        self.assertEqual('broken', rescuing.sh('cat /mnt/rescue/root/file'))
        rescuing.sh('echo mended > /mnt/rescue/root/file')
        self.act(server, 'unrescue', state='ACTIVE')
        self.assertFalse(rescuing.exists())
        self.assertEqual('mended', container.sh('cat /root/file'))
        self.assertIn('192.168.1.26/24', container.addresses('eth0'))
        self.delete(server)
        self.assert_nothing_left()

    def test_delete_of_what_is_rescued(self) -> None:
        server = self.boot([self.make_port(27)])
        self.act(server, 'rescue', None, 'RESCUE')
        self.delete(server)
        self.assert_nothing_left()
        self.assertNotIn('/rescue/', run('cat', '/proc/mounts'))

    def test_image_that_cannot_rescue(self) -> None:
        """The instance stays what it was, and starts again."""
        self.configure('vm', 'boot_watch_ms = 2000')
        server = self.boot([self.make_port(28)])
        container = self.container(server)
        image = self.reference_image(vmdock_command='false')
        self.act(server, 'rescue', {'rescue_image_ref': image})
        self.idle(server)
        self.assertNotIn('/rescue/', run('cat', '/proc/mounts'))
        self.assertEqual([container.name], self.containers())
        self.act(server, 'reboot', {'type': 'HARD'})
        self.idle(server)
        self.assertEqual('running', container.status)

    def test_injected_files(self) -> None:
        self.api.microversion = '2.56'
        content = base64.b64encode(b'welcome').decode()
        server = self.boot([self.make_port(29)], personality=[
            {'path': '/etc/motd', 'contents': content},
            {'path': '/srv/new/file', 'contents': content}])
        container = self.container(server)
        self.assertEqual('welcome', container.sh('cat /etc/motd'))
        self.assertEqual('welcome', container.sh('cat /srv/new/file'))

    def test_caller_that_goes(self) -> None:
        """nova-compute ends while Neutron is waited for."""
        self.boot([self.make_port(30)], state='ACTIVE')
        before = self.containers()
        request = {
            'host': 'host1', 'wait': True, 'network_info': [],
            'instance': {
                'uuid': '5f4dcc3b-5aa7-65d6-1d83-27deb882cf99',
                'flavor': {'memory_mb': 64, 'vcpus': 1},
                'system_metadata': {'image_vmdock_image': base.IMAGE}},
            'image_meta': {'container_format': 'bare'}}
        with subprocess.Popen([base.SHIM, 'spawn'], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps(request).encode() + b'\n')
            process.stdin.flush()
            self.assertEqual({'plugged': True},
                             json.loads(process.stdout.readline()))
            self.assertEqual(len(before) + 1, len(self.containers()))
            process.stdin.close()
            self.assertNotEqual(0, process.wait(20))
        self.assertEqual(before, self.containers())
        self.assertNotIn('5f4dcc3b', run('ip', 'netns'))
        self.assertNotIn('5f4dcc3b', ' '.join(self.image_names()))


class Refused(Marking):
    """The registry's images, and those that it does not give: what makes
    Nova try the next host, and what does not."""

    hosts = ('host1', 'host2')
    shared_engine = True

    @staticmethod
    def registry(port: str, *more: str) -> str:
        return run(os.environ['LAB'], 'registry', os.environ['LAB_DIR'],
                   '--port', port, *more) + '/lab/marked'

    def push(self, name: str) -> tuple[str, str]:
        """An image that the registry has alone: its digest and its id."""
        image_id = self.marked_image(name)
        self.addCleanup(run, 'docker', 'rmi', '-f', image_id, check=False)
        said = run('docker', 'push', name)
        run('docker', 'rmi', name)
        found = re.search(r'digest: (sha256:[0-9a-f]{64})', said)
        assert found, said
        return found[1], image_id

    def test_image_is_pulled(self) -> None:
        name = self.registry('5061')
        digest, image_id = self.push(name + ':1')
        for reference in (name + '@' + digest, name + ':1'):
            self.assertNotIn(image_id, run(
                'docker', 'images', '-aq', '--no-trunc'))
            self.image = self.reference_image(vmdock_image=reference)
            server = self.boot([self.make_port(47)], host='host1')
            there = self.container_on(server, 'host1')
            self.assertEqual(image_id, there.inspect()['Image'])
            self.assertEqual('other', there.sh('cat /mark'))
            self.assertIn('192.168.1.47/24', there.addresses('eth0'))
            self.delete(server)
            self.assert_nothing_left()
            run('docker', 'rmi', '-f', image_id, check=False)

    def refused(self, reference: str, why: str, tries: int,
                **properties: str) -> str:
        """On as many hosts as may do better; what Nova says of it."""
        self.image = self.reference_image(vmdock_image=reference,
                                          **properties)
        server = self.boot([self.make_port(46)], 'ERROR')
        self.assert_nothing_left()
        sentence = 'ShimError: VM nova-%s-.*%s' % (server['id'], why)
        self.assertRegex(self.stdlog.logger.output, sentence)
        self.assertEqual(tries, len(self.tried(server)))
        message: str = self.api.get_server(server['id'])['fault']['message']
        self.delete(server)
        return message

    def test_image_that_no_host_can_have(self) -> None:
        name = self.registry('5061') + ':none'
        self.assertIn(
            'is unacceptable: image %s: manifest for %s not found: manifest '
            'unknown' % (name, name),
            self.refused(name, 'manifest unknown', 1))
        self.assertNotIn('Reschedul', self.stdlog.logger.output)

    def test_registry_that_does_not_answer(self) -> None:
        for name, why in (
                ('127.0.0.1:5063/lab/marked:1', 'connection refused'),
                (self.registry('5062', '--password') + ':1',
                 'no basic auth credentials')):
            self.assertIn('Exhausted all hosts', self.refused(name, why, 2))

    def test_image_that_dies_on_each_host(self) -> None:
        self.configure('vm', 'boot_watch_ms = 2000')
        self.assertIn('aborted: ', self.refused(
            base.IMAGE, 'it is broken', 1,
            vmdock_command='sh -c "echo it is broken; exit 3"'))
