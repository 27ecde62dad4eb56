"""Drives PyPI `mcp`: one JSON order as the argument, one JSON answer on stdout.

Order: {"endpoint", "token"} or {"command", "env"}; "era": "auto" | "legacy" | "2026-07-28"; "do": "list" | "call"; "tool", "arguments".
Answer: {"version", "tools"} or {"version", "content", "isError"} or {"error"}.
"""

import asyncio
import json
import sys

from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


def transport(order):
    if "command" in order:
        program, *arguments = order["command"]
        return StdioServerParameters(command=program, args=arguments, env=order.get("env"))
    http = create_mcp_http_client(headers={"Authorization": f"Bearer {order['token']}"})
    return streamable_http_client(order["endpoint"], http_client=http)


async def answer(order):
    async with Client(transport(order), mode=order.get("era", "auto")) as client:
        if order["do"] == "list":
            tools = await client.list_tools()
            return {"version": client.protocol_version, "tools": [tool.name for tool in tools.tools]}
        result = await client.call_tool(order["tool"], order["arguments"])
        content = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
        return {"version": client.protocol_version, "content": content, "isError": bool(result.is_error)}


def main():
    try:
        said = asyncio.run(answer(json.loads(sys.argv[1])))
    except BaseException as error:  # an exception group of the client's tasks counts too
        said = {"error": "; ".join(leaves(error))}
    print(json.dumps(said))


def leaves(error):
    nested = getattr(error, "exceptions", None)
    return [text for one in nested for text in leaves(one)] if nested else [f"{type(error).__name__}: {error}"]


main()
