# SPDX-License-Identifier: Apache-2.0
"""Calls of a program that does not do what it should, and what the driver
makes of answers that come at the wrong moment."""

from __future__ import annotations

import collections.abc
import json
import os
import subprocess
import threading
import time
from typing import Any
from unittest import mock

from nova import exception
from nova.virt.vmdock import DockerDriver
from nova.virt import event as virtevent

import base
from base import wait
import vmdock_nova.driver
from vmdock_nova import shim
from vmdock_nova.events import Events
from vmdock_nova.shim import Call, Limits, Shim, ShimError

# It says who it is, and then hangs, deaf to everything.
DEAF = 'trap "" TERM HUP INT; echo $$ > %s; while :; do sleep 1000; done'
PLENTY = 4 * shim.LINE_MAX
UUID = '5f4dcc3b-5aa7-65d6-1d83-27deb882cf99'


def script(text: str) -> list[str]:
    return ['sh', '-c', text]


class Limit(base.nova.test.NoDBTestCase):
    """A program that hangs holds nobody for good."""

    def setUp(self) -> None:
        super().setUp()
        for name in ('GRACE_S', 'SPARE_S', 'CLOSE_S'):
            self.useFixture(base.fixtures.MockPatchObject(shim, name, 0))
        self.folder = self.useFixture(base.fixtures.TempDir()).path
        self.pid = os.path.join(self.folder, 'pid')
        # In nova.conf a dollar is written twice.
        self.flags(command=script((DEAF % self.pid).replace('$', '$$')),
                   call_timeout=1, transfer_timeout=1, group='vmdock')

    def assert_ended(self) -> None:
        with open(self.pid, encoding='ascii') as file:
            pid = int(file.read())
        self.assertFalse(os.path.exists('/proc/%d' % pid))
        # Those that were killed beside it may need a moment.
        wait('the end of its group', 10, lambda: not base.run(
            'pgrep', '-g', str(pid), check=False))

    def instance(self) -> Any:
        return mock.MagicMock(uuid=UUID, trusted_certs=None)

    def test_method(self) -> None:
        """Nova gets an exception of its own, and no process is left."""
        driver = DockerDriver(None)
        began = time.monotonic()
        with mock.patch('vmdock_nova.convert.instance', return_value={}):
            error = self.assertRaises(exception.NovaException, driver.pause,
                                      self.instance())
        self.assertIn('vmdock-nova pause has not ended within 1 s',
                      str(error))
        self.assertLess(time.monotonic() - began, 30)
        self.assert_ended()
        self.assertEqual({}, dict(driver._busy))

    def test_list(self) -> None:
        driver = DockerDriver(None)
        self.assertRaises(ShimError, driver.list_instance_uuids)
        self.assert_ended()

    def test_output(self) -> None:
        driver = DockerDriver(None)
        with mock.patch('vmdock_nova.convert.instance', return_value={}):
            self.assertRaises(exception.NovaException,
                              driver.get_console_output, None,
                              self.instance())
        self.assert_ended()

    def test_input_that_is_not_read(self) -> None:
        """Of an image that Glance gives."""
        driver = DockerDriver(None)
        with driver._shim.begin('image_load') as call:
            self.assertRaises(ShimError, call.stdin.write, b'x' * 1000000)
        self.assert_ended()

    def test_process_that_has_closed_all(self) -> None:
        begun = DEAF % self.pid
        with Call(script('exec <&- >&- 2>&-; ' + begun), 'pause', {},
                  limit=1) as call:
            self.assertRaises(ShimError, call.finish)
        self.assert_ended()

    def test_process_that_may_not_be_ended(self) -> None:
        """Which is root's, for Nova's user: it is left alone."""
        with mock.patch.object(os, 'killpg', side_effect=PermissionError(
                1, 'Operation not permitted')):
            self.test_method_raises()
        with open(self.pid, encoding='ascii') as file:
            os.killpg(int(file.read()), 9)
        self.assertIn('stays: [Errno 1] Operation not permitted',
                      self.stdlog.logger.output)

    def test_method_raises(self) -> None:
        self.assertRaises(ShimError, DockerDriver(None)._shim.call, 'list')

    def test_time_that_it_has(self) -> None:
        limits = Limits(900, 7200)
        self.assertIsNone(limits.of('events', {}))
        for method, seconds in (('list', 900), ('save', 7200),
                                ('spawn', 7200), ('power_off', 1000)):
            request = {'timeout': 100} if method == 'power_off' else {}
            self.assertEqual(seconds, limits.of(method, request))

    def test_it_is_told_how_long(self) -> None:
        answer = Shim(script('cat'), Limits(7, 8), host='h').call('list')
        self.assertEqual({'host': 'h', 'limit': 7}, answer)


