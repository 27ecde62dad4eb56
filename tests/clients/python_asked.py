"""Drives PyPI `mcp` as a client that answers what servers ask: one JSON order as the argument, one JSON answer on stdout.

Order: {"endpoint", "token", "era", "tool", "arguments"}. Answer: {"asked": [method…], "text", "isError"} or {"error"}.
"""

import asyncio
import json
import sys

from mcp import Client, types
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

asked = []


async def elicit(_context, _params):
    asked.append("elicitation/create")
    return types.ElicitResult(action="accept", content={"name": "Ann", "username": "ann", "email": "ann@example.com"})


async def sample(_context, _params):
    asked.append("sampling/createMessage")
    text = types.TextContent(type="text", text="said by the model")
    return types.CreateMessageResult(role="assistant", content=text, model="none")


async def answer(order):
    http = create_mcp_http_client(headers={"Authorization": f"Bearer {order['token']}"})
    transport = streamable_http_client(order["endpoint"], http_client=http)
    async with Client(transport, mode=order["era"], elicitation_callback=elicit, sampling_callback=sample) as client:
        result = await client.call_tool(order["tool"], order["arguments"])
        text = "".join(getattr(block, "text", "") for block in result.content)
        return {"asked": asked, "text": text, "isError": bool(result.is_error)}


try:
    said = asyncio.run(answer(json.loads(sys.argv[1])))
except BaseException as error:  # an exception group of the client's tasks counts too
    said = {"error": repr(error), "asked": asked}
print(json.dumps(said))
