# SPDX-License-Identifier: Apache-2.0
"""Volumes: real files and devices, of which Cinder's fake tells Nova."""

from __future__ import annotations

import copy
import os
import re
import shutil
import subprocess
import tempfile
import time
import uuid
from typing import Any
from unittest import mock

from nova.tests.fixtures import cinder
from nova.tests.functional.api import client

import base
from base import Container, run, wait
import os_brick.privileged
from vmdock_nova import volumes

os_brick.privileged.default.set_client_mode(False)

MB = 1 << 20
PORTAL = '127.0.0.1:3260'
PLACE = os.path.join(base.PREFIX, 'var/run/vmdock')
# In place of NFS, which not every kernel has: the export is a folder here.
MOUNT = """#!/bin/sh
echo "$@" >> %(log)s
[ "$1 $2 $3" = "-t nfs -o" ] || exit 1
exec mount --bind "${5#*:}" "$6"
"""


class VolumeTest(base.NovaTest):

    def setUp(self) -> None:
        super().setUp()
        self.folder = tempfile.mkdtemp(dir=os.environ['LAB_DIR'])
        self.addCleanup(shutil.rmtree, self.folder)
        self.configure('nova', 'volumes = ' + self.folder)
        self.cinder = self.useFixture(cinder.CinderFixture(self))
        known = cinder.CinderFixture.VOLUME_CONNECTION_INFO
        self.addCleanup(setattr, cinder.CinderFixture,
                        'VOLUME_CONNECTION_INFO', copy.deepcopy(known))
        self.addCleanup(self._remove_containers)

    def _remove_containers(self) -> None:
        """They hold what is removed next."""
        for name in self.containers():
            run('docker', 'rm', '-f', '-v', name, check=False)

    # ---- volumes ----

    def make_file(self, megabytes: int = 16, fs: bool = True) -> str:
        path = os.path.join(self.folder, 'volume-' + uuid.uuid4().hex[:8])
        with open(path, 'wb') as file:
            file.truncate(megabytes * MB)
        if fs:
            run('mkfs.ext4', '-q', path)
        return path

    def make_device(self, megabytes: int = 16, fs: bool = False) -> str:
        """A block device of its own, and a link to it as LVM has."""
        path = self.make_file(megabytes, fs)
        device = run('losetup', '-f', '--show', path)
        self.addCleanup(run, 'losetup', '-d', device)
        link = path + '-link'
        os.symlink(device, link)
        return link

    def volume(self, kind: str, **data: Any) -> str:
        volume_id = str(uuid.uuid4())
        self.cinder.VOLUME_CONNECTION_INFO[volume_id] = {
            'driver_volume_type': kind, 'data': data}
        return volume_id

    def local(self, path: str, **data: Any) -> str:
        return self.volume('local', device_path=path, **data)

    # ---- what is seen ----

    @staticmethod
    def mounts(there: Container) -> dict[str, str]:
        """Device by mount point."""
        lines = there.sh('cat /proc/mounts').splitlines()
        return {line.split()[1]: line.split()[0] for line in lines
                if line.split()[0].startswith('/dev/loop')}

    def place(self, server: Any, volume_id: str) -> str:
        device = self.api.get_server_volume(server['id'],
                                            volume_id)['device']
        return '/mnt/' + os.path.basename(device)

    def attach(self, server: Any, volume_id: str,
               there: Container | None = None) -> str:
        there = there or self.container(server)
        self.api.post_server_volume(server['id'], {
            'volumeAttachment': {'volumeId': volume_id}})
        place = self.place(server, volume_id)
        if there.status == 'running':
            wait('the volume', 20, lambda: place in self.mounts(there))
        self.wait_attached(volume_id)
        return place

    def wait_attached(self, volume_id: str) -> None:
        """Nova writes down what the driver said when it has returned."""
        wait('the end of the attachment', 20, lambda: base.nova.objects.
             BlockDeviceMapping.get_by_volume(
                 base.context.get_admin_context(), volume_id
                 ).connection_info)

    def detach(self, server: Any, volume_id: str) -> None:
        self.api.delete_server_volume(server['id'], volume_id)
        self._wait_for_volume_detach(server['id'], volume_id)

    def refused(self, server: Any, volume_id: str, words: str) -> None:
        """Nova takes an attachment that failed away again."""
        self.api.post_server_volume(server['id'], {
            'volumeAttachment': {'volumeId': volume_id}})
        wait('the end of it', 60, lambda: volume_id not in [
            one['volumeId']
            for one in self.api.get_server_volumes(server['id'])])
        self.assertEqual({}, self.mounts(self.container(server)))
        self.assertEqual({}, self.cinder.volume_to_attachment[volume_id])
        wait(words, 10, lambda: words in self.log())

    def log(self) -> str:
        return self.stdlog.logger.output

    def assert_no_device(self, path: str) -> None:
        """Everything is written back and let go."""
        self.assertEqual('', run('losetup', '-j', path))
        self.assertEqual('', self.error_of(path))

    @staticmethod
    def error_of(path: str) -> str:
        done = subprocess.run(['e2fsck', '-f', '-n', path],
                              capture_output=True, text=True)
        return done.stdout if done.returncode else ''

    @staticmethod
    def content(path: str, name: str) -> str:
        return run('debugfs', '-R', 'cat ' + name, path)


