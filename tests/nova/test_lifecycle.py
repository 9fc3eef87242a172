# SPDX-License-Identifier: Apache-2.0
"""Each operation of an instance's life, and then a look at the container."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import tarfile

import fixtures
from nova.tests.functional.api import client

import base
from base import Container, run, wait


class Lifecycle(base.NovaTest):

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

    def test_boot_of_archive_is_cached_by_id(self) -> None:
        """What the archive calls its image means nothing."""
        self.image = self.archive_image(self.archive())
        server = self.boot([])
        self.assertIn('first instruction', run(
            'docker', 'logs', self.container(server).name))
        cached = 'vmdock/glance:' + self.image
        self.assertIn(cached, self.image_names())
        # From the cache: Glance has no content to give any more.
        self.glance._imagedata[self.image] = b''
        again = self.boot([])
        self.assertEqual('running', self.container(again).status)
        self.delete(server)
        self.delete(again)
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
        self.assertIn('vmdock/glance:' + self.image, names)
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

    def test_pause_and_suspend(self) -> None:
        server = self.boot([])
        container = self.container(server)
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

    def power_state(self, server: object) -> int:
        return self.idle(server)['OS-EXT-STS:power_state']

    def test_rebuild(self) -> None:
        port = self.make_port(17)
        server = self.boot([port])
        container = self.container(server)
        container.sh('echo old > /root/file')
        image = self.reference_image(vmdock_env='NEW=yes')
        self.act(server, 'rebuild', {'imageRef': image})
        self.idle(server)
        self._wait_for_state_change(server, 'ACTIVE')
        self.assertIn('NEW=yes', container.inspect()['Config']['Env'])
        self.assertEqual('', container.sh('cat /root/file 2>/dev/null; :'))
        self.assertIn('192.168.1.17/24', container.addresses('eth0'))
        self.assertEqual(port['mac_address'],
                         container.links()['eth0']['address'])

    def test_soft_delete_and_restore(self) -> None:
        self.flags(reclaim_instance_interval=3600)
        server = self.boot([self.make_port(18)])
        container = self.container(server)
        self.api.delete_server(server['id'])
        self._wait_for_state_change(server, 'SOFT_DELETED')
        self.assertEqual('exited', container.status)
        self.act(server, 'restore', state='ACTIVE')
        self.assertEqual('running', container.status)
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

    def test_console(self) -> None:
        self.image = self.reference_image(
            vmdock_command='sh -c "seq 1 30; sleep 1000"')
        server = self.boot([])
        wait('the output', 5, lambda: '30' in run(
            'docker', 'logs', self.container(server).name))
        answer = self.api.post_server_action(server['id'], {
            'os-getConsoleOutput': {'length': 3}})
        self.assertEqual('28\n29\n30', answer['output'])
        refused = self.assertRaises(
            client.OpenStackApiException, self.api.api_post,
            '/servers/%s/remote-consoles' % server['id'],
            {'remote_console': {'protocol': 'vnc', 'type': 'novnc'}})
        self.assertIn(refused.response.status_code, (400, 501))

    def test_diagnostics(self) -> None:
        server = self.boot([self.make_port(22)])
        found = self.api.get_server_diagnostics(server['id'])
        self.assertEqual('running', found['state'])
        self.assertEqual(64, found['memory_details']['maximum'])

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

    def test_engine_down_in_spawn(self) -> None:
        run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" stop')
        try:
            server = self.boot([self.make_port(24)], 'ERROR')
        finally:
            run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" start')
        self.assert_nothing_left()
        self.delete(server)

    def test_container_that_dies_is_stopped_within_a_second(self) -> None:
        server = self.boot([self.make_port(25)])
        container = self.container(server)
        run('docker', 'kill', container.name)
        self.assertEqual('exited', Container(container.name).status)
        wait('SHUTOFF', 5, lambda: self.api.get_server(
            server['id'])['status'] == 'SHUTOFF')
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
