# SPDX-License-Identifier: Apache-2.0
"""Resize and cold migration between two hosts with an engine each."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import sys

import base
import twohosts
from base import Container, run, wait
from twohosts import ADDRESS, LINK, NETWORK, NOVA, SSH

HERE = os.path.dirname(os.path.abspath(__file__))
REGISTRY = '10.77.0.1:5000'
BASE = REGISTRY + '/lab/base:1'
LARGE = 8 << 20
# In nova.conf a dollar is written twice.
LOST = 'ssh "$$@"; s=$$?; case "$$*" in *receive) s=3;; esac; exit $$s'


class Moving(twohosts.TwoHosts):
    number = 0

    def begin(self) -> None:
        self.server = self.boot([self.make_port(self.number)], host='host1')
        self.one = self.container_at(self.server, 'host1')
        self.two = self.container_at(self.server, 'host2')
        self.one.sh('echo kept > /root/file')

    def check(self, there: Container, gone: Container | None = None,
              megabytes: int = 64) -> None:
        self.idle(self.server)
        self.assertEqual('running', there.status)
        self.assertEqual('kept', there.sh('cat /root/file'))
        self.assertEqual(megabytes << 20,
                         there.inspect()['HostConfig']['Memory'])
        self.assertIn('192.168.1.%d/24' % self.number,
                      there.addresses('eth0'))
        self.assertEqual('fa:16:3e:00:00:%02x' % self.number,
                         there.links()['eth0']['address'])
        if gone:
            self.assertFalse(gone.exists())

    def migrate(self, host: str = 'host2') -> None:
        self.act(self.server, 'migrate', {'host': host}, 'VERIFY_RESIZE')

    def refused(self, why: str) -> None:
        """One sentence, and the instance as if nothing had been asked."""
        self.act(self.server, 'migrate', {'host': 'host2'})
        self._wait_for_migration_status(self.server, ['error'])
        self._wait_for_state_change(self.server, 'ACTIVE')
        self.check(self.one, self.two)
        sentence = self.sentence(self.server)
        self.assertIn('the disk cannot go to 10.77.0.2: ', sentence)
        self.assertRegex(sentence, why)
        self.assertNotIn('\n', sentence)
        self.assertEqual([], [name for name in self.image_names()
                              if not name.endswith(':disk.0')])

    def finish(self) -> None:
        self.delete(self.server)
        self.assert_nothing_left()


class OverSsh(Moving):
    number = 81

    def test_resize_and_migrate(self) -> None:
        """Reverted; confirmed; and back to the first host."""
        self.begin()
        resize = {'flavorRef': self.make_flavor(ram=96, vcpus=2)}
        self.act(self.server, 'resize', resize, 'VERIFY_RESIZE')
        self.check(self.two, megabytes=96)
        self.two.sh('echo lost > /root/file')
        self.assertEqual('exited', self.one.status)
        self.act(self.server, 'revertResize', state='ACTIVE')
        self.check(self.one, self.two)

        self.act(self.server, 'resize', resize, 'VERIFY_RESIZE')
        self.act(self.server, 'confirmResize', state='ACTIVE')
        self.check(self.two, self.one, 96)

        self.migrate('host1')
        self.act(self.server, 'confirmResize', state='ACTIVE')
        self.check(self.one, self.two, 96)
        self.finish()

    def ssh(self, *more: str) -> None:
        self.flags(ssh=[*SSH, *more], group='vmdock')

    def test_failures(self) -> None:
        self.begin()
        began = self.one.inspect()['State']['StartedAt']
        self.ssh('-p', '2222')
        self.refused('Connection refused')
        self.ssh('-o', 'IdentitiesOnly=yes', '-i', '/dev/null')
        self.refused(r'Permission denied \(publickey\)')
        # Nobody has stopped it for that.
        self.assertEqual(began, self.one.inspect()['State']['StartedAt'])
        self.ssh('-o', 'ProxyCommand=%s %s/cut.py %%h %%p 400000' % (
            sys.executable, HERE))
        self.refused('Broken pipe|closed|reset')
        self.assertNotEqual(began, self.one.inspect()['State']['StartedAt'])
        # All has arrived, and nobody hears of it.
        self.flags(ssh=[*NOVA, 'sh', '-c', LOST, 'ssh'], group='vmdock')
        self.refused('status 3')
        self.act(self.server, 'os-stop', state='SHUTOFF')
        self.act(self.server, 'migrate', {'host': 'host2'})
        self._wait_for_migration_status(self.server, ['error'])
        self.idle(self.server)
        self._wait_for_state_change(self.server, 'SHUTOFF')
        self.assertEqual('exited', self.one.status)
        self.finish()

    def test_evacuate(self) -> None:
        """Off a host whose service alone is dead: its container goes when
        the service is back, and nothing else does."""
        self.begin()
        other = 'docker --host unix://' + twohosts.SOCKET
        run('sh', '-c', 'docker save %s | %s load' % (base.IMAGE, other))
        self.addCleanup(run, *other.split(), 'rmi', base.IMAGE)
        self.lose('host1')
        self.act(self.server, 'evacuate', {'host': 'host2'})
        self.idle(self.server)
        self._wait_for_state_change(self.server, 'ACTIVE')
        self.assertEqual('', self.two.sh('ls /root'))
        self.two.sh('echo kept > /root/file')
        self.assertEqual('running', self.one.status)
        self.find('host1')
        wait('no container', 10, lambda: not self.one.exists())
        self.check(self.two, self.one)
        self.finish()

    def test_build_where_the_engine_is_down(self) -> None:
        """Which is on the host that has more room: the other one has it."""
        self.begin()
        at = self.at('host2')
        run(*at, 'mount', '--bind', '/dev/null', base.ENGINE)
        try:
            server = self.boot([self.make_port(83)])
        finally:
            run(*at, 'umount', base.ENGINE)
        self.assertEqual(set(self.hosts), self.tried(server))
        there = self.container_at(server, 'host1')
        self.assertEqual('running', there.status)
        self.assertIn('192.168.1.83/24', there.addresses('eth0'))
        self.assertFalse(self.container_at(server, 'host2').exists())
        self.delete(server)
        self.finish()


class ThroughRegistry(Moving):
    number = 82
    keys: list[str]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.trust()
        run(os.environ['LAB'], 'registry', twohosts.LAB, '--address',
            ADDRESS['host1'], '--password')
        cls.keys = [os.path.join(os.path.dirname(path), 'registry.json')
                    for path in cls.configurations]
        for path in cls.keys:
            cls.write_key(path)
        cls.addClassCleanup(os.unlink, cls.keys[0])
        cls.put_base()

    @classmethod
    def trust(cls) -> None:
        """The lab's engine takes the network's registries as they come."""
        path = os.path.join(twohosts.LAB, 'daemon.json')
        with open(path, encoding='utf-8') as file:
            before = file.read()
        cls.addClassCleanup(cls.tell_engine, path, before)
        cls.tell_engine(path, json.dumps({
            **json.loads(before), 'insecure-registries': [NETWORK]}))
        wait('trust', 10, lambda: NETWORK in run(
            'docker', 'info', '--format', '{{json .RegistryConfig}}'))

    @classmethod
    def tell_engine(cls, path: str, text: str) -> None:
        cls._write(path, text)
        with open('/run/lab/engine.pid', encoding='ascii') as file:
            os.kill(int(file.read()), signal.SIGHUP)

    @classmethod
    def write_key(cls, path: str) -> None:
        cls._write(path, json.dumps({'auths': {REGISTRY: {
            'auth': base64.b64encode(b'lab:secret').decode()}}}))
        os.chmod(path, 0o600)

    @classmethod
    def put_base(cls) -> None:
        """An image of some size, which both engines have from there."""
        account = os.path.join(twohosts.WORK, 'account')
        os.makedirs(account)
        shutil.copy(cls.keys[0], account + '/config.json')
        docker = ('docker', '--config', account)
        content = os.path.join(twohosts.WORK, 'content')
        with open(content, 'wb') as file:
            file.write(os.urandom(LARGE))
        made = run('docker', 'create', base.IMAGE)
        run('docker', 'cp', content, made + ':/root/content')
        run('docker', 'commit', made, BASE)
        run('docker', 'rm', made)
        cls.addClassCleanup(run, 'docker', 'rmi', BASE)
        run(*docker, 'push', BASE)
        run(*cls.other.enter, *docker, 'pull', BASE)

    def setUp(self) -> None:
        super().setUp()
        self.configure('nova', 'registry = ' + REGISTRY)
        self.image = self.reference_image(vmdock_image=BASE)

    def sent(self) -> int:
        """How many bytes have gone to host2."""
        found = json.loads(run('ip', '-s', '-json', 'link', 'show', LINK))
        return int(found[0]['stats64']['tx']['bytes'])

    def assert_registry_as_before(self) -> None:
        place = os.path.join(twohosts.LAB, 'registry/docker/registry/v2/'
                             'repositories/vmdock', self.one.name)
        # There it was, and now no manifest and no tag is; and no engine has
        # a name of it.
        self.assertTrue(os.path.isdir(place))
        self.assertEqual('', run('find', place + '/_manifests',
                                 '-name', 'link'))
        self.assertNotIn(REGISTRY + '/vmdock', self.everywhere(
            'docker', 'images', '--digests'))

    def test_migrate_and_back(self) -> None:
        """What host2 has does not travel; nothing stays in between."""
        self.begin()
        before = self.sent()
        self.migrate()
        print('# %d bytes to host2' % (self.sent() - before))
        self.assertLess(self.sent() - before, LARGE // 4)
        self.assert_registry_as_before()
        self.act(self.server, 'confirmResize', state='ACTIVE')
        self.check(self.two, self.one)
        self.migrate('host1')
        self.act(self.server, 'revertResize', state='ACTIVE')
        self.check(self.two, self.one)
        self.assert_registry_as_before()
        self.finish()

    def test_failures(self) -> None:
        self.begin()
        os.unlink(self.keys[1])
        try:
            self.refused('unauthorized|no basic auth')
        finally:
            self.write_key(self.keys[1])
        self.assert_registry_as_before()
        self.configure('nova', 'registry = 10.77.0.1:5999')
        self.refused('10.77.0.1:5999.*connection refused')
        # One that does not delete is one all the same.
        run(os.environ['LAB'], 'registry', twohosts.LAB, '--address',
            ADDRESS['host1'], '--port', '5001', '--keep')
        self.configure('nova', 'registry = 10.77.0.1:5001')
        self.migrate()
        self.check(self.two)
        self.assertIn('does not allow deletion', self.stdlog.logger.output)
        self.finish()
