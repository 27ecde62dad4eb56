"""Answers, but ends for nothing: not for the end of its input, not for SIGTERM. Starts a child that does likewise."""

import os
import signal
import subprocess
import sys
import time

import wire

signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"])


def handle(id, method, params):
    if method == "initialize":
        wire.result(id, {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": {"name": "stubborn"}})
    elif method == "tools/call":
        wire.text(id, "%d %d" % (os.getpid(), child.pid))
    elif id is not None:
        wire.error(id, -32601, "unknown")


wire.serve(handle)
time.sleep(3600)
