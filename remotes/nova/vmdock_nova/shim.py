# SPDX-License-Identifier: Apache-2.0
"""Calls of vmdock-nova: a request on stdin, an answer on stdout.

stderr has one JSON object a line: what it logs, and at last the error.
"""

from __future__ import annotations

import collections.abc
import contextlib
import io
import json
import os
import selectors
import signal
import subprocess
import tempfile
import threading
import time
import types
from typing import Any, IO

from nova import exception
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

Request = dict[str, Any]
Answer = dict[str, Any]

# What goes on until it is not wanted any more.
STAYS = ('events',)
# What takes an image or a disk from one place to another.
CARRIES = ('finish_migration', 'image_load', 'migrate_receive',
           'migrate_send', 'rescue', 'save', 'spawn')
# For how much longer than its limit vmdock-nova may take to undo what it has
# done (GRACE_S of shim/nova.c), and to come back from that.
GRACE_S = 300
SPARE_S = 15
# For one that is given up.
CLOSE_S = 600
LAST_WORDS_S = 1
LINE_MAX = 1 << 16


class ShimError(exception.NovaException):
    """A method that failed; KIND is a name of driver/error.h."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class NotRead(Exception):
    """A process does not want what it is given; why, it tells itself."""


class Limits:
    """How long methods may take, in seconds."""

    def __init__(self, call: int, transfer: int) -> None:
        self._call = call
        self._transfer = transfer

    def of(self, method: str, request: Request) -> float | None:
        if method in STAYS:
            return None
        if method in CARRIES:
            return self._transfer
        # What Nova gives the guest comes on top.
        return self._call + (request.get('timeout') or 0)


class Patience:
    """How long a call is waited for; without SECONDS, for ever."""

    def __init__(self, what: str, seconds: float | None = None) -> None:
        self._what = what
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def shorten(self, seconds: float) -> None:
        if self._end is not None:
            self._end = min(self._end, time.monotonic() + seconds)

    def wait(self, file: Any, event: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(file, event)
            while not selector.select(self._left()):
                pass

    def _left(self) -> float | None:
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise ShimError('INTERRUPTED', '%s has not ended within %d s' % (
                self._what, self._seconds or 0))
        return left


class Input:
    """What goes to a process. os.write(), as eventlet has it, never comes
    back from a pipe that nobody reads any more."""

    def __init__(self, descriptor: int, patience: Patience) -> None:
        os.set_blocking(descriptor, False)
        self._file = io.FileIO(descriptor, 'w')
        self._patience = patience

    def write(self, text: bytes) -> int:
        left = memoryview(text)
        while left:
            try:
                written = self._file.write(left)
            except BrokenPipeError as error:
                raise NotRead() from error
            if written is None:
                self._patience.wait(self._file, selectors.EVENT_WRITE)
            else:
                left = left[written:]
        return len(text)

    def truncate(self, size: int) -> None:
        """What has gone cannot come back; Nova asks for it when an image
        has the wrong signature."""

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


class Output(io.RawIOBase):
    """What comes from a process."""

    def __init__(self, descriptor: int, patience: Patience) -> None:
        os.set_blocking(descriptor, False)
        self._file = io.FileIO(descriptor, 'r')
        self._patience = patience

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            length = self._file.readinto(buffer)
            if length is not None:
                return length
            self._patience.wait(self._file, selectors.EVENT_READ)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
        super().close()


class Log:
    """What a process says on stderr: lines for Nova's log, and the error."""

    def __init__(self) -> None:
        self.error: ShimError | None = None
        # The last ones of what should have run vmdock-nova.
        self.words = ''

    def take(self, text: bytes) -> None:
        try:
            line = json.loads(text)
            message = line['message']
        except (ValueError, KeyError, TypeError):
            self.words = text.decode(errors='replace').strip() or self.words
            return
        if 'error' in line:
            self.error = ShimError(line['error'], message)
        elif line.get('log') == 'warning':
            LOG.warning('%s', message)
        else:
            LOG.info('%s', message)

    def failure(self, status: int) -> ShimError:
        return self.error or ShimError(
            'INTERNAL', self.words or
            'vmdock-nova ended with status %d' % status)


