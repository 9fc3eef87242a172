# SPDX-License-Identifier: Apache-2.0
"""What happens to containers behind Nova's back, told as it happens."""

from __future__ import annotations

import collections.abc
import threading
import time

from oslo_log import log as logging

from vmdock_nova.shim import Answer, Call, Shim, ShimError

LOG = logging.getLogger(__name__)

PAUSE_S = (1, 2, 5, 10)


class Events:
    """Runs `vmdock-nova events` and starts it anew when it ends."""

    def __init__(self, shim: Shim,
                 heard: collections.abc.Callable[[Answer], None]) -> None:
        self._shim = shim
        self._heard = heard
        self._call: Call | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        call = self._call
        if call:
            call.end_input()

    def _run(self) -> None:
        failures = 0
        while not self._ended.is_set():
            try:
                with self._shim.begin('events') as call:
                    self._call = call
                    if self._listen(call):
                        failures = 0
                    call.end_input()
                    call.check()
            except (ShimError, OSError, ValueError) as error:
                if not self._ended.is_set():
                    LOG.warning('the events of containers are not heard: %s',
                                error)
            self._call = None
            pause = PAUSE_S[min(failures, len(PAUSE_S) - 1)]
            failures += 1
            for _ in range(pause * 10):
                if self._ended.is_set():
                    return
                time.sleep(0.1)

    def _listen(self, call: Call) -> bool:
        heard = False
        while not self._ended.is_set():
            event = call.line()
            if event is None:
                break
            heard = True
            try:
                self._heard(event)
            except Exception:
                LOG.exception('an event of a container was not passed on')
        return heard