class OwnLimit(base.nova.test.NoDBTestCase):
    """vmdock-nova keeps to it: as root it can, where Nova's user could not
    end it."""
    new = {'network_info': [], 'image_meta': {'container_format': 'bare'}}

    def setUp(self) -> None:
        super().setUp()
        self.engine = base.Engine()
        self.addCleanup(self.engine.end)
        path = base.NovaTest.configurations[0]
        with open(path, encoding='utf-8') as file:
            before = file.read()
        self.addCleanup(base.NovaTest._write, path, before)
        base.NovaTest._write(
            path, '%s\n[engine]\nsocket = %s\n' % (before, base.BETWEEN))
        self.there = base.Container('nova-' + UUID)
        self.addCleanup(self.call, 'destroy')

    @staticmethod
    def request(limit: int, **more: Any) -> str:
        return json.dumps({'host': 'h', 'limit': limit, 'instance': {
            'uuid': UUID, 'flavor': {'memory_mb': 64, 'vcpus': 1},
            'system_metadata': {'image_vmdock_image': base.IMAGE}}, **more})

    def call(self, method: str, limit: int = 0,
             **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [base.SHIM, method], input=self.request(limit, **more),
            capture_output=True, text=True)

    def test_is_ended(self) -> None:
        """In the middle of what is seen through once it has begun."""
        self.call('spawn', 60, **self.new)
        self.engine.fail(1, 'hang', on='POST .*/stop')
        began = time.monotonic()
        done = self.call('power_off', 1, timeout=1)
        self.assertTrue(self.engine.heal())
        self.assertEqual(-14, done.returncode)
        self.assertLess(time.monotonic() - began, 20)  # of a request's 30
        self.assertEqual('', done.stdout)
        self.assertEqual(0, self.call('power_off', 60).returncode)

    def test_takes_back(self) -> None:
        """What waits for the caller's word."""
        with subprocess.Popen(
                [base.SHIM, 'spawn'], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                text=True) as process:
            assert process.stdin and process.stdout and process.stderr
            process.stdin.write(self.request(
                5, wait=True, **self.new) + '\n')
            process.stdin.flush()
            self.assertEqual({'plugged': True},
                             json.loads(process.stdout.readline()))
            self.assertTrue(self.there.exists())
            last = json.loads(process.stderr.readlines()[-1])
            self.assertEqual(128 + 14, process.wait())
        self.assertEqual('INTERRUPTED', last['error'])
        self.assertIn("longer than the request's limit", last['message'])
        self.assertFalse(self.there.exists())
        self.assertNotIn(UUID, base.run('ip', 'netns'))

    def test_is_enough(self) -> None:
        for done in (self.call('spawn', 60, **self.new),
                     self.call('pause', 60)):
            self.assertEqual((0, '{}\n'), (done.returncode, done.stdout))
        self.assertEqual('paused', self.there.status)


class Chatter(base.nova.test.NoDBTestCase):
    """A process that stays may say what it likes."""

    def begin(self, text: str) -> list[dict[str, Any]]:
        """What is heard of a program."""
        found: list[dict[str, Any]] = []
        events = Events(Shim(script(text), Limits(60, 60)), found.append)
        events.start()
        self.addCleanup(events.stop)
        return found

    def log(self) -> str:
        output: str = self.stdlog.logger.output
        return output

    def test_does_not_block_it(self) -> None:
        """Nor is what it says kept until it ends."""
        line = json.dumps({'log': 'warning', 'message': 'chatter'})
        heard = self.begin(
            "read -r request; yes '%s' | head -c %d >&2; echo >&2;"
            "echo '%s' >&2; echo '%s'; read -r end" % (
                line, PLENTY, line.replace('chatter', 'the last of it'),
                json.dumps({'event': 'ready'})))
        wait('an event', 20, lambda: heard == [{'event': 'ready'}])
        wait('all of the log', 10, lambda: 'the last of it' in self.log())
        self.assertGreater(self.log().count('chatter'), 1000)

    def test_line_without_an_end(self) -> None:
        heard = self.begin(
            "read -r request; head -c %d /dev/zero | tr '\\0' x >&2;"
            "echo '%s'; read -r end" % (
                PLENTY, json.dumps({'event': 'ready'})))
        wait('an event', 20, lambda: heard == [{'event': 'ready'}])

    def test_why_it_ended(self) -> None:
        for text, words in (
                ("echo '%s' >&2; exit 3" % json.dumps(
                    {'error': 'ENGINE_DOWN', 'message': 'no engine there'}),
                 'not heard: no engine there'),
                ('echo sudo: you may not >&2; exit 1',
                 'not heard: sudo: you may not')):
            self.begin(text)
            wait(words, 10, lambda: words in self.log())


class Answers:
    """In the place of vmdock-nova: what it answers, and when."""

    def __init__(self) -> None:
        self.state = 'running'
        self.lists = 0
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.meanwhile: collections.abc.Callable[[], object] = object

    def call(self, method: str, request: Any = None) -> Any:
        if method == 'info':
            self.meanwhile()
            return {'state': self.state}
        if method != 'list':
            self.meanwhile()
            return {}
        self.lists += 1
        found = [{'uuid': UUID, 'name': 'nova-' + UUID, 'state': self.state}]
        self.begun.set()
        self.go_on.wait(20)
        return {'instances': found}

    def output(self, method: str, request: Any) -> bytes:
        self.meanwhile()
        return b''