class Told:
    """The log of a process that ends: looked at then."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()

    def fileno(self) -> int:
        return self._file.fileno()

    def begin(self) -> None:
        """The process runs."""

    def end(self, log: Log) -> None:
        """The process has ended."""
        self._file.seek(0)
        for text in self._file:
            log.take(text)
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        self._file.close()


class Telling:
    """The log of a process that stays: told as it comes, and whatever it
    says, what is kept of it is one line."""

    def __init__(self) -> None:
        reading, self._writing = os.pipe()
        self._log = Log()
        self._lines = io.BufferedReader(
            Output(reading, Patience('the log')), LINE_MAX)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def fileno(self) -> int:
        return self._writing

    def begin(self) -> None:
        self._end_writing()
        self._thread.start()

    def _end_writing(self) -> None:
        if self._writing >= 0:
            os.close(self._writing)
            self._writing = -1

    def _listen(self) -> None:
        with self._lines:
            for text in iter(lambda: self._lines.readline(LINE_MAX), b''):
                self._log.take(text)

    def end(self, log: Log) -> None:
        # What it has left running may hold it open.
        self._thread.join(LAST_WORDS_S)
        log.error, log.words = self._log.error, self._log.words

    def close(self) -> None:
        if self._writing >= 0:
            self._end_writing()
            self._lines.close()


class Call:
    """One process of vmdock-nova. Left before it is finished, it is given
    up: its stdin ends, and it takes back what it has done. Its answer goes
    to READER, where there is one. LIMIT is told to it, and it keeps to it by
    itself; one that cannot is not waited for much longer. Without one it
    stays for as long as it is wanted."""

    def __init__(self, command: collections.abc.Sequence[str], method: str,
                 request: Request, reader: Call | None = None,
                 limit: float | None = None) -> None:
        self._patience = Patience('vmdock-nova ' + method, limit and
                                  limit + min(limit, GRACE_S) + SPARE_S)
        self._errors: Told | Telling = Told() if limit else Telling()
        try:
            self._begin([*command, method], reader)
        except OSError as error:
            self._errors.close()
            raise ShimError('INTERNAL', 'cannot run %s: %s' % (
                command[0], error.strerror)) from error
        self._errors.begin()
        if limit:
            request = {**request, 'limit': int(limit)}
        self._write(json.dumps(request).encode() + b'\n')

    def _begin(self, argv: list[str], reader: Call | None) -> None:
        """All ends of pipes that are not the process's are ours to close,
        and the other way round."""
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as its:
            reading, writing = os.pipe()
            its.callback(os.close, reading)
            self.stdin = Input(writing, self._patience)
            ours.callback(self.stdin.close)
            if reader:
                answer = reader.hand_over()
            else:
                source, answer = os.pipe()
                its.callback(os.close, answer)
                self._stdout = io.BufferedReader(
                    Output(source, self._patience))
                ours.callback(self._stdout.close)
            self._process = subprocess.Popen(
                argv, stdin=reading, stdout=answer,
                stderr=self._errors.fileno(), start_new_session=True)
            self._descriptor = os.pidfd_open(self._process.pid)
            self._close = ours.pop_all().close

    def __enter__(self) -> Call:
        return self

    def __exit__(self, kind: type[BaseException] | None,
                 error: BaseException | None,
                 trace: types.TracebackType | None) -> None:
        self.close()

    @property
    def stdout(self) -> IO[bytes]:
        return self._stdout

    def hand_over(self) -> int:
        """The input, for a process that writes to it from now on."""
        os.set_blocking(self.stdin.fileno(), True)
        return self.stdin.fileno()

    def _write(self, text: bytes) -> None:
        with contextlib.suppress(NotRead):
            self.stdin.write(text)

    def line(self) -> Answer | None:
        """The next line of the answer; None when there is none any more."""
        text = self.stdout.readline()
        return json.loads(text) if text else None

    def go_on(self) -> None:
        """Lets a process that waits go on."""
        self._write(b'{"go": true}\n')

    def finish(self) -> Answer:
        """The rest of the answer, whose last line counts."""
        self.end_input()
        last: Answer = {}
        for text in self.stdout:
            last = json.loads(text)
        self.check()
        return last

    def end_input(self) -> None:
        """Says that nothing more comes; ends a method that listens."""
        self.stdin.close()

    def check(self) -> None:
        """Waits for the process; raises its error."""
        log = Log()
        status = self._wait()
        self._errors.end(log)
        if status != 0:
            raise log.failure(status)

    def _wait(self) -> int:
        if self._process.returncode is None:
            self._patience.wait(self._descriptor, selectors.EVENT_READ)
        return self._process.wait()

    def close(self) -> None:
        self._close()
        self._patience.shorten(CLOSE_S)
        try:
            self._wait()
        except ShimError as error:
            LOG.error('%s, nobody waits for it any more', error)
            self._kill()
        finally:
            os.close(self._descriptor)
            self._errors.close()

    def _kill(self) -> None:
        """Nova's user may not end what sudo runs as root."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(LAST_WORDS_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            LOG.warning('process %d stays: %s', self._process.pid, error)


class Shim:
    """vmdock-nova, with what stands in each request, and what limits each
    call."""

    def __init__(self, command: collections.abc.Sequence[str],
                 limits: Limits, **common: Any) -> None:
        self._command = list(command)
        self._limits = limits
        self._common = common

    def begin(self, method: str, request: Request | None = None,
              reader: Call | None = None) -> Call:
        return Call(self._command, method,
                    {**self._common, **(request or {})}, reader,
                    self._limits.of(method, request or {}))

    def call(self, method: str, request: Request | None = None) -> Answer:
        with self.begin(method, request) as call:
            return call.finish()

    def output(self, method: str, request: Request) -> bytes:
        """The answer of a method that gives bytes."""
        with self.begin(method, request) as call:
            call.end_input()
            content = call.stdout.read()
            call.check()
            return content
