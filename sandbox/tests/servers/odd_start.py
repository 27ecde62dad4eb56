"""Starts in an odd way, named by its argument."""

import os
import sys
import time

import wire

manner = sys.argv[1]
if manner == "exits":
    os._exit(7)
if manner == "silent":
    time.sleep(3600)


def handle(id, method, params):
    if method == "server/discover" and manner == "dies-of-probe":
        os._exit(1)
    if method == "initialize":
        version = "1999-01-01" if manner == "unknown-version" else "2024-11-05"
        wire.result(id, {"protocolVersion": version, "capabilities": {}, "serverInfo": {"name": "odd"}})
    elif id is not None and method != "server/discover":
        wire.text(id, "works")


wire.serve(handle)
