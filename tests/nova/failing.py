# SPDX-License-Identifier: Apache-2.0
"""What tests share in which the engine goes down in the middle of something.

Then Nova must have set the instance to a state from which it goes on, and
what the operation was for must still be possible: with the instance's files,
its NIC, and nothing left when it is deleted.
"""

from __future__ import annotations

import collections.abc
from typing import Any

from nova.tests.functional.api import client

import base
from base import wait

Act = collections.abc.Callable[[], Any]
# Requests, as the first line of each has it.
CREATE = r'POST .*/containers/create\?name=nova-'
REMOVE = 'DELETE .*/containers/[0-9a-f]{64}'
START = 'POST .*/start'
STOP = 'POST .*/stop'


def nothing() -> None:
    """Is done."""


class Failing(base.NovaTest):
    number = 71

    def setUp(self) -> None:
        self.engine = base.Engine()
        self.addCleanup(self.engine.end)
        self.configure('engine', 'socket = ' + base.BETWEEN)
        super().setUp()
        self.flags(allow_resize_to_same_host=True, shutdown_timeout=1)

    def begin(self, **more: Any) -> None:
        self.server = self.boot([self.make_port(self.number)], **more)
        self.there = self.container(self.server)
        self.there.sh('echo kept > /root/file')

    def state(self) -> str:
        return self.idle(self.server)['status']

    def built(self, **more: Any) -> str:
        """What becomes of a new instance."""
        self.server = self.boot([self.make_port(self.number)], None, **more)
        wait('an end', 60, lambda: self.state() != 'BUILD')
        return self.state()

    def remove(self) -> None:
        """Of an instance in whatever state, as often as it takes."""
        try:
            self.api.delete_server(self.server['id'])
        except client.OpenStackApiNotFoundException:
            pass
        wait('its end', 30, lambda: not self.is_listed())

    def is_listed(self) -> bool:
        return any(one['id'] == self.server['id']
                   for one in self.api.get_servers(detail=False))

    def ended(self) -> bool:
        try:
            found = self.api.get_server(self.server['id'])
        except client.OpenStackApiException:
            return True
        return found['OS-EXT-STS:task_state'] is None

    def ask(self, action: str, argument: Any = None) -> Act:
        """The operation, and its end whatever that is; or Nova's word that
        the instance's state does not allow it."""
        def act() -> None:
            try:
                self.act(self.server, action, argument)
            except client.OpenStackApiException as error:
                self.assertEqual(409, error.response.status_code)
            self.idle(self.server)
        return act

    def clear_up(self) -> None:
        """As the resource tracker's periodic task does."""
        self.configure('poll', 'sweep_after_s = 0')
        for compute in self.computes.values():
            driver = compute.manager.driver
            driver.get_available_resource(driver.get_available_nodes()[0])

    def hard(self) -> None:
        """What an operator does of whom Nova says ERROR. Nova may be about
        to take note that the container has stopped."""
        def act() -> bool:
            self.ask('reboot', {'type': 'HARD'})()
            return self.is_up()
        wait('a running instance', 30, act)

    def is_up(self) -> bool:
        return self.state() == 'ACTIVE' and self.there.exists() and \
            self.there.status == 'running'

    def mend(self) -> None:
        if not self.is_up():
            self.hard()

    def each(self, act: Act, failed: str, done: str, again: Act,
             ready: Act = nothing) -> None:
        """READY, and then ACT with each of its requests failing; FAILED is
        what becomes of the instance then, DONE where none has failed, and
        AGAIN brings it back to where READY can be asked for, by nothing but
        Nova."""
        for number in self.failures(ready):
            act()
            self.heal()
            self.become(failed if self.failed else done, number)
            again()
            self.whole()

    def become(self, state: str, point: object) -> None:
        """The instance's state is STATE; but Nova hears it when the engine
        is well again and the container of an active one has stopped."""
        if state == 'ACTIVE' and self.there.status == 'exited':
            wait('SHUTOFF after %s' % point, 60,
                 lambda: self.state() == 'SHUTOFF')
        else:
            self.assertEqual(state, self.state(), point)

    def failures(self, ready: Act = nothing
                 ) -> collections.abc.Iterator[int]:
        """Until there is no request any more that could fail."""
        self.failed = True
        number = 0
        while self.failed:
            ready()
            self.engine.fail(max(1, number), 'after' if number else 'before')
            yield number
            number += 1
        self.assertGreater(number, 1)

    def at(self, ready: Act, *points: Any) -> collections.abc.Iterator[str]:
        """The same at some requests alone, of an operation that has many:
        'before' or 'after', what the request's first line has, and the
        number of it where it is not the first such."""
        for how, on, *number in points:
            ready()
            self.engine.fail(number[0] if number else 1, how, on=on)
            yield '%s %s' % (how, on)

    def struck(self, point: str) -> None:
        """The engine failed at POINT; it is well again."""
        self.assertTrue(self.engine.heal(), point)

    def heal(self) -> None:
        self.failed = self.engine.heal()

    def whole(self) -> None:
        self.assertEqual('ACTIVE', self.state())
        self.assertEqual('running', self.there.status)
        self.assertEqual('kept', self.there.sh('cat /root/file'))
        self.assertIn('192.168.1.%d/24' % self.number,
                      self.there.addresses('eth0'))

    def finish(self) -> None:
        self.delete(self.server)
        self.assert_nothing_left(cached=True)
