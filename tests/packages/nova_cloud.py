#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Nova for the test of doc/nova.md: as tests/nova has it, with the installed
driver, which Nova's user runs.

  nova_cloud.py FOLDER      answers tests/packages/openstack at FOLDER/socket

Real are Nova and Placement. Their fakes of Glance, Neutron and Cinder are
what the other commands act upon: a volume is a file in FOLDER/volumes, and
the network's gateway is this machine. Of the options those are known that the
document has; others are an error.
"""

from __future__ import annotations

import argparse
import collections.abc
import json
import os
import shlex
import socket
import sys
import unittest
from typing import Any

os.environ['OS_TEST_TIMEOUT'] = '1200'
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                '../nova'))
import base  # noqa: E402
from nova.tests.fixtures import cinder  # noqa: E402
import vmdock_nova.conf  # noqa: E402

FOLDER = sys.argv[1]
GATEWAY = '192.168.1.1/24'
Options = argparse.Namespace


def option(*names: str, **more: Any) -> tuple[tuple[str, ...], Any]:
    return names, more


REQUIRED = {'required': True}
COMMANDS: dict[str, list[tuple[tuple[str, ...], Any]]] = {
    'hypervisor list': [],
    'image create': [
        option('name'), option('--container-format', **REQUIRED),
        option('--disk-format', choices=['raw'], **REQUIRED),
        option('--file'), option('--property', action='append', default=[])],
    'flavor create': [
        option('name'), option('--ram', type=int, **REQUIRED),
        option('--vcpus', type=int, **REQUIRED),
        option('--disk', type=int, **REQUIRED)],
    'server create': [
        option('name'), option('--image', **REQUIRED),
        option('--flavor', **REQUIRED),
        option('--network', choices=['private'], **REQUIRED),
        option('--wait', action='store_true', **REQUIRED)],
    'server show': [option('name'),
                    option('-f', choices=['json'], **REQUIRED)],
    'volume create': [option('--size', type=int, **REQUIRED),
                      option('name')],
    'server add volume': [option('server'), option('volume')],
    'end': [],
}


class Cloud(base.NovaTest):
    """One test, which lasts as long as the document's."""

    compute_driver = os.environ['COMPUTE_DRIVER']
    command = ['runuser', '-u', 'nova', '--',
               *vmdock_nova.conf.OPTIONS[0].default]

    def test_of_the_document(self) -> None:
        self.cinder = self.useFixture(cinder.CinderFixture(self))
        self.ids: dict[tuple[str, str], str] = {}
        self.servers = 0
        path = os.path.join(FOLDER, 'socket')
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            while self.serve(listener):
                pass
        os.unlink(path)

    def serve(self, listener: socket.socket) -> bool:
        """False when the document has ended."""
        client = listener.accept()[0]
        with client, client.makefile('rb') as file:
            argv = json.loads(file.readline())
            out = error = ''
            try:
                out = self.run_command(argv, file.read())
            except (Exception, SystemExit) as failure:
                error = '%s: %r' % (shlex.join(argv), failure)
                print(self.stdlog.logger.output[-6000:], flush=True)
            client.sendall(json.dumps(
                {'out': out, 'error': error}).encode())
        return argv != ['end']

    def run_command(self, argv: list[str], content: bytes) -> str:
        for words in (3, 2, 1):
            name = ' '.join(argv[:words])
            if name in COMMANDS:
                parser = argparse.ArgumentParser(prog=name)
                for names, more in COMMANDS[name]:
                    parser.add_argument(*names, **more)
                method: collections.abc.Callable[[Options, bytes], str]
                method = getattr(self, name.replace(' ', '_'))
                return method(parser.parse_args(argv[words:]), content)
        raise ValueError('the document has no such command')

    def hypervisor_list(self, options: Options, content: bytes) -> str:
        found = self.admin_api.api_get('/os-hypervisors/detail').body[
            'hypervisors']
        self.assertEqual(['docker'],
                         [one['hypervisor_type'] for one in found])
        return '\n'.join('%s %s %s' % (
            one['hypervisor_hostname'], one['hypervisor_type'],
            one['state']) for one in found)

    def image_create(self, options: Options, content: bytes) -> str:
        if options.file:
            with open(options.file, 'rb') as file:
                content = file.read()
        image = self._image(
            dict(one.split('=', 1) for one in options.property), content,
            name=options.name, container_format=options.container_format)
        self.ids['image', options.name] = image
        return image

    def flavor_create(self, options: Options, content: bytes) -> str:
        flavor = self.make_flavor(options.ram, options.vcpus)
        self.assertEqual(1, options.disk)  # as make_flavor() has it
        self.ids['flavor', options.name] = flavor
        return flavor

    def server_create(self, options: Options, content: bytes) -> str:
        """Of each image of that name: the document has two ways to make it,
        which a user would not both go."""
        images = [key for key, one in self.glance.images.items()
                  if one['name'] == options.image]
        self.assertEqual(2, len(images))
        self.flavor = self.ids['flavor', options.flavor]
        for self.image in images:
            if self.servers:
                self.delete({'id': self.ids['server', options.name]})
            self.servers += 1
            server = self.boot([self.make_port(100 + self.servers, False)],
                               name=options.name)
            self.ids['server', options.name] = server['id']
            self.assertEqual('running', self.container(server).status)
        base.run('ip', 'addr', 'replace', GATEWAY, 'dev', self.bridge)
        return server['id']

    def server_show(self, options: Options, content: bytes) -> str:
        server = self.api.get_server(self.ids['server', options.name])
        return json.dumps({**server, 'addresses': {
            network: [one['addr'] for one in found]
            for network, found in server['addresses'].items()}})

    def volume_create(self, options: Options, content: bytes) -> str:
        volume = base._identity(options.name)
        path = os.path.join(FOLDER, 'volumes', volume)
        with open(path, 'wb') as file:
            file.truncate(options.size << 30)
        self.cinder.VOLUME_CONNECTION_INFO[volume] = {
            'driver_volume_type': 'local', 'data': {'device_path': path}}
        self.ids['volume', options.name] = volume
        return volume

    def server_add_volume(self, options: Options, content: bytes) -> str:
        server = self.ids['server', options.server]
        volume = self.ids['volume', options.volume]
        self.api.post_server_volume(server, {
            'volumeAttachment': {'volumeId': volume}})
        there = self.container({'id': server})
        device: str = self.api.get_server_volume(server, volume)['device']
        place = ' /mnt/%s ext4 ' % os.path.basename(device)
        base.wait('the volume', 60,
                  lambda: place in there.sh('cat /proc/mounts'))
        return device

    def end(self, options: Options, content: bytes) -> str:
        self.delete({'id': self.ids['server', 'web']})
        return ''


if __name__ == '__main__':
    result = unittest.TextTestRunner().run(
        unittest.defaultTestLoader.loadTestsFromTestCase(Cloud))
    os._exit(0 if result.wasSuccessful() else 1)