class Cache(base.nova.test.NoDBTestCase):
    """The list that answers for all instances of a periodic task."""

    def setUp(self) -> None:
        super().setUp()
        self.driver = DockerDriver(None)
        self.answers = Answers()
        self.driver._shim = self.answers  # type: ignore[assignment]
        self.instance = mock.Mock(uuid=UUID)
        self.useFixture(base.fixtures.MockPatch(
            'vmdock_nova.convert.instance', return_value={}))
        self.told: list[Any] = []
        self.driver._compute_event_callback = self.told.append

    def state(self) -> int:
        return self.driver.get_info(self.instance).state

    def test_is_used(self) -> None:
        for _ in range(3):
            self.assertEqual(1, self.state())
        self.assertEqual(1, self.answers.lists)
        self.driver.list_instance_uuids()
        self.assertEqual(2, self.answers.lists)

    def overtaken(self, change: collections.abc.Callable[[], object]) -> None:
        """A list that began before a change, and comes after it."""
        self.answers.go_on.clear()
        old: list[int] = []
        asking = threading.Thread(target=lambda: old.append(self.state()))
        asking.start()
        self.assertTrue(self.answers.begun.wait(20))
        self.answers.state = 'stopped'
        change()
        self.answers.go_on.set()
        asking.join(20)
        self.assertEqual([1], old)
        self.assertEqual(4, self.state())
        self.assertEqual(2, self.answers.lists)

    def test_overtaken_by_an_action(self) -> None:
        self.overtaken(lambda: self.driver.pause(self.instance))

    def test_overtaken_by_an_event(self) -> None:
        self.overtaken(lambda: self.driver._heard(
            {'uuid': UUID, 'event': 'stopped', 'exit_code': 0}))

    def test_action_that_fails_is_a_change(self) -> None:
        self.state()

        def fail() -> None:
            raise ShimError('IO', 'half done')
        self.answers.meanwhile = fail
        self.assertRaises(exception.NovaException, self.driver.pause,
                          self.instance)
        self.answers.meanwhile = object
        self.state()
        self.assertEqual(2, self.answers.lists)

    def test_look_is_no_action(self) -> None:
        """It makes no instance busy, and nothing that is known old."""
        self.state()
        busy: list[bool] = []
        self.answers.meanwhile = lambda: busy.append(
            self.driver._is_in_hand(UUID))
        for look in (
                lambda: self.driver.get_info(self.instance, use_cache=False),
                lambda: self.driver.get_console_output(None, self.instance),
                lambda: self.driver.get_diagnostics(self.instance)):
            look()
        self.assertEqual([False] * 3, busy)
        self.state()
        self.assertEqual(1, self.answers.lists)
        self.driver.pause(self.instance)
        self.assertEqual([False] * 3 + [True], busy)

    # ---- containers that end ----

    def heard(self) -> None:
        self.driver._heard({'uuid': UUID, 'event': 'stopped', 'exit_code': 0})

    def assert_told(self, least: int) -> None:
        wait('the word', 10, lambda: len(self.told) >= least)
        for one in self.told:
            self.assertEqual(
                (UUID, virtevent.EVENT_LIFECYCLE_STOPPED),
                (one.get_instance_uuid(), one.get_transition()))

    def test_one_that_ends_is_told_at_once(self) -> None:
        self.heard()
        self.assertEqual(1, len(self.told))

    def test_one_that_ends_in_an_action(self) -> None:
        """Nova does not listen meanwhile, nor for a moment after it."""
        self.answers.state = 'stopped'
        self.answers.meanwhile = self.heard
        self.driver.pause(self.instance)
        self.assertEqual([], self.told)
        self.assert_told(1)

    def test_one_that_ends_just_after_an_action(self) -> None:
        """Nova may not have ended its part: it is told again."""
        self.answers.state = 'stopped'
        self.driver.pause(self.instance)
        self.heard()
        self.assertEqual(1, len(self.told))
        self.assert_told(2)

    def test_one_that_ends_before_the_next_action(self) -> None:
        """Which is not what Nova is told in the middle of."""
        self.answers.state = 'stopped'
        with mock.patch.object(vmdock_nova.driver, 'LATER_S', 0.2):
            self.answers.meanwhile = self.heard
            self.driver.pause(self.instance)
            self.answers.meanwhile = lambda: (
                time.sleep(1), self.assertEqual([], self.told))
            self.driver.pause(self.instance)
            self.assert_told(1)

    def test_one_that_runs_again(self) -> None:
        """A reboot's own stop is no news."""
        with mock.patch.object(vmdock_nova.driver, 'LATER_S', 0.1):
            self.answers.meanwhile = self.heard
            self.driver.pause(self.instance)
            wait('the look', 10, lambda: self.answers.lists)
        self.assertEqual([], self.told)
