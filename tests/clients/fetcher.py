"""A tool server that fetches one URL many times over one connection, and says how long it took. With a URL as its argument it does
that once, without a gateway."""
import http.client
import json
import ssl
import sys
import time
from urllib.parse import urlsplit


def fetch(url, times, address=None):
    to = urlsplit(url)
    host, path = to.hostname, to.path or "/"
    port = to.port or (443 if to.scheme == "https" else 80)
    if to.scheme == "https":
        # Who signs is another on each way; that it is checked is for other tests.
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, port, timeout=30, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=30)
    if address:  # a name that only the sandbox's resolver and the tests' internet know
        create = connection._create_connection
        connection._create_connection = lambda target, *rest, **more: create((address, target[1]), *rest, **more)
    took, received = [], 0
    begun = time.perf_counter()
    for _ in range(times):
        at = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status} {answer.read(200)}")
        received += len(answer.read())
        took.append(time.perf_counter() - at)
    whole = time.perf_counter() - begun
    took.sort()
    p50, p99 = (took[(len(took) - 1) * share // 100] * 1e6 for share in (50, 99))
    return {"p50_us": p50, "p99_us": p99, "mb_s": received / whole / 1e6}


def serve():
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        method, params = request["method"], request.get("params", {})
        if method == "initialize":
            info = {"name": "fetcher", "version": "1"}
            result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
        elif method == "tools/list":
            result = {"tools": [{"name": "fetch", "inputSchema": {"type": "object"}}]}
        elif method == "tools/call":
            try:
                told = json.dumps(fetch(**params["arguments"]))
            except Exception as error:
                told = f"failed: {error!r}"
            result = {"content": [{"type": "text", "text": told}]}
        else:
            answer = {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32601, "message": "unknown"}}
            print(json.dumps(answer), flush=True)
            continue
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)


if len(sys.argv) > 1:
    print(json.dumps(fetch(**json.loads(sys.argv[1]))))
else:
    serve()
