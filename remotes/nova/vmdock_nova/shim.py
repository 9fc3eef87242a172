# SPDX-License-Identifier: Apache-2.0
"""Calls of vmdock-nova: a request on stdin, an answer on stdout.

stderr has one JSON object a line: what it logs, and at last the error.
"""

from __future__ import annotations

import collections.abc
import io
import json
import os
import selectors
import subprocess
import tempfile
import types
from typing import Any, IO

from oslo_log import log as logging

LOG = logging.getLogger(__name__)

Request = dict[str, Any]
Answer = dict[str, Any]


class ShimError(Exception):
    """A method that failed; KIND is a name of driver/error.h."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Input:
    """What goes to a process. os.write(), as eventlet has it, never comes
    back from a pipe that nobody reads any more."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._file = io.FileIO(descriptor, 'w')

    def write(self, text: bytes) -> int:
        left = memoryview(text)
        while left:
            written = self._file.write(left)
            if written is None:
                self._wait()
            else:
                left = left[written:]
        return len(text)

    def _wait(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._file, selectors.EVENT_WRITE)
            selector.select()

    def truncate(self, size: int) -> None:
        """What has gone cannot come back; Nova asks for it when an image
        has the wrong signature."""

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()


class Call:
    """One process of vmdock-nova. Left before it is finished, it is given
    up: its stdin ends, and it takes back what it has done. Its answer goes
    to READER, where there is one."""

    def __init__(self, command: collections.abc.Sequence[str], method: str,
                 request: Request, reader: Call | None = None) -> None:
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        try:
            self._begin([*command, method], reader)
        except OSError as error:
            self._stderr.close()
            raise ShimError('INTERNAL', 'cannot run %s: %s' % (
                command[0], error.strerror)) from error
        self._write(json.dumps(request).encode() + b'\n')

    def _begin(self, argv: list[str], reader: Call | None) -> None:
        reading, writing = os.pipe()
        self.stdin = Input(writing)
        try:
            self._process = subprocess.Popen(
                argv, stdin=reading,
                stdout=reader.hand_over() if reader else subprocess.PIPE,
                stderr=self._stderr)
        except BaseException:
            self.stdin.close()
            raise
        finally:
            os.close(reading)

    def __enter__(self) -> Call:
        return self

    def __exit__(self, kind: type[BaseException] | None,
                 error: BaseException | None,
                 trace: types.TracebackType | None) -> None:
        self.close()

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    def hand_over(self) -> int:
        """The input, for a process that writes to it from now on."""
        os.set_blocking(self.stdin.fileno(), True)
        return self.stdin.fileno()

    def _write(self, text: bytes) -> None:
        # A process that has gone tells why on stderr.
        try:
            self.stdin.write(text)
        except BrokenPipeError:
            pass

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
        status = self._process.wait()
        error = self._tell_log()
        if status != 0:
            raise error or ShimError(
                'INTERNAL', 'vmdock-nova ended with status %d' % status)

    def _tell_log(self) -> ShimError | None:
        """What vmdock-nova says of its failure, else the last words of what
        should have run it."""
        error = words = None
        self._stderr.seek(0)
        for text in self._stderr:
            try:
                line = json.loads(text)
                message = line['message']
            except (ValueError, KeyError, TypeError):
                words = text.decode(errors='replace').strip() or words
                continue
            if 'error' in line:
                error = ShimError(line['error'], message)
            elif line.get('log') == 'warning':
                LOG.warning('%s', message)
            else:
                LOG.info('%s', message)
        self._stderr.seek(0, 2)
        return error or (ShimError('INTERNAL', words) if words else None)

    def close(self) -> None:
        self.end_input()
        if self._process.stdout:
            self._process.stdout.close()
        self._process.wait()
        self._stderr.close()


class Shim:
    """vmdock-nova, with what stands in each request."""

    def __init__(self, command: collections.abc.Sequence[str],
                 **common: Any) -> None:
        self._command = list(command)
        self._common = common

    def begin(self, method: str, request: Request | None = None,
              reader: Call | None = None) -> Call:
        return Call(self._command, method,
                    {**self._common, **(request or {})}, reader)

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
