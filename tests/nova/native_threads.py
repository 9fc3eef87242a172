#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The driver in threads of the system, as Nova 31 and its followers can have
it: nothing of eventlet's is at work in this process.

  native_threads.py INSTANCES WORKERS      inside a lab, as root

Each worker takes instances through their lives; meanwhile others ask without
end for lists and states. What has been answered must never contradict what
has been done. Says at last, as JSON, how much of it there was.
"""

from __future__ import annotations

import collections.abc
import concurrent.futures
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from typing import Any
from unittest import mock

PREFIX = os.environ['LAB_PREFIX']
PACKAGES = os.path.join(PREFIX, 'lib/python3/dist-packages')
sys.path.insert(0, PACKAGES)

import nova.virt  # noqa: E402

nova.virt.__path__.append(os.path.join(PACKAGES, 'nova/virt'))

from nova import context, exception, objects  # noqa: E402
import nova.conf  # noqa: E402
from nova.network import model  # noqa: E402
from nova.tests.unit import fake_instance  # noqa: E402
from nova.virt import virtapi  # noqa: E402
from nova.virt.vmdock import DockerDriver  # noqa: E402
import vif_plug_linux_bridge.privsep  # noqa: E402
import vmdock_nova.driver  # noqa: E402

vif_plug_linux_bridge.privsep.vif_plug.set_client_mode(False)

HOST = 'threads'
RUNNING, PAUSED, SHUTDOWN, SUSPENDED = 1, 3, 4, 7
NETWORK = '5f4dcc3b-5aa7-65d6-1d83-27deb882cf99'
BRIDGE = 'brq' + NETWORK[:11]
NO_WORD = 0  # of which instance Neutron says nothing
LIFE: tuple[tuple[str, int], ...] = (
    ('pause', PAUSED), ('unpause', RUNNING), ('suspend', SUSPENDED),
    ('resume', RUNNING), ('power_off', SHUTDOWN), ('power_on', RUNNING),
    ('reboot', RUNNING))


class Neutron(virtapi.VirtAPI):
    """Says a little later that all is plugged."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.waited = 0

    @contextlib.contextmanager
    def wait_for_instance_event(
            self, instance: Any, event_names: Any, deadline: int = 300,
            error_callback: Any = None) -> collections.abc.Iterator[None]:
        yield
        if not event_names:
            return
        self.waited += 1
        said = threading.Event()
        if instance.uuid not in self.silent:
            threading.Timer(0.05, said.set).start()
        if not said.wait(1 if instance.uuid in self.silent else deadline):
            raise vmdock_nova.driver._event_timeouts()[0]()


def make_vif(number: int) -> Any:
    port = str(uuid.uuid4())
    subnet = model.Subnet(
        cidr='192.168.7.0/24', version=4, dns=[], routes=[],
        gateway=model.IP('192.168.7.1', type='gateway'),
        ips=[model.FixedIP(address='192.168.7.%d' % (10 + number))])
    return model.VIF(
        id=port, address='fa:16:3e:00:07:%02x' % number, type='bridge',
        devname=('tap' + port)[:14], active=False, details={},
        vnic_type='normal', network=model.Network(
            id=NETWORK, bridge=BRIDGE, label='private', subnets=[subnet],
            mtu=1450, should_create_bridge=True))


class One:
    """An instance, and what has been done to it: nobody is wrong who says
    what was so while he was asked."""

    def __init__(self, number: int) -> None:
        flavor = objects.Flavor(
            memory_mb=32, vcpus=1, swap=0, root_gb=0, ephemeral_gb=0,
            flavorid='1', name='f', id=1, extra_specs={})
        self.vifs = model.NetworkInfo([make_vif(number)])
        self.instance = fake_instance.fake_instance_obj(
            ADMIN, uuid=str(uuid.uuid4()), hostname='one-%d' % number,
            host=HOST, flavor=flavor, expected_attrs=['system_metadata'],
            system_metadata=[{'key': 'image_vmdock_image',
                              'value': 'lab/vm:1'}])
        self.instance.get_network_info = lambda: self.vifs
        self.lock = threading.Lock()
        # How often something began, and what has been since the last end.
        self.begun = 0
        self.state: int | None = None
        self.acts = False

    @contextlib.contextmanager
    def acting(self, state: int | None) -> collections.abc.Iterator[None]:
        with self.lock:
            self.begun += 1
            self.acts = True
        yield
        with self.lock:
            self.state, self.acts = state, False

    def now(self) -> tuple[int, bool, int | None]:
        with self.lock:
            return self.begun, self.acts, self.state