class Attachment(VolumeTest):

    def setUp(self) -> None:
        super().setUp()
        self.server = self.boot([])
        self.there = self.container(self.server)

    def test_attach_use_detach(self) -> None:
        path = self.make_file()
        volume_id = self.local(path)
        place = self.attach(self.server, volume_id)
        self.there.sh('echo kept > %s/file' % place)
        self.detach(self.server, volume_id)
        self.assertEqual({}, self.mounts(self.there))
        self.assert_no_device(path)
        self.assertEqual('kept', self.content(path, '/file'))
        # A second one gets the place, and the first one what is free.
        other = self.local(self.make_file())
        self.assertEqual(place, self.attach(self.server, other))
        self.assertNotEqual(place, self.attach(self.server, volume_id))
        self.delete(self.server)
        self.assert_no_device(path)
        self.assert_nothing_left()

    def test_kept_by_everything_that_keeps_the_instance(self) -> None:
        path = self.make_file()
        volume_id = self.local(path)
        place = self.attach(self.server, volume_id)
        self.there.sh('echo kept > %s/file' % place)

        def check() -> None:
            self.assertIn(place, self.mounts(self.there))
            self.assertEqual('kept', self.there.sh('cat %s/file' % place))

        for kind in ('SOFT', 'HARD'):
            self.act(self.server, 'reboot', {'type': kind})
            self.idle(self.server)
            self._wait_for_state_change(self.server, 'ACTIVE')
            check()
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.assert_no_device(path)
        self.act(self.server, 'os-start', state='ACTIVE')
        check()
        self.act(self.server, 'suspend', state='SUSPENDED')
        self.act(self.server, 'resume', state='ACTIVE')
        check()
        self.act(self.server, 'rebuild', {'imageRef': self.image})
        self.idle(self.server)
        self._wait_for_state_change(self.server, 'ACTIVE')
        check()
        self.act(self.server, 'rescue', state='RESCUE')
        self.assert_no_device(path)
        self.act(self.server, 'unrescue', state='ACTIVE')
        check()
        # What ends by itself lets go too.
        run('docker', 'kill', self.there.name)
        self._wait_for_state_change(self.server, 'SHUTOFF')
        self.assert_no_device(path)

    def test_of_a_stopped_instance(self) -> None:
        first, second = self.make_file(), self.make_file()
        gone = self.local(first)
        self.attach(self.server, gone)
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.detach(self.server, gone)
        place = self.attach(self.server, self.local(second))
        self.act(self.server, 'os-start', state='ACTIVE')
        self.assertEqual([place], list(self.mounts(self.there)))
        self.assert_no_device(first)

    def test_of_a_paused_instance(self) -> None:
        path = self.make_file()
        self.act(self.server, 'pause', state='PAUSED')
        volume_id = self.local(path)
        place = self.attach(self.server, volume_id)
        self.act(self.server, 'unpause', state='ACTIVE')
        self.assertIn(place, self.mounts(self.there))

    def test_blank_device_grows(self) -> None:
        link = self.make_device(8)
        volume_id = self.local(link)
        place = self.attach(self.server, volume_id)
        self.there.sh('echo kept > %s/file' % place)
        size = 'stat -f -c "%%b" %s' % place
        before = int(self.there.sh(size))
        # Nobody else of the host mounts it meanwhile.
        done = subprocess.run(['mount', link, '/mnt'], capture_output=True)
        self.assertNotEqual(0, done.returncode)
        device = os.readlink(link)
        os.truncate(link.removesuffix('-link'), 32 * MB)
        run('losetup', '-c', device)
        driver = self.computes['host1'].manager.driver
        context = base.context.get_admin_context()
        instance = base.nova.objects.Instance.get_by_uuid(
            context, self.server['id'])
        info = self.connection(volume_id)
        try:
            driver.extend_volume(context, info, instance, 32 * MB)
        except base.nova.exception.NovaException as error:
            # Some kernels let nobody grow what is mounted: at the next
            # start it is.
            self.assertIn('when the VM starts the next time', str(error))
            run('docker', 'exec', self.there.name, 'sync')
        self.act(self.server, 'reboot', {'type': 'HARD'})
        self.idle(self.server)
        self._wait_for_state_change(self.server, 'ACTIVE')
        self.assertGreater(int(self.there.sh(size)), before * 3)
        self.assertEqual('kept', self.there.sh('cat %s/file' % place))
        self.assertRaisesRegex(
            base.nova.exception.NovaException, 'fewer than it is to have',
            driver.extend_volume, context, info, instance, 64 * MB)

    def connection(self, volume_id: str) -> Any:
        return {**self.cinder.VOLUME_CONNECTION_INFO[volume_id],
                'serial': volume_id}

    def test_busy(self) -> None:
        path = self.make_file()
        volume_id = self.local(path)
        place = self.attach(self.server, volume_id)
        self.there.sh('cd %s; sleep 60 >&- 2>&- &' % place)
        self.api.delete_server_volume(self.server['id'], volume_id)
        wait('the refusal', 10, lambda: 'it is in use by sleep' in self.log())
        self.assertIn(place, self.mounts(self.there))
        self.api.get_server_volume(self.server['id'], volume_id)
        self.there.sh('killall sleep || kill $(pidof sleep)')
        self.detach(self.server, volume_id)
        self.assert_no_device(path)

    def test_limits(self) -> None:
        path = self.make_file()
        place = self.attach(self.server, self.local(path, qos_specs={
            'read_bytes_sec': '1048576', 'total_iops_sec': 50}))
        device = self.mounts(self.there)[place]
        number = ':'.join(str(n) for n in (
            os.major(os.stat(device).st_rdev),
            os.minor(os.stat(device).st_rdev)))
        limits = base.disk_limits(self.there)
        self.assertEqual('1048576', limits.get((number, 'read_bps')))
        self.assertEqual('50', limits.get((number, 'write_iops')))
        self.assertNotIn((number, 'write_bps'), limits)

    def test_swap(self) -> None:
        volume_id = self.local(self.make_file())
        place = self.attach(self.server, volume_id)
        other = self.local(self.make_file())
        words = 'cannot exchange a volume'
        try:
            self.admin_api.put_server_volume(self.server['id'], volume_id,
                                             other)
        except client.OpenStackApiException as error:
            # From Nova 31 on it lets Cinder alone ask, in a migration.
            self.assertIn('only be called by Cinder', error.response.text)
            refused = self.assertRaises(
                NotImplementedError,
                self.computes['host1'].manager.driver.swap_volume,
                None, {}, {}, self.server, place, 0)
            self.assertIn(words, str(refused))
        else:
            wait('the refusal', 10, lambda: words in self.log())
        self.assertEqual([place], list(self.mounts(self.there)))
        self.idle(self.server)

    # ---- what is refused ----

    def test_other_places(self) -> None:
        secret = os.path.join(self.folder, 'secret')
        outside = tempfile.mkdtemp(dir=os.environ['LAB_DIR'])
        self.addCleanup(shutil.rmtree, outside)
        target = os.path.join(outside, 'disk')
        shutil.copy(self.make_file(), target)
        os.symlink(target, secret)
        loose = self.make_file()
        os.chmod(loose, 0o666)
        for path, words in (
                (target, 'lies in none of the folders'),
                (self.folder + '/../' + os.path.basename(outside) + '/disk',
                 'lies in none of the folders'),
                (secret, 'leads out of'),
                (loose, 'can be written by everybody'),
                (self.folder + '/absent', 'cannot open'),
                ('disk', 'no device_path that is a path')):
            self.refused(self.server, self.local(path), words)
        os.chmod(self.folder, 0o777)
        # A link that anybody could have made leads to no device.
        link = self.make_device(fs=True)
        self.refused(self.server, self.local(link), 'leads out of')
        os.chmod(self.folder, 0o700)
        self.attach(self.server, self.local(link))

    def test_other_kinds(self) -> None:
        good = self.make_file()
        self.refused(self.server, self.volume('rbd', name='x'),
                     'are not supported')
        self.stub_out(
            'nova.volume.cinder.API.get_volume_encryption_metadata',
            lambda *args: {'encryption_key_id': 'x', 'provider': 'luks'})
        self.refused(self.server, self.local(good, encrypted=True),
                     'attaches no encrypted volumes')
        self.refused(self.server, self.local(good, format='vmdk'),
                     'neither raw nor qcow2')
        swap = self.make_file(fs=False)
        run('mkswap', swap)
        self.refused(self.server, self.local(swap), 'which is no file system')
        self.assertEqual('', run('losetup', '-j', swap))

    def test_two_instances(self) -> None:
        path = self.make_file()
        self.attach(self.server, self.local(path))
        self.configure('disks', 'release_timeout_ms = 500')
        other = self.boot([])
        self.refused(other, self.local(path), 'is in use')


