# SPDX-License-Identifier: Apache-2.0
"""The class against the installed Nova's, and what a host tells of itself."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import tempfile
import time
from unittest import mock

from nova import exception
from nova.virt import driver as virt_driver
from nova.virt.vmdock import DockerDriver

import base
from base import run, wait
from vmdock_nova.shim import Call, ShimError


CALLED = """
    __init__ init_host cleanup_host register_event_listener
    get_available_nodes get_available_resource update_provider_tree get_info
    list_instance_uuids list_instances get_num_instances instance_exists
    spawn destroy cleanup power_off power_on reboot pause unpause suspend
    resume resume_state_on_host_boot rescue unrescue snapshot
    get_console_output get_vnc_console get_serial_console get_spice_console
    get_mks_console attach_interface detach_interface plug_vifs unplug_vifs
    attach_volume detach_volume extend_volume swap_volume
    get_volume_connector get_host_ip_addr migrate_disk_and_power_off
    finish_migration confirm_migration finish_revert_migration
    set_admin_password get_diagnostics get_instance_diagnostics
    get_host_uptime get_host_cpu_stats delete_instance_files
    manage_image_cache""".split()
KINDS = """
    SPEC POLICY NO_VM STATE BUSY NO_IMAGE REGISTRY ENGINE_DOWN ENGINE_TIMEOUT
    ENGINE_GARBLED ENGINE_REFUSED NO_BRIDGE NETWORK SANDBOX DEAD NO_SPACE IO
    UNSUPPORTED DUPLICATE INTERRUPTED CONFIG USAGE INTERNAL""".split()
INHERITED = """
    rebuild instance_on_disk manages_network_binding_host_id
    network_binding_host_id prepare_for_spawn
    prepare_networks_before_block_device_mapping default_root_device_name
    default_device_names_for_instance get_device_name_for_instance
    node_is_available capabilities_as_traits trigger_crash_dump
    check_instance_shared_storage_local check_can_live_migrate_destination
    live_migration""".split()


class Signatures(base.nova.test.NoDBTestCase):

    def test_each_method_takes_what_nova_passes(self) -> None:
        """By position and by name, as the base class of this release."""
        for name, own in inspect.getmembers(DockerDriver,
                                            inspect.isfunction):
            theirs = getattr(virt_driver.ComputeDriver, name, None)
            if name.startswith('_') or theirs is None or \
                    name not in DockerDriver.__dict__:
                continue
            mine = inspect.signature(own)
            values = [object()] * len(inspect.signature(theirs).parameters)
            mine.bind(*values)
            named = [p for p in mine.parameters.values()
                     if p.kind is p.POSITIONAL_OR_KEYWORD]
            for parameter, own_one in zip(
                    inspect.signature(theirs).parameters, named):
                self.assertEqual(parameter, own_one.name, name)

    def test_calls_of_later_releases(self) -> None:
        """What Nova 31 and its followers pass that this one does not."""
        for name, count, names in (
                ('power_off', 3, ()), ('power_on', 6, ()), ('rescue', 7, ()),
                ('resume', 5, ()), ('resume_state_on_host_boot', 5, ()),
                ('reboot', 4, ('accel_info', 'bad_volumes_callback',
                               'block_device_info', 'share_info'))):
            inspect.signature(getattr(DockerDriver, name)).bind(
                object(), *[object()] * count, **dict.fromkeys(names))

    def test_block_devices_at_start_are_found_beside_shares(self) -> None:
        begin = DockerDriver.resume_state_on_host_boot
        for arguments, names in (((1, 2, 3), {}), ((1, 2, 3, 4), {}),
                                 ((1, 2, 3), {'block_device_info': 4}),
                                 ((1, 2, 3, 'shares', 4), {}),
                                 ((1, 2, 3, 'shares'),
                                  {'block_device_info': 4})):
            host = mock.Mock()
            begin(host, *arguments, **names)
            block_devices = 4 if 4 in (*arguments, *names.values()) else None
            host.power_on.assert_called_once_with(1, 2, 3, block_devices)

    def test_nothing_is_named_that_nova_does_not_call(self) -> None:
        known = dir(virt_driver.ComputeDriver)
        for name in DockerDriver.__dict__:
            self.assertTrue(name.startswith('_') or name in known, name)

    def test_contract_as_a_whole(self) -> None:
        """What Nova calls in an instance's life: it is here, or what the
        base class does of it is right."""
        for name in CALLED:
            self.assertIn(name, DockerDriver.__dict__)
        for name in INHERITED:
            self.assertNotIn(name, DockerDriver.__dict__)
            self.assertTrue(hasattr(virt_driver.ComputeDriver, name), name)
        driver = DockerDriver(None)
        # Nova then powers off, destroys and spawns.
        taken = inspect.signature(driver.rebuild).parameters
        self.assertRaises(NotImplementedError, driver.rebuild,
                          *[None] * len(taken))
        # An evacuated instance begins with its image.
        self.assertFalse(driver.instance_on_disk(None))
        # Neutron binds ports to the host of the service.
        self.assertFalse(driver.manages_network_binding_host_id())
        for name in ('has_imagecache', 'supports_attach_interface',
                     'supports_evacuate', 'supports_extend_volume',
                     'supports_migrate_to_same_host'):
            self.assertTrue(driver.capabilities[name], name)
        for name in ('supports_multiattach', 'supports_device_tagging',
                     'supports_trusted_certs'):
            self.assertFalse(driver.capabilities[name], name)

    def test_what_a_failed_build_is_to_nova(self) -> None:
        """Of these Nova tries the next host after a plain NovaException and
        a NIC that cannot be plugged, and not after the others."""
        told = {'NO_IMAGE': exception.ImageUnacceptable,
                'NO_BRIDGE': exception.VirtualInterfacePlugException,
                **dict.fromkeys(('SPEC', 'POLICY', 'DEAD', 'UNSUPPORTED',
                                 'DUPLICATE'),
                                exception.BuildAbortException)}
        uuid = '5f4dcc3b-5aa7-65d6-1d83-27deb882cf99'
        for kind in KINDS:
            found = DockerDriver._spawn_error(
                ShimError(kind, 'VM nova-%s: it is so' % uuid),
                mock.Mock(uuid=uuid), mock.Mock(id=uuid))
            self.assertIs(told.get(kind, exception.NovaException),
                          type(found), kind)
            self.assertRegex(str(found), '^(|.*: )it is so')

    def test_no_eventlet(self) -> None:
        folder = os.path.join(base.PACKAGES, 'vmdock_nova')
        for name in os.listdir(folder):
            if name.endswith('.py'):
                with open(os.path.join(folder, name)) as file:
                    self.assertIsNone(re.search(
                        r'^\s*(import|from) eventlet', file.read(), re.M))


class Protocol(base.nova.test.NoDBTestCase):
    """vmdock-nova by itself, as a caller that means no good uses it."""

    def call(self, text: str, *argv: str) -> tuple[int, str]:
        with tempfile.TemporaryFile('w+') as request:
            request.write(text)
            request.seek(0)
            done = subprocess.run([base.SHIM, *argv], stdin=request,
                                  capture_output=True, text=True)
        last = done.stderr.strip().splitlines()[-1]
        return done.returncode, json.loads(last)['error']

    def test_refusals(self) -> None:
        good = {'host': 'h', 'instance': {
            'uuid': '5f4dcc3b-5aa7-65d6-1d83-27deb882cf99'}}
        for kind, text, argv in (
                ('USAGE', '', ()),
                ('USAGE', '{}', ('info', 'x')),
                ('USAGE', '{}', ('--config', '/tmp/x')),
                ('SPEC', '', ('info',)),
                ('SPEC', '[]', ('info',)),
                ('SPEC', '{"host": "h", "host": "i"}', ('info',)),
                ('SPEC', '{}', ('list',)),
                ('SPEC', '{"host": "h", "instance": {"uuid": "../x"}}',
                 ('destroy',)),
                ('SPEC', '{"host": "h", "x": "%s"}' % ('x' * 5000000),
                 ('list',)),
                ('NO_VM', json.dumps(good), ('info',)),
                ('NO_VM', json.dumps(good), ('power_off',)),
                ('NO_IMAGE', json.dumps(good), ('save',))):
            self.assertEqual(kind, self.call(text, *argv)[1],
                             (text[:80], argv))

    def test_program_that_does_not_read(self) -> None:
        """Its caller need not wait for good to be rid of what it says."""
        for command, answer in (
                ('echo {}', {}),
                ('read -r request; read -r go; echo "$go"', {'go': True})):
            # Which is eventlet's own here, and may not come back.
            with mock.patch.object(os, 'write', side_effect=AssertionError), \
                    Call(['sh', '-c', command], 'list',
                         {'much': 'x' * 500000}) as call:
                call.go_on()
                self.assertEqual(answer, call.finish())

    def test_through_sudo(self) -> None:
        """Nova's user reaches the program, and nothing beside it."""
        run('sh', '-c', 'cp "$0"/etc/sudoers.d/* /etc/sudoers.d/',
            base.PREFIX)
        as_nova = ['setpriv', '--reuid=nova', '--regid=nova',
                   '--clear-groups', 'sudo', '-n']
        done = subprocess.run([*as_nova, base.SHIM, 'list'],
                              input='{"host": "h"}', capture_output=True,
                              text=True)
        self.assertEqual({'instances': []}, json.loads(done.stdout))
        for command in (['/bin/true'],
                        [os.path.join(base.PREFIX, 'bin/vmdock'), 'list']):
            refused = subprocess.run([*as_nova, *command],
                                     capture_output=True)
            self.assertNotEqual(0, refused.returncode)

    def test_another_container_of_the_name(self) -> None:
        uuid = '5f4dcc3b-5aa7-65d6-1d83-27deb882cf99'
        name = 'nova-' + uuid
        run('docker', 'run', '-d', '--name', name, '--network', 'none',
            '--label', 'vmdock.vm=' + name, '--label', 'vmdock.cloud=nova',
            '--label', 'vmdock.host=h', base.IMAGE)
        self.addCleanup(run, 'docker', 'rm', '-f', name)
        text = json.dumps({'host': 'h', 'instance': {'uuid': uuid}})
        for method in ('info', 'destroy', 'power_off', 'console', 'save'):
            self.assertEqual('STATE', self.call(text, method)[1], method)
        listed = subprocess.run([base.SHIM, 'list'], input=text,
                                capture_output=True, text=True).stdout
        self.assertEqual({'instances': []}, json.loads(listed))
        self.assertEqual('running', base.Container(name).status)


