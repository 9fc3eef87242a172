#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A connection that breaks: ssh's ProxyCommand.

  cut.py HOST PORT BYTES     ends it when so many bytes have gone to the host
"""

from __future__ import annotations

import os
import socket
import sys
import threading

PIECE = 1 << 14


def answer(host: socket.socket) -> None:
    while piece := host.recv(PIECE):
        os.write(1, piece)
    os._exit(0)


def main(host: str, port: str, limit: str) -> None:
    left = int(limit)
    with socket.create_connection((host, int(port))) as there:
        threading.Thread(target=answer, args=(there,), daemon=True).start()
        while left > 0 and (piece := os.read(0, min(PIECE, left))):
            there.sendall(piece)
            left -= len(piece)
        os._exit(0)


if __name__ == '__main__':
    main(*sys.argv[1:])
