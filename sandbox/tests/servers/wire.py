"""What every test server needs of JSON-RPC over standard streams: one thread a request, so none waits for another."""

import json
import sys
import threading

_lock = threading.Lock()
_answers = {}


def raw(data: bytes):
    with _lock:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def send(message):
    raw(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode() + b"\n")


def result(id, value):
    send({"id": id, "result": value})


def error(id, code, message):
    send({"id": id, "error": {"code": code, "message": message}})


def notify(method, params):
    send({"method": method, "params": params})


def text(id, value):
    result(id, {"content": [{"type": "text", "text": value}]})


def ask(id, method, params):
    """Sends a request to the client and waits for its answer."""
    arrived = threading.Event()
    _answers[id] = [arrived, None]
    send({"id": id, "method": method, "params": params})
    arrived.wait()
    return _answers.pop(id)[1]


def serve(handle):
    """Calls `handle(id, method, params)` for each message until input ends; `id` is None for a notification."""
    for line in sys.stdin:
        message = json.loads(line)
        if "method" not in message:
            waiting = _answers.get(message["id"])
            if waiting:
                waiting[1] = message
                waiting[0].set()
            continue
        arguments = (message.get("id"), message["method"], message.get("params", {}))
        threading.Thread(target=handle, args=arguments, daemon=True).start()