class Host(base.NovaTest):

    def test_inventory(self) -> None:
        provider = self._get_provider_uuid_by_host('host1')
        found = self._get_provider_inventory(provider)
        self.assertEqual(os.cpu_count(), found['VCPU']['total'])
        with open('/proc/meminfo', encoding='ascii') as file:
            total = int(re.findall(r'MemTotal:\s+(\d+)', file.read())[0])
        self.assertEqual(total // 1024, found['MEMORY_MB']['total'])
        self.assertGreater(found['DISK_GB']['total'], 0)
        self.assertEqual(512, found['MEMORY_MB']['reserved'])
        node = self.admin_api.api_get('/os-hypervisors/detail').body[
            'hypervisors'][0]
        self.assertEqual('docker', node['hypervisor_type'])
        self.assertGreater(node['hypervisor_version'], 20000000)
        self.assertIn('up', self.admin_api.api_get(
            '/os-hypervisors/%s' % node['id']).body['hypervisor']['uptime'])

    def test_inventory_follows_the_options(self) -> None:
        told = {'VCPU': (4.0, 1), 'MEMORY_MB': (1.2, 256), 'DISK_GB': (1.1, 2)}
        self.flags(cpu_allocation_ratio=4.0, reserved_host_cpus=1,
                   ram_allocation_ratio=1.2, reserved_host_memory_mb=256,
                   disk_allocation_ratio=1.1, reserved_host_disk_mb=2048)
        self._run_periodics()
        found = self._get_provider_inventory(
            self._get_provider_uuid_by_host('host1'))
        self.assertEqual(told, {name: (one['allocation_ratio'],
                                       one['reserved'])
                                for name, one in found.items()})

    def test_what_is_used(self) -> None:
        """Of the engine's folder, and of the memory."""
        disk = os.statvfs(run('docker', 'info', '--format',
                              '{{.DockerRootDir}}'))
        found = self.computes['host1'].manager.driver.get_available_resource(
            'host1')
        self.assertEqual(disk.f_blocks * disk.f_frsize >> 30,
                         found['local_gb'])
        free = disk.f_bavail * disk.f_frsize >> 30
        self.assertAlmostEqual(free, found['disk_available_least'], delta=2)
        self.assertAlmostEqual(found['local_gb'] - free,
                               found['local_gb_used'], delta=3)
        self.assertEqual(0, found['vcpus_used'])
        with open('/proc/meminfo', encoding='ascii') as file:
            available = re.findall(r'MemAvailable:\s+(\d+)', file.read())[0]
        self.assertAlmostEqual(found['memory_mb'] - int(available) // 1024,
                               found['memory_mb_used'],
                               delta=found['memory_mb'] // 4)

    def test_cpu_time_of_the_host(self) -> None:
        def times() -> dict[str, int]:
            with open('/proc/stat', encoding='ascii') as file:
                user, nice, kernel, idle, waits = (
                    int(word) * 1000000000 // os.sysconf('SC_CLK_TCK')
                    for word in file.readline().split()[1:6])
            return {'user': user + nice, 'kernel': kernel, 'idle': idle,
                    'iowait': waits}
        before = times()
        found = self.computes['host1'].manager.driver.get_host_cpu_stats()
        after = times()
        self.assertGreaterEqual(found.pop('frequency'), 0)
        self.assertEqual(sorted(before), sorted(found))
        for kind, time_ns in found.items():
            # The kernel may take back some waiting.
            self.assertGreaterEqual(time_ns, before[kind] - 10**9, kind)
            self.assertLessEqual(time_ns, after[kind] + 10**9, kind)

    def test_engine_that_is_down_is_told_at_the_start(self) -> None:
        run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" stop')
        try:
            driver = DockerDriver(None)
            error = self.assertRaises(Exception, driver.init_host, 'host3')
            self.assertIn('vmdock cannot work on this host', str(error))
        finally:
            run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" start')

    def test_command_that_is_missing_is_told_at_the_start(self) -> None:
        self.flags(command=['/nowhere/vmdock-nova'], group='vmdock')
        driver = DockerDriver(None)
        error = self.assertRaises(exception.NovaException, driver.init_host,
                                  'host3')
        self.assertIn('cannot run /nowhere/vmdock-nova: No such file',
                      str(error))

    def test_events_outlive_the_engine(self) -> None:
        server = self.boot([])
        run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" stop')
        run('sh', '-c', 'exec "$LAB" engine "$LAB_DIR" start')
        wait('SHUTOFF', 20, lambda: self.api.get_server(
            server['id'])['status'] == 'SHUTOFF')
        self.act(server, 'os-start', state='ACTIVE')
        time.sleep(1)
        run('docker', 'kill', self.container(server).name)
        wait('SHUTOFF', 5, lambda: self.api.get_server(
            server['id'])['status'] == 'SHUTOFF')

    def test_nothing_listens_when_nobody_does(self) -> None:
        """The process that hears the events ends with the service."""
        own = 'vmdock-nova events'
        wait('a listener', 5, lambda: own in run('ps', '-eo', 'args'))
        self.computes['host1'].stop()
        wait('none', 5, lambda: own not in run('ps', '-eo', 'args'))

    def test_unused_images_go(self) -> None:
        self.image = self.archive_image(self.archive())
        server = self.boot([])
        manager = self.computes['host1'].manager
        admin = base.context.get_admin_context()
        manager._run_image_cache_manager_pass(admin)
        self.assertIn(self.cached(self.image), self.image_names())
        self.delete(server)
        manager._run_image_cache_manager_pass(admin)
        self.assert_nothing_left()

    def test_admin_password(self) -> None:
        server = self.boot([])
        container = self.container(server)
        container.sh("echo 'root:!:19000:0:99999:7:::' > /etc/shadow")
        self.act(server, 'changePassword', {'adminPass': 'other-word'})
        wait('a hash', 5, lambda: 'root:$6$' in container.sh(
            'cat /etc/shadow'))
