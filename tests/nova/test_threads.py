# SPDX-License-Identifier: Apache-2.0
"""Threads of the system's, in a process of their own: this one has
eventlet's."""

from __future__ import annotations

import json
import os
import subprocess

import base
from base import run

INSTANCES, WORKERS = 12, 6


class Threads(base.NovaTest):

    def test_many_at_once(self) -> None:
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                               'native_threads.py')
        done = subprocess.run(
            ['/usr/bin/python3', program, str(INSTANCES), str(WORKERS)],
            capture_output=True, text=True)
        self.assertEqual(0, done.returncode, done.stderr[-6000:])
        found = json.loads(done.stdout.splitlines()[-1])
        # Each start of each instance but the unlucky one's only.
        self.assertEqual(INSTANCES, found['waited'])
        self.assertGreater(found['answers'], 10 * INSTANCES)
        self.assert_nothing_left()
        self.assertEqual('', run('ip', '-o', 'link', 'show', 'type', 'veth'))
