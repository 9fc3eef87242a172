# SPDX-License-Identifier: Apache-2.0
"""The real Nova in one process, on the lab's real engine.

Real: API, scheduler, conductor, compute manager, resource tracker,
placement, os-vif, vmdock-nova, engine, namespaces and bridges. Fakes of
Nova's own: Neutron, Glance, Cinder, the message bus.
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from typing import Any

PREFIX = os.environ['LAB_PREFIX']
PACKAGES = os.path.join(PREFIX, 'lib/python3/dist-packages')
sys.path.insert(0, PACKAGES)
os.environ.setdefault('OS_TEST_TIMEOUT', '600')

import nova.monkey_patch  # noqa: F401,E402  as nova-compute begins
import fixtures  # noqa: E402
from nova import context  # noqa: E402
from nova.tests.fixtures import GlanceFixture  # noqa: E402
from nova.tests.fixtures import conf as conf_fixture  # noqa: E402
from nova.tests.functional import integrated_helpers  # noqa: E402
import nova.test  # noqa: E402
import nova.virt  # noqa: E402
from glanceclient.common import utils as glance_utils  # noqa: E402
import vmdock_nova.conf  # noqa: E402

nova.virt.__path__.append(os.path.join(PACKAGES, 'nova/virt'))

from nova.virt.vmdock import DockerDriver  # noqa: E402
import vif_plug_linux_bridge.privsep  # noqa: E402
import vif_plug_ovs.privsep  # noqa: E402

# The test is root: what os-vif does as root it does in this process.
for part in (vif_plug_linux_bridge.privsep, vif_plug_ovs.privsep):
    part.vif_plug.set_client_mode(False)

SHIM = os.path.join(PREFIX, 'libexec/vmdock/vmdock-nova')
IMAGE = 'lab/vm:1'
ENGINE = '/run/docker.sock'
BETWEEN = '/run/between.sock'
PIECE = 1 << 16
STATE = os.path.join(PREFIX, 'var/lib/vmdock')
CONTAINERS = ('docker', 'ps', '-a', '--format', '{{.Names}}',
              '--filter', 'label=vmdock.vm')
IMAGES = ('docker', 'images', '--format', '{{.Repository}}:{{.Tag}}')


def run(*argv: str, check: bool = True) -> str:
    done = subprocess.run(argv, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise AssertionError('%s: %s' % (' '.join(argv), done.stderr))
    return done.stdout.strip()


def _identity(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


class Identified(DockerDriver):
    """Of several hosts in one process: from Nova 27 on a machine tells its
    identity by a file."""

    def get_nodenames_by_uuid(self, refresh: bool = False) -> dict[str, str]:
        return {_identity(name): name for name in self.get_available_nodes()}

    def get_available_resource(self, nodename: str) -> dict[str, Any]:
        return {**super().get_available_resource(nodename),
                'uuid': _identity(nodename)}


def checksum(content: bytes) -> str:
    """Glance's."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def wait(what: str, seconds: float, test: Any, pause: float = 0.05) -> Any:
    end = time.monotonic() + seconds
    while True:
        found = test()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError('not within %s s: %s' % (seconds, what))
        time.sleep(pause)


class Images(GlanceFixture):
    """Nova's fake of Glance forgets what is uploaded in an update, and
    glanceclient looks whether a download has its checksum."""

    def download(self, context: Any, image_id: str, data: Any = None,
                 dst_path: Any = None, trusted_certs: Any = None) -> None:
        image = self.show(context, image_id)
        content = self._imagedata.get(image_id, b'')
        pieces = (content[at:at + PIECE]
                  for at in range(0, len(content), PIECE))
        if image['checksum']:
            pieces = glance_utils.integrity_iter(pieces, image['checksum'])
        for piece in pieces:
            data.write(piece)

    def create(self, context: Any, metadata: Any, data: Any = None) -> Any:
        for name in ('min_disk', 'min_ram'):
            metadata[name] = int(metadata.get(name) or 0)
        return super().create(context, metadata, data)

    def update(self, context: Any, image_id: str, metadata: Any,
               data: Any = None, purge_props: bool = False) -> Any:
        metadata = dict(metadata)
        if data is not None:
            content = data.read()
            self._imagedata[image_id] = content
            metadata.update(size=len(content), status='active',
                            checksum=checksum(content))
        return super().update(context, image_id, metadata,
                              purge_props=purge_props)


