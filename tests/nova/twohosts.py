# SPDX-License-Identifier: Apache-2.0
"""Two compute hosts, each with an engine, a state and a configuration of its
own, and between them the ssh that doc/nova.md sets up.

host1 is the lab itself. host2 is a mount and a network namespace in it, where
another engine answers at the usual socket; a link is the network between
them. Each has an sshd. Nova's user, who is not root, runs ssh, and
vmdock-nova through sudo. os-vif works in this process, so for host2 the
bridge is there before.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from typing import Any

import base
from base import Container, run, wait

LAB = os.environ['LAB_DIR']
WORK = os.path.join(LAB, 'host2')
CONFIGURATION = os.path.join(base.PREFIX, 'etc/vmdock')
SOCKET = '/run/docker-host2.sock'
SUDO = ('sudo', '-n', base.SHIM)
NOVA = ('runuser', '-u', 'nova', '--')
SSH = (*NOVA, 'ssh', '-o', 'BatchMode=yes')
LINK, NETWORK = 'hosts', '10.77.0.0/24'
ADDRESS = {'host1': '10.77.0.1', 'host2': '10.77.0.2'}
ALLOWED = ('restrict,command="exec sudo -n %s '
           '\\"${SSH_ORIGINAL_COMMAND##* }\\"" ' % base.SHIM)
SSHD = """\
HostKey %s/host_key
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
UsePAM yes
PidFile none
"""


class Host2:
    """The other host, for as long as a class of tests runs."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []
        shutil.rmtree(WORK, ignore_errors=True)
        for name in ('data', 'docker', 'run', 'state'):
            os.makedirs(os.path.join(WORK, name))
        shutil.copytree(CONFIGURATION, os.path.join(WORK, 'conf'))
        self.enter = self._hold()
        self._start_engine()

    def start(self, log: str, *argv: str) -> int:
        """A program that ends with this host; its number."""
        with open(os.path.join(WORK, log), 'wb') as out:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                       stdout=out, stderr=out)
        self._running.append(process)
        return process.pid

    def _hold(self) -> tuple[str, ...]:
        """Keeps namespaces in which all that a host has for itself is this
        one's; how to get there."""
        own = {'conf': CONFIGURATION, 'docker': '/etc/docker',
               'state': base.STATE,
               'run': os.path.join(base.PREFIX, 'var/run/vmdock')}
        for place in ('/etc/docker', '/run/netns'):
            os.makedirs(place, exist_ok=True)
        ready = os.path.join(WORK, 'ready')
        script = ['mount --bind %s/%s %s' % (WORK, name, place)
                  for name, place in own.items()]
        script += ['mount -t tmpfs host2 /run/netns', 'ip link set lo up',
                   ': >' + ready, 'exec sleep infinity']
        pid = str(self.start('holder.log', 'unshare', '--mount', '--net',
                             'sh', '-ec', '\n'.join(script)))
        wait('the namespaces', 10, lambda: os.path.exists(ready))
        enter = ('nsenter', '--target', pid, '--mount', '--net', '--')
        run('ip', 'link', 'add', LINK, 'type', 'veth', 'peer', LINK,
            'netns', pid)
        for at, address in zip(((), enter), ADDRESS.values()):
            run(*at, 'ip', 'addr', 'add', address + '/24', 'dev', LINK)
            run(*at, 'ip', 'link', 'set', LINK, 'up')
        return enter

    def _start_engine(self) -> None:
        with open(os.path.join(LAB, 'daemon.json'), encoding='utf-8') as file:
            settings = json.load(file)
        settings.update({
            'hosts': ['unix://' + SOCKET], 'bridge': 'none',
            'insecure-registries': [NETWORK],
            'data-root': os.path.join(WORK, 'data'),
            'exec-root': '/run/docker-host2', 'iptables': False,
            'ip6tables': False, 'pidfile': '/run/docker-host2.pid'})
        path = os.path.join(WORK, 'daemon.json')
        with open(path, 'w', encoding='utf-8') as file:
            json.dump(settings, file)
        self.start('engine.log', *self.enter, 'dockerd',
                   '--config-file', path)
        wait('the other engine', 60, lambda: subprocess.run(
            ['docker', '--host', 'unix://' + SOCKET, 'version'],
            capture_output=True).returncode == 0)
        run(*self.enter, 'mount', '--bind', SOCKET, base.ENGINE)

    def end(self) -> None:
        for process in reversed(self._running):
            process.terminate()
            process.wait()
        shutil.rmtree(WORK, ignore_errors=True)


class TwoHosts(base.NovaTest):
    hosts = ('host1', 'host2')
    configurations = (*base.NovaTest.configurations,
                      os.path.join(WORK, 'conf/vmdock.conf'))
    other: Host2

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        run(os.environ['LAB'], 'user', LAB, 'nova')
        cls.other = Host2()
        cls.addClassCleanup(cls.other.end)
        cls.machines = ((), cls.other.enter)
        cls.connect()

    @classmethod
    def connect(cls) -> None:
        """As doc/nova.md says, and a server on each host."""
        home = os.path.join(pwd.getpwnam('nova').pw_dir, '.ssh')
        shutil.rmtree(home, ignore_errors=True)
        run(*NOVA, 'install', '-d', '-m', '700', home)
        for user, key in ((NOVA, home + '/id_ed25519'),
                          ((), WORK + '/host_key')):
            run(*user, 'ssh-keygen', '-q', '-t', 'ed25519', '-N', '',
                '-f', key)
        with open(home + '/id_ed25519.pub', encoding='ascii') as file:
            cls._write(home + '/authorized_keys', ALLOWED + file.read())
        os.makedirs('/run/sshd', exist_ok=True)
        cls._write(WORK + '/sshd_config', SSHD % WORK)
        for enter, (host, address) in zip(cls.machines, ADDRESS.items()):
            cls.other.start('sshd-%s.log' % host, *enter, '/usr/sbin/sshd',
                            '-De', '-f', WORK + '/sshd_config',
                            '-o', 'ListenAddress=' + address)
            keys = wait('sshd', 10, lambda: run(
                'ssh-keyscan', '-t', 'ed25519', address, check=False))
            with open(home + '/known_hosts', 'a', encoding='utf-8') as file:
                file.write(keys + '\n')

    def setUp(self) -> None:
        super().setUp()
        link = (*self.other.enter, 'ip', 'link')
        run(*link, 'add', self.bridge, 'type', 'bridge')
        run(*link, 'set', self.bridge, 'up')
        self.addCleanup(run, *link, 'del', self.bridge)
        # What is appended to the address of another host.
        self.flags(command=SUDO, ssh=SSH, group='vmdock')
        for host, compute in self.computes.items():
            compute.manager.driver.get_host_ip_addr = ADDRESS[host].__str__

    def _start_compute(self, host: str, *args: Any, **more: Any) -> Any:
        self.flags(command=[*self.at(host), *NOVA, *SUDO], group='vmdock')
        return super()._start_compute(host, *args, **more)

    def sentence(self, server: Any) -> str:
        """What Nova keeps of an action that failed."""
        path = '/servers/%s/os-instance-actions' % server['id']
        done = self.admin_api.api_get(path).body['instanceActions'][0]
        events = self.admin_api.api_get(
            '%s/%s' % (path, done['request_id'])).body['instanceAction']
        return ' '.join(event['details'] for event in events['events']
                        if event['result'] == 'Error')

    def at(self, host: str) -> tuple[str, ...]:
        return self.machines[self.hosts.index(host)]

    def container_at(self, server: Any, host: str) -> Container:
        return Container(self.container(server).name, self.at(host))
