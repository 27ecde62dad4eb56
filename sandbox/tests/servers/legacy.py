"""A legacy server. Each tool does one thing right or one thing wrong."""

import os
import subprocess
import sys
import time

import wire

offered = ["echo"]
cancelled = []
level = []


def handle(id, method, params):
    if method == "initialize":
        capabilities = {"tools": {"listChanged": True}, "logging": {}, "resources": {"subscribe": True}}
        info = {"name": "legacy", "version": "1", "x-unknown": 1.50}
        wire.result(id, {"protocolVersion": "2025-06-18", "capabilities": capabilities, "serverInfo": info,
                         "instructions": repr(params["capabilities"])})
    elif method == "tools/list":
        list_tools(id, params)
    elif method == "tools/call":
        TOOLS[params["name"]](id, params)
    elif method == "notifications/cancelled":
        cancelled.append(params["requestId"])
    elif method == "logging/setLevel":
        level.append(params["level"])
        wire.result(id, {})
    elif method == "resources/subscribe":
        wire.result(id, {})
        wire.notify("notifications/resources/updated", {"uri": params["uri"]})
    elif id is not None:
        wire.error(id, -32601, "unknown")


def list_tools(id, params):
    """Two pages, the second one with what no library knows."""
    if "cursor" not in params:
        wire.result(id, {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in offered],
                         "nextCursor": "second"})
    else:
        wire.raw(b'{"jsonrpc":"2.0","id":%d,"result":{"tools":[{"name":"last","x-new":{"n":1.0}}]}}\n' % id)


def echo(id, params):
    wire.result(id, {"content": [{"type": "x-unknown", "of": params}], "_meta": {"example.org/kept": [1, None]}})


def slow(id, params):
    time.sleep(params["arguments"]["seconds"])
    wire.text(id, "slow")


def hang(id, params):
    token = params.get("_meta", {}).get("progressToken")
    if token is not None:
        wire.notify("notifications/progress", {"progressToken": token, "progress": 0})
    time.sleep(3600)


def exits(id, params):
    os._exit(3)


def answers_and_exits(id, params):
    wire.text(id, "last words")
    os._exit(0)


def refuses(id, params):
    wire.send({"id": id, "error": {"code": -32000, "message": "no", "data": {"x": 1}}})


def wrong_id(id, params):
    wire.text(id + 1000, "not yours")


def string_id(id, params):
    wire.text(str(id), "not quite yours")


def duplicate(id, params):
    wire.text(id, "first")
    wire.text(id, "second")


def garbage(id, params):
    wire.raw(b"starting up...\n\xff\xfe\n{\"jsonrpc\":\n[]\n{}\nnull\n\n")
    wire.text(id, "after garbage")


def duplicate_keys(id, params):
    wire.raw(b'{"jsonrpc":"2.0","id":%d,"result":{"content":[],"content":[]}}\n' % id)


def invalid_utf8(id, params):
    wire.raw(b'{"jsonrpc":"2.0","id":%d,"result":{"text":"\xff"}}\n' % id)


def deep(id, params):
    wire.raw(b'{"jsonrpc":"2.0","id":%d,"result":{"a":%s%s}}\n' % (id, b"[" * 10000, b"]" * 10000))


def huge(id, params):
    """100 MB for one call, the id at the end as the TypeScript SDK writes it."""
    chunk = b"x" * 1_000_000
    wire.raw(b'{"result":{"content":[{"type":"text","text":"')
    for _ in range(100):
        wire.raw(chunk)
    wire.raw(b'"}]},"jsonrpc":"2.0","id":%d}\n' % id)


def huge_unknown(id, params):
    wire.raw(b'{"result":{"text":"' + b"x" * 20_000_000 + b'"},"jsonrpc":"2.0"}\n')


def endless(id, params):
    while True:
        wire.raw(b"x" * 1_000_000)


def flood(id, params):
    while True:
        wire.raw(b'{"jsonrpc":"2.0","method":"notifications/x"}\n' * 1000)


def stderr(id, params):
    for _ in range(500):
        sys.stderr.write("\x1b[31mnoise " + "x" * 10_000 + "\n")
    wire.text(id, "quiet again")


def progress(id, params):
    token = params["_meta"]["progressToken"]
    for step in range(3):
        wire.notify("notifications/progress", {"progressToken": token, "progress": step, "x-new": step})
    wire.notify("notifications/progress", {"progressToken": token + 1000, "progress": 1})
    wire.text(id, "done")


def logs(id, params):
    while not level:
        time.sleep(0.01)
    wire.notify("notifications/message", {"level": "debug", "data": "low"})
    wire.notify("notifications/message", {"level": "error", "data": "high"})
    wire.text(id, level[0])


def asks(id, params):
    answer = wire.ask("q-%d" % id, "elicitation/create", {"message": "sure?"})
    wire.text(id, repr(answer.get("result", answer.get("error"))))


def changes(id, params):
    offered.append("new")
    wire.notify("notifications/tools/list_changed", {})
    wire.text(id, "changed")


def environment(id, params):
    wire.text(id, " ".join(sorted(os.environ)))


def pid(id, params):
    wire.text(id, str(os.getpid()))


def forks(id, params):
    child = subprocess.Popen(["sleep", "3600"])
    wire.text(id, str(child.pid))


def was_cancelled(id, params):
    wire.text(id, repr(len(cancelled)))


TOOLS = {name: value for name, value in list(globals().items()) if callable(value)}
TOOLS["exit"] = exits

wire.serve(handle)