class Booted(VolumeTest):

    def mapping(self, volume_id: str, **more: Any) -> Any:
        return {'block_device_mapping_v2': [
            {'boot_index': 0, 'uuid': self.image, 'source_type': 'image',
             'destination_type': 'local', 'delete_on_termination': True},
            {'boot_index': -1, 'uuid': volume_id, 'source_type': 'volume',
             'destination_type': 'volume', **more}]}

    def test_boot_with_a_volume(self) -> None:
        path = self.make_file()
        volume_id = self.local(path)
        server = self.boot([], **self.mapping(volume_id))
        there = self.container(server)
        place = self.place(server, volume_id)
        self.assertEqual([place], list(self.mounts(there)))
        there.sh('echo kept > %s/file' % place)
        self.act(server, 'shelve', state='SHELVED_OFFLOADED')
        self.assert_no_device(path)
        self.act(server, 'unshelve', state='ACTIVE')
        self.assertEqual('kept', there.sh('cat %s/file' % place))
        self.delete(server)
        self.assert_no_device(path)
        self.assertEqual('kept', self.content(path, '/file'))

    def test_boot_with_a_volume_that_is_wrong(self) -> None:
        good = self.make_file()
        server = self.boot([], 'ERROR', **self.mapping(
            self.local('/etc/passwd')))
        self.assertIn('lies in none of the folders',
                      self.api.get_server(server['id'])['fault']['message'])
        self.assert_no_device(good)
        self.assertEqual([], self.containers())
        self.delete(server)
        self.assert_nothing_left()

    def test_boot_from_a_volume(self) -> None:
        server = self.boot([], 'ERROR', imageRef='', **{
            'block_device_mapping_v2': [
                {'boot_index': 0, 'uuid': self.cinder.IMAGE_BACKED_VOL,
                 'source_type': 'volume', 'destination_type': 'volume'}]})
        self.assertIn('does not boot from a volume',
                      self.api.get_server(server['id'])['fault']['message'])
        self.assertEqual([], self.containers())

    def test_limits_of_the_root(self) -> None:
        self.flavor = self.make_flavor(
            quota__disk_read_bytes_sec='10485760',
            quota__disk_write_iops_sec='200')
        self.image = self.reference_image(
            vmdock_disk_read_bytes_sec='5242880',
            vmdock_disk_write_iops_sec='100000')
        server = self.boot([])
        there = self.container(server)
        for _ in range(2):
            values = {kind: value for (_, kind), value
                      in base.disk_limits(there).items()}
            self.assertEqual({'read_bps': '5242880', 'write_iops': '200'},
                             values)
            self.act(server, 'reboot', {'type': 'HARD'})
            self.idle(server)
            self._wait_for_state_change(server, 'ACTIVE')
        # It is the disk under the layer, and it is slowed down.
        there.sh('dd if=/dev/zero of=/big bs=1M count=12 2>/dev/null; sync')
        run('sh', '-c', 'echo 3 > /proc/sys/vm/drop_caches')
        began = time.monotonic()
        there.sh('cat /big > /dev/null')
        self.assertGreater(time.monotonic() - began, 1.5)