class Engine:
    """The engine, which fails when it is told to."""

    def __init__(self) -> None:
        if os.path.exists(BETWEEN):  # of a run that was killed
            os.unlink(BETWEEN)
        self._process = subprocess.Popen(
            [sys.executable, os.path.join(os.path.dirname(
                os.path.abspath(__file__)), 'between.py'), BETWEEN, ENGINE],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        wait('the socket', 10, lambda: os.path.exists(BETWEEN))

    def _order(self, **order: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + '\n')
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def fail(self, number: int, how: str, *command: str,
             on: str = '') -> None:
        self._order(at=number, how=how, run=command, on=on)

    def heal(self) -> str | None:
        """What should have failed, if it was asked for."""
        request: str | None = self._order()['failed']
        return request

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


class Container:
    """A container as the engine and the kernel show it, on the host that
    ENTER leads to."""

    def __init__(self, name: str, enter: tuple[str, ...] = ()) -> None:
        self.name = name
        self._enter = enter

    def inspect(self) -> Any:
        text = run(*self._enter, 'docker', 'inspect', self.name, check=False)
        found = json.loads(text or '[]')
        return found[0] if found else None

    def exists(self) -> bool:
        return self.inspect() is not None

    @property
    def status(self) -> str:
        return self.inspect()['State']['Status']

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self.inspect()['State']['Pid']

    def sh(self, script: str) -> str:
        return run(*self._enter, 'docker', 'exec', self.name,
                   'sh', '-c', script)

    def links(self) -> dict[str, Any]:
        text = run(*self._enter, 'ip', '-n', self.name, '-json', 'addr')
        return {link['ifname']: link for link in json.loads(text)}

    def addresses(self, name: str) -> set[str]:
        return {'%s/%d' % (one['local'], one['prefixlen'])
                for one in self.links()[name]['addr_info']
                if one['scope'] == 'global'}


def cgroup_file(pid: int, name: str, old: str) -> str:
    """The content of a file of its control group: of version 2 by the one
    name, of version 1 by the other, CONTROLLER/FILE."""
    controller, file = old.split('/')
    with open('/proc/%d/cgroup' % pid, encoding='utf-8') as lines:
        groups = dict(line.strip().split(':', 2)[1:] for line in lines)
    for controllers, path in groups.items():
        if controller in controllers.split(','):
            return run('cat', '/sys/fs/cgroup/%s%s/%s' % (
                controller, path, file))
    return run('cat', '/sys/fs/cgroup%s/%s' % (groups[''], name))


def disk_limits(there: Container) -> dict[tuple[str, str], str]:
    """Limit by device and kind, of cgroup v1 or v2."""
    words = {'rbps': 'read_bps', 'wbps': 'write_bps', 'riops': 'read_iops',
             'wiops': 'write_iops'}
    found = {}
    pid = there.pid
    for word, name in words.items():
        old = 'blkio/blkio.throttle.%s_device' % name
        for line in cgroup_file(pid, 'io.max', old).splitlines():
            device, *pairs = line.split()
            for pair in pairs:
                key, _, value = pair.rpartition('=')
                if key in ('', word) and value != 'max':
                    found[(device, name)] = value
    return found


class Configuration(conf_fixture.ConfFixture):
    """Nova's own looks for a file of its source tree."""

    def setUp(self) -> None:
        super().setUp()
        self.conf.set_default('api_paste_config', '/etc/nova/api-paste.ini',
                              group='wsgi')


nova.test.nova_fixtures.ConfFixture = Configuration
nova.test.nova_fixtures.GlanceFixture = Images
vmdock_nova.conf.register(nova.conf.CONF)


class NovaTest(integrated_helpers.ProviderUsageBaseTestCase):
    compute_driver = 'vmdock.DockerDriver'
    microversion = '2.93'  # Nova 26's last
    hosts = ('host1',)
    shared_engine = False
    command = [SHIM]
    # How commands get to the machines that there are, and their vmdock.conf.
    machines: tuple[tuple[str, ...], ...] = ((),)
    configurations: tuple[str, ...] = (
        os.path.join(PREFIX, 'etc/vmdock/vmdock.conf'),)
    glance_archive: bytes | None = None

    def setUp(self) -> None:
        super().setUp()
        self.bridge = 'brq' + self.neutron.network_1['id'][:11]
        self.flags(command=self.command, shared_engine=self.shared_engine,
                   group='vmdock')
        self.flags(vif_plugging_timeout=10)
        self.flags(lock_path=self.useFixture(fixtures.TempDir()).path,
                   group='oslo_concurrency')
        self.addCleanup(self._clear)
        self.useFixture(fixtures.MockPatch('nova.virt.vmdock.DockerDriver',
                                           Identified))
        self.computes = {host: self._start_compute(host)
                         for host in self.hosts}
        self.image = self.reference_image()
        self.flavor = self.make_flavor()

    def _clear(self) -> None:
        """Whatever a failed test has left."""
        for enter in self.machines:
            self._clear_machine(enter)
        for link in json.loads(run('ip', '-json', 'link')):
            if link['ifname'].startswith(
                    ('tap', 'brq', 'qbr', 'qvo')):
                run('ip', 'link', 'del', link['ifname'], check=False)

    @staticmethod
    def _clear_machine(enter: tuple[str, ...]) -> None:
        for name in run(*enter, *CONTAINERS).split():
            run(*enter, 'docker', 'rm', '-f', '-v', name, check=False)
        for line in run(*enter, 'ip', 'netns', check=False).splitlines():
            run(*enter, 'ip', 'netns', 'del', line.split()[0], check=False)
        for name in run(*enter, *IMAGES).split():
            if name.startswith('vmdock/'):
                run(*enter, 'docker', 'rmi', '-f', name, check=False)
        run(*enter, 'find', STATE, '-mindepth', '1', '-delete', check=False)

    def _wait_for_server_parameter(
            self, server: Any, expected_params: Any, max_retries: int = 0,
            api: Any = None) -> Any:
        """Nova's own gives a busy machine five seconds."""
        asked = api or self.admin_api

        def found() -> Any:
            now = asked.get_server(server['id'])
            return now if expected_params.items() <= now.items() else None
        return wait(expected_params, 60, found, 0.2)

    # ---- what there is ----

    def everywhere(self, *argv: str, check: bool = True) -> str:
        """What a command says on each machine."""
        return '\n'.join(run(*enter, *argv, check=check)
                         for enter in self.machines).strip()

    def containers(self) -> list[str]:
        return self.everywhere(*CONTAINERS).split()

    def cached(self, image_id: str) -> str:
        """The name that a host has for an image of Glance's."""
        return 'vmdock/glance:%s-%s' % (
            image_id, self.glance.images[image_id]['checksum'])

    def image_names(self) -> list[str]:
        return [name for name in self.everywhere(*IMAGES).split()
                if name.startswith('vmdock/')]

    def container(self, server: Any) -> Container:
        return Container('nova-' + server['id'])

    @staticmethod
    def container_on(server: Any, host: str) -> Container:
        """Where hosts share an engine."""
        mark = hashlib.sha256(host.encode()).hexdigest()[:6]
        return Container('nova-%s-%s' % (server['id'], mark))

    def assert_nothing_left(self, cached: bool = False) -> None:
        """CACHED: but for what Nova clears with its image cache, archives
        among it that wait for a signature's end."""
        self.assertEqual([], self.containers())
        names = [name for name in self.image_names()
                 if not (cached and name.startswith(
                     ('vmdock/glance:', 'vmdock/glance-waiting:')))]
        self.assertEqual([], names)
        self.assertEqual('', self.everywhere('ip', 'netns'))
        self.assertEqual([], [link['ifname'] for link in json.loads(
            run('ip', '-json', 'link')) if link['ifname'].startswith('tap')])
        self.assertEqual('', self.everywhere(
            'find', STATE, '-maxdepth', '1', '-name', 'nova-*', check=False))

    def configure(self, group: str, line: str) -> None:
        """Sets LINE in the hosts' configuration until the test ends."""
        for path in self.configurations:
            with open(path, encoding='utf-8') as file:
                before = file.read()
            self.addCleanup(self._write, path, before)
            self._write(path, '%s\n[%s]\n%s\n' % (before, group, line))

    @staticmethod
    def _write(path: str, text: str) -> None:
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)

    # ---- images, flavors, ports ----

    def reference_image(self, **properties: str) -> str:
        return self._image({'vmdock_image': IMAGE, **properties}, b'',
                           container_format='bare')

    def archive_image(self, content: bytes, **properties: str) -> str:
        return self._image(properties, content, container_format='docker')

    def _image(self, properties: dict[str, str], content: bytes,
               **more: Any) -> str:
        image_id = str(uuid.uuid4())
        self.glance.create(context.get_admin_context(), {
            'id': image_id, 'name': 'image', 'status': 'active',
            'size': len(content), 'min_ram': 0, 'min_disk': 0,
            'disk_format': 'raw', 'visibility': 'public',
            'created_at': None, 'updated_at': None, 'deleted_at': None,
            'deleted': False, 'tags': [],
            'checksum': checksum(content) if content else None,
            'properties': properties, **more},
            data=io.BytesIO(content) if content else None)
        return image_id

    @classmethod
    def archive(cls) -> bytes:
        if NovaTest.glance_archive is None:
            NovaTest.glance_archive = subprocess.run(
                ['docker', 'save', IMAGE], capture_output=True,
                check=True).stdout
        return NovaTest.glance_archive

    def make_flavor(self, ram: int = 64, vcpus: int = 1,
                    **extra: str) -> str:
        flavor_id = str(uuid.uuid4())
        self.admin_api.post_flavor({'flavor': {
            'id': flavor_id, 'name': flavor_id, 'ram': ram,
            'vcpus': vcpus, 'disk': 1}})
        if extra:
            self.admin_api.post_extra_spec(flavor_id, {'extra_specs': {
                key.replace('__', ':'): value
                for key, value in extra.items()}})
        return flavor_id

    def make_port(self, number: int, dual: bool = True, active: bool = True,
                  **more: Any) -> Any:
        """A port of the network, with the MAC and addresses of NUMBER."""
        port = copy.deepcopy(self.neutron.port_1)
        fixed = [{'ip_address': '192.168.1.%d' % number,
                  'subnet_id': self.neutron.subnet_1['id']}]
        if dual:
            fixed.insert(0, {
                'ip_address': 'fd37:44e8:ad06::%x' % number,
                'subnet_id': self.neutron.subnet_ipv6_1['id']})
        port.update({
            'id': str(uuid.uuid4()), 'fixed_ips': fixed,
            'mac_address': 'fa:16:3e:00:00:%02x' % number,
            'status': 'ACTIVE' if active else 'DOWN',
            'binding:vif_type': 'bridge', **more})
        self.neutron._ports[port['id']] = port
        return port

    # ---- servers ----

    def boot(self, ports: Any, state: str | None = 'ACTIVE',
             **more: Any) -> Any:
        server = {
            'name': 'web one', 'imageRef': self.image,
            'flavorRef': self.flavor,
            'networks': [{'port': port['id']} for port in ports] or 'none',
            **more}
        made = self.api.post_server({'server': server})
        return self._wait_for_state_change(made, state) if state else made

    def tried(self, server: Any) -> set[str]:
        """The hosts on which Nova has begun to build it."""
        path = '/servers/%s/os-instance-actions' % server['id']
        [done] = self.admin_api.api_get(path).body['instanceActions']
        events = self.admin_api.api_get(
            '%s/%s' % (path, done['request_id'])).body['instanceAction']
        return {event['host'] for event in events['events'] if event[
            'event'] == 'compute__do_build_and_run_instance'}

    def act(self, server: Any, action: str, argument: Any = None,
            state: str | None = None) -> Any:
        self.api.post_server_action(server['id'], {action: argument})
        return self._wait_for_state_change(server, state) if state else None

    def idle(self, server: Any) -> Any:
        """The server when nothing is being done to it any more."""
        return wait('an idle server', 30, lambda: next((
            found for found in [self.api.get_server(server['id'])]
            if found['OS-EXT-STS:task_state'] is None), None))

    def lose(self, host: str) -> None:
        """Its service is dead, and Nova is told so: evacuation may begin."""
        self.computes[host].stop()
        self._forced_down(host, True)

    def find(self, host: str) -> None:
        """It is back."""
        self.computes[host].start()
        self._forced_down(host, False)

    def _forced_down(self, host: str, down: bool) -> None:
        service = self.admin_api.get_services(binary='nova-compute',
                                              host=host)[0]
        self.admin_api.put_service(service['id'], {'forced_down': down})

    def delete(self, server: Any) -> None:
        self.api.delete_server(server['id'])
        self._wait_until_deleted(server)

    def announce_when_plugged(self, server: Any, port: Any,
                              status: str = 'completed') -> None:
        """What Neutron does: tells Nova when the host end is there."""
        name = ('tap' + port['id'])[:14]

        def agent() -> None:
            wait('the host end', 20, lambda: os.path.exists(
                '/sys/class/net/' + name))
            self.admin_api.api_post('/os-server-external-events', {
                'events': [{'name': 'network-vif-plugged',
                            'server_uuid': server['id'],
                            'tag': port['id'], 'status': status}]})

        threading.Thread(target=agent, daemon=True).start()
