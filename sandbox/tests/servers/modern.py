"""A server of 2026-07-28 over standard streams."""

import wire

META = "io.modelcontextprotocol/"


def handle(id, method, params):
    meta = params.get("_meta", {})
    if id is not None and (meta.get(META + "protocolVersion") != "2026-07-28" or META + "clientCapabilities" not in meta):
        wire.error(id, -32602, "not a modern request")
    elif method == "server/discover":
        capabilities = {"tools": {"listChanged": True}, "resources": {"subscribe": True}}
        wire.result(id, {"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": capabilities,
                         "_meta": {META + "serverInfo": {"name": "modern"}}})
    elif method == "subscriptions/listen":
        wire.notify("notifications/subscriptions/acknowledged", {})
        for uri in params["notifications"].get("resourceSubscriptions", []):
            wire.notify("notifications/resources/updated", {"uri": uri})
    elif method == "tools/call" and params["name"] == "meta":
        wire.result(id, {"resultType": "complete", "content": [], "meta": meta})
    elif method == "tools/call" and "requestState" not in params:
        wire.result(id, {"resultType": "input_required", "requestState": "opaque",
                         "inputRequests": {"q": {"method": "roots/list"}}})
    elif method == "tools/call":
        wire.result(id, {"resultType": "complete", "content": [], "went_on": [params["requestState"],
                                                                             params.get("inputResponses")]})
    elif id is not None:
        wire.error(id, -32601, "unknown")


wire.serve(handle)