class Share(VolumeTest):
    """NFS, whose mount is played by one of a folder."""

    def setUp(self) -> None:
        super().setUp()
        self.calls = os.path.join(self.folder, 'mount.log')
        program = os.path.join(self.folder, 'mount')
        with open(program, 'w', encoding='utf-8') as file:
            file.write(MOUNT % {'log': self.calls})
        os.chmod(program, 0o755)
        self.export = os.path.join(self.folder, 'export')
        os.mkdir(self.export)
        self.configure('nova', 'mount = %s\nshares = nas:%s' % (
            program, self.export))

    def shared(self, fs: bool = True, **data: Any) -> tuple[str, str]:
        path = self.make_file(fs=fs)
        name = os.path.basename(path)
        os.rename(path, os.path.join(self.export, name))
        return self.volume('nfs', export='nas:' + self.export, name=name,
                           **data), os.path.join(self.export, name)

    def mounted(self) -> list[str]:
        with open('/proc/mounts', encoding='utf-8') as file:
            return [line for line in file if PLACE + '/share/' in line]

    def test_lives_as_long_as_its_users(self) -> None:
        server, other = self.boot([]), self.boot([])
        first, path = self.shared(options='-o vers=4.1,nolock')
        second, _ = self.shared()
        # As Cinder leaves its files to everybody behind a share's server.
        os.chmod(path, 0o666)
        place = self.attach(server, first)
        self.attach(other, second)
        self.assertEqual(1, len(self.mounted()))
        with open(self.calls, encoding='utf-8') as file:
            self.assertRegex(file.read(), re.compile(
                r'\A-t nfs -o vers=4.1,nolock,nodev,nosuid,noexec nas:\S+ '
                r'\S+/share/[0-9a-f]{64}\n\Z'))
        self.container(server).sh('echo kept > %s/file' % place)
        self.detach(server, first)
        self.assertEqual(1, len(self.mounted()))
        self.assertEqual('kept', self.content(path, '/file'))
        self.delete(other)
        self.assertEqual([], self.mounted())

    def test_qcow2(self) -> None:
        volume_id, path = self.shared(format='qcow2')
        run('qemu-img', 'convert', '-O', 'qcow2', path, path + '.new')
        os.rename(path + '.new', path)
        server = self.boot([])
        place = self.attach(server, volume_id)
        self.container(server).sh('echo kept > %s/file' % place)
        self.act(server, 'os-stop', state='SHUTOFF')
        self.assertEqual([], self.mounted())
        self.act(server, 'os-start', state='ACTIVE')
        self.assertEqual('kept', self.container(server).sh(
            'cat %s/file' % place))
        self.delete(server)
        self.assertEqual([], self.mounted())
        self.assert_nothing_left()

    def test_start_that_fails(self) -> None:
        volume_id, path = self.shared()
        server = self.boot([])
        self.attach(server, volume_id)
        self.act(server, 'os-stop', state='SHUTOFF')
        with open(path, 'r+b') as file:
            file.write(b'no file system' * 8192)
        self.api.post_server_action(server['id'], {'os-start': None})
        self.idle(server)
        self.assertEqual('exited', self.container(server).status)
        self.assertEqual([], self.mounted())
        self.delete(server)
        self.assert_nothing_left()

    def test_refused(self) -> None:
        server = self.boot([])
        good, path = self.shared()
        name = os.path.basename(path)
        for data, words in (
                ({'export': 'nas:/etc'}, 'none that [nova] shares'),
                ({'export': '-oops'}, 'names no export'),
                ({'name': '../mount'}, 'names no file'),
                ({'name': 'absent'}, 'cannot open'),
                ({'options': '-o suid,vers=3'}, 'with the option'),
                ({'options': '-o vers=3;reboot'}, 'with the option')):
            self.refused(server, self.volume('nfs', **{
                'export': 'nas:' + self.export, 'name': name, **data}), words)
            self.assertEqual([], self.mounted())


