#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Stands between vmdock-nova and the engine, and lets it fail at one request.

  between.py SOCKET ENGINE

Each line on stdin is an order, {"at": N, "how": HOW, "on": PATTERN, "run":
COMMAND}, which counts from then on the requests that change something, and
whose first line has PATTERN: the N-th fails. HOW is

  before    the engine goes down before the request reaches it
  after     the engine does what it was asked, and goes down without a word
  hang      the engine takes the request and says nothing
  run       COMMAND is run first, and all goes on

and {} ends all that. The answer tells which request's time has come under the
last order: {"failed": "POST /v1.41/containers/…/start"}, or null. While it is
down the socket is gone.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from typing import Any

CHANGE = re.compile(rb'(POST|PUT|DELETE) \S+ HTTP/1\.1\r\n')
PIECE = 1 << 16


class Between:

    def __init__(self, path: str, engine: str) -> None:
        self.path = path
        self.engine = engine
        self.lock = threading.Lock()
        self.order: dict[str, Any] = {}
        self.count = 0
        self.failed: str | None = None  # the request
        self.failing: socket.socket | None = None  # whose it was
        self.open: set[socket.socket] = set()
        self.listener: socket.socket | None = None

    def up(self) -> None:
        if self.listener:
            return
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, args=(self.listener,),
                         daemon=True).start()

    def down(self) -> None:
        if self.listener:
            os.unlink(self.path)
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        for one in list(self.open):
            self.end(one)

    @staticmethod
    def end(one: socket.socket) -> None:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def obey(self, order: dict[str, Any]) -> str | None:
        with self.lock:
            failed, self.failed = self.failed, None
            self.order, self.count = order, 0
            if not order and failed:
                self.down()
            self.up()
            return failed

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client = listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,),
                             daemon=True).start()

    def serve(self, client: socket.socket) -> None:
        engine = socket.socket(socket.AF_UNIX)
        with client, engine:
            self.open |= {client, engine}
            try:
                engine.connect(self.engine)
                threading.Thread(target=self.answer, args=(engine, client),
                                 daemon=True).start()
                self.ask(client, engine)
            except OSError:
                pass
            finally:
                self.open -= {client, engine}
                self.end(engine)
                self.end(client)

    def ask(self, client: socket.socket, engine: socket.socket) -> None:
        while piece := client.recv(PIECE):
            how = self.due(piece, client)
            if how == 'hang':
                client.recv(PIECE)
                return
            if how == 'before':
                with self.lock:
                    self.down()
                return
            engine.sendall(piece)
        engine.shutdown(socket.SHUT_WR)

    def due(self, piece: bytes, client: socket.socket) -> str | None:
        """How the request that begins here fails."""
        with self.lock:
            how = self.order.get('how')
            if not how or not CHANGE.match(piece):
                return None
            line = piece.split(b'\r\n', 1)[0].decode('ascii', 'replace')
            if not self.failed and \
                    not re.search(self.order.get('on') or '', line):
                return None
            self.count += 1
            if self.count < self.order['at'] or self.failed:
                # One that hangs does so for all that comes.
                return 'hang' if self.failed and how == 'hang' else None
            self.failed, self.failing = line.rsplit(' ', 1)[0], client
            if how == 'run':
                subprocess.run(self.order['run'], check=True)
        return how

    def answer(self, engine: socket.socket, client: socket.socket) -> None:
        try:
            while piece := engine.recv(PIECE):
                with self.lock:
                    if self.failed and self.failing is client and \
                            self.order.get('how') == 'after':
                        self.down()
                        return
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def main() -> None:
    between = Between(*sys.argv[1:3])
    between.up()
    for line in sys.stdin:
        print(json.dumps({'failed': between.obey(json.loads(line))}),
              flush=True)
    between.down()


if __name__ == '__main__':
    main()