class Test:

    def __init__(self, instances: int, workers: int) -> None:
        self.neutron = Neutron()
        self.driver = DockerDriver(self.neutron)
        self.told: set[str] = set()
        self.driver.init_host(HOST)
        self.driver.register_event_listener(
            lambda event: self.told.add(event.get_instance_uuid()))
        self.all = [One(number) for number in range(instances)]
        self.neutron.silent.add(self.all[NO_WORD].instance.uuid)
        self.workers = workers
        self.ended = threading.Event()
        self.answers = 0

    # ---- those who ask ----

    def check_answer(self, ask: collections.abc.Callable[
            [One], int | None]) -> None:
        for one in self.all:
            before = one.now()
            found = ask(one)
            if before == one.now() and not before[1]:
                # Nobody has done anything meanwhile.
                assert found == before[2], (found, before)
                self.answers += 1

    def info(self, use_cache: bool) -> collections.abc.Callable[
            [One], int | None]:
        def ask(one: One) -> int | None:
            try:
                return self.driver.get_info(one.instance,
                                            use_cache=use_cache).state
            except exception.InstanceNotFound:
                return None
        return ask

    def check_list(self) -> None:
        before = [one.now() for one in self.all]
        found = set(self.driver.list_instance_uuids())
        for one, had in zip(self.all, before):
            if had == one.now() and not had[1]:
                assert (one.instance.uuid in found) == (
                    had[2] is not None), (had, found)
                self.answers += 1
        count = self.driver.get_num_instances()
        assert 0 <= count <= len(self.all), count

    def ask(self, number: int) -> None:
        while not self.ended.is_set():
            if number == 0:
                self.check_list()
            else:
                self.check_answer(self.info(use_cache=number % 2 == 1))
            time.sleep(0.01)

    # ---- those who act ----

    def spawn(self, one: One) -> None:
        image = objects.ImageMeta.from_dict({
            'id': str(uuid.uuid4()), 'container_format': 'bare', 'size': 0})
        self.driver.spawn(ADMIN, one.instance, image, [], None, {},
                          network_info=one.vifs)

    def do(self, name: str, one: One) -> None:
        method = getattr(self.driver, name)
        if name in ('power_on', 'resume'):
            method(ADMIN, one.instance, one.vifs)
        elif name == 'reboot':
            method(ADMIN, one.instance, one.vifs, 'HARD')
        elif name == 'suspend':
            method(ADMIN, one.instance)
        else:
            method(one.instance)

    def live(self, one: One) -> None:
        if one.instance.uuid in self.neutron.silent:
            self.live_in_silence(one)
            return
        with one.acting(RUNNING):
            self.spawn(one)
        for name, state in LIFE:
            with one.acting(state):
                self.do(name, one)
            # What Nova asks for next, of whatever list is the newest.
            assert self.info(use_cache=True)(one) == state, name
            self.driver.get_console_output(ADMIN, one.instance)
        self.die(one)
        with one.acting(None):
            self.driver.destroy(ADMIN, one.instance, one.vifs)
        assert self.info(use_cache=True)(one) is None

    def die(self, one: One) -> None:
        with one.acting(SHUTDOWN):
            subprocess.run(['docker', 'kill', 'nova-' + one.instance.uuid],
                           check=True, capture_output=True)
            wait(lambda: one.instance.uuid in self.told)

    def live_in_silence(self, one: One) -> None:
        with one.acting(None):
            try:
                self.spawn(one)
            except exception.VirtualInterfaceCreateException:
                return
        raise AssertionError('it was not waited for')

    def run(self) -> None:
        with concurrent.futures.ThreadPoolExecutor(3) as asking:
            asked = [asking.submit(self.ask, number) for number in range(3)]
            try:
                with concurrent.futures.ThreadPoolExecutor(
                        self.workers) as acting:
                    list(acting.map(self.live, self.all))
            finally:
                self.ended.set()
            for one in asked:
                one.result()
        self.driver.cleanup_host(HOST)
        assert not self.driver._busy and not self.driver.list_instances()


def wait(test: collections.abc.Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not test():
        assert time.monotonic() < end
        time.sleep(0.02)


def descriptors() -> int:
    return len(os.listdir('/proc/self/fd'))


def main(instances: int, workers: int) -> None:
    nova.conf.CONF([], project='nova')
    nova.conf.CONF.set_override(
        'command', [os.path.join(PREFIX, 'libexec/vmdock/vmdock-nova')],
        group='vmdock')
    nova.conf.CONF.set_override('vif_plugging_timeout', 60)
    # The guest is told things from Nova's database, which is not here.
    with mock.patch('vmdock_nova.convert.config_drive', return_value={}):
        test = Test(instances, workers)
        before = descriptors()
        test.run()
    wait(lambda: threading.active_count() == 1)
    # That of the listener alone may have been open already.
    assert descriptors() <= before, descriptors()
    for part in ('thread', 'socket', 'os', 'select'):
        patcher = sys.modules.get('eventlet.patcher')
        assert not patcher or not patcher.is_monkey_patched(part)
    print(json.dumps({'answers': test.answers,
                      'waited': test.neutron.waited}))


if __name__ == '__main__':
    objects.register_all()
    ADMIN = context.get_admin_context()
    main(int(sys.argv[1]), int(sys.argv[2]))