class Iscsi(VolumeTest):
    """The sessions are os-brick's; a device that is of none is refused."""

    def test_no_other_device(self) -> None:
        brick = mock.Mock()
        server = self.boot([])
        link = self.make_device(fs=True)
        brick.connect_volume.return_value = {'path': os.readlink(link)}
        volume_id = self.volume('iscsi', target_iqn='iqn.x', target_lun=1,
                                auth_password='secret')
        with mock.patch.object(volumes.connector.InitiatorConnector,
                               'factory', return_value=brick):
            self.refused(server, volume_id, 'is no device of an iSCSI session')
        brick.connect_volume.assert_called_once()
        self.assertEqual('iqn.x', brick.connect_volume.call_args[0][0][
            'target_iqn'])
        brick.disconnect_volume.assert_called_once()

    def start_target(self) -> str:
        """A target with a disk, of tgt's, which needs nothing of the kernel;
        its name."""
        name = 'iqn.2026-01.lab:' + uuid.uuid4().hex
        target = subprocess.Popen(
            ['tgtd', '-f', '-C', '7', '--iscsi', 'portal=' + PORTAL],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(target.wait)
        self.addCleanup(target.kill)  # while it has a disk it hears no other
        admin = ('tgtadm', '-C', '7', '--lld', 'iscsi', '--tid', '1')
        wait('the target', 20, lambda: not subprocess.run(
            [*admin, '--op', 'new', '--mode', 'target', '-T', name],
            capture_output=True).returncode)
        run(*admin, '--op', 'new', '--mode', 'logicalunit', '--lun', '1',
            '-b', self.make_file())
        run(*admin, '--op', 'bind', '--mode', 'target', '-I', 'ALL')
        return name

    def test_kernel_without_sessions(self) -> None:
        """os-brick itself, and a real target: the kernel has the last word,
        and what has been begun is taken back."""
        if os.path.exists('/sys/class/iscsi_transport'):
            self.skipTest('this kernel has sessions')
        self.flags(num_volume_scan_tries=1, group='libvirt')
        server = self.boot([])
        name = self.start_target()
        volume_id = self.volume(
            'iscsi', target_iqn=name, target_portal=PORTAL, target_lun=1,
            target_discovered=False)
        self.refused(server, volume_id,
                     'could not be attached. Reason: os-brick: ')
        self.assertIn('Failed to login iSCSI target ' + name, self.log())
        self.assertNotIn(name, run('iscsiadm', '-m', 'node', check=False))
        self.assertEqual('running', self.container(server).status)
        self.delete(server)
        self.assert_nothing_left()

    def test_connector(self) -> None:
        found = volumes.properties()
        self.assertEqual(base.nova.conf.CONF.my_block_storage_ip, found['ip'])
        self.assertEqual(base.nova.conf.CONF.host, found['host'])
        self.assertIn('initiator', found)


class Moves(VolumeTest):
    hosts = ('host1', 'host2')
    shared_engine = True

    def setUp(self) -> None:
        super().setUp()
        self.server = self.boot([], host='host1')
        self.source = self.container_on(self.server, 'host1')
        self.dest = self.container_on(self.server, 'host2')
        self.path = self.make_file()
        self.place_ = self.attach(self.server, self.local(self.path),
                                  self.source)
        self.source.sh('echo moved > %s/file' % self.place_)

    def check(self, there: Container) -> None:
        self.assertEqual('moved', there.sh('cat %s/file' % self.place_))
        self.assertEqual([self.place_], list(self.mounts(there)))

    def test_migrate_and_confirm(self) -> None:
        self.act(self.server, 'migrate', {'host': 'host2'}, 'VERIFY_RESIZE')
        self.check(self.dest)
        self.act(self.server, 'confirmResize', state='ACTIVE')
        self.idle(self.server)
        self.check(self.dest)
        self.delete(self.server)
        self.assert_no_device(self.path)
        self.assert_nothing_left()

    def test_migrate_and_revert(self) -> None:
        self.act(self.server, 'migrate', {'host': 'host2'}, 'VERIFY_RESIZE')
        self.act(self.server, 'revertResize', state='ACTIVE')
        self.idle(self.server)
        self.check(self.source)

    def test_evacuate(self) -> None:
        self.lose('host1')
        run('docker', 'kill', self.source.name)
        self.act(self.server, 'evacuate', {'host': 'host2'})
        self.idle(self.server)
        self._wait_for_state_change(self.server, 'ACTIVE')
        self.check(self.dest)


class ResizeInPlace(VolumeTest):

    def test_confirm_and_revert(self) -> None:
        self.flags(allow_resize_to_same_host=True)
        server = self.boot([])
        there = self.container(server)
        place = self.attach(server, self.local(self.make_file()))
        there.sh('echo kept > %s/file' % place)
        for ram, end in ((96, 'revertResize'), (96, 'confirmResize')):
            self.act(server, 'resize', {
                'flavorRef': self.make_flavor(ram=ram)}, 'VERIFY_RESIZE')
            self.assertEqual('kept', there.sh('cat %s/file' % place))
            self.act(server, end, state='ACTIVE')
            self.idle(server)
            self.assertEqual('kept', there.sh('cat %s/file' % place))
