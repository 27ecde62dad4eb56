"""A tool for Portcullis: it counts the words of a text."""

import json

import wit_world
from componentize_py_types import Err
from wit_world.imports.types import ToolError_Failed, ToolError_InvalidArguments

COUNT = {
    "name": "count",
    "description": "Counts the words of a text.",
    "inputSchema": {
        "type": "object",
        "properties": {"text": {"type": "string", "description": "What to count."}},
        "required": ["text"],
        "additionalProperties": False,
    },
    "annotations": {"readOnlyHint": True, "openWorldHint": False},
}


class WitWorld(wit_world.WitWorld):
    def describe(self) -> str:
        return json.dumps({"tools": [COUNT]})

    def call(self, name: str, arguments: str) -> str:
        if name != "count":
            raise Err(ToolError_Failed(f"there is no tool `{name}`"))
        text = json.loads(arguments).get("text")
        if not isinstance(text, str):
            raise Err(ToolError_InvalidArguments("`text` is not a text"))
        count = len(text.split())
        return json.dumps({"content": [{"type": "text", "text": f"{count} words"}]})
