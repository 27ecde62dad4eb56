"""Holds events, one JSON object a line on stdin, against OCSF's own schema of API Activity, and says what is wrong.

For each line that is wrong: its number, where, and what. What JSON Schema does not say is asked too: that the text beside a
number of a list is the one that the list has for it.
"""

import json
import sys

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

VERSION = "1.8.0"
PROFILES = ["security_control"]
# «Other»: the text beside it is the source's own. «Unknown» may be in other words.
FREE = {"0", "99"}


def siblings(schema, attributes, value, at):
    """The texts beside numbers that are not those of the schema."""
    for name, member in value.items():
        attribute = attributes.get(name, {})
        kind = attribute.get("object_type")
        inner = schema["objects"].get(kind, {}).get("attributes", {})
        for place, one in enumerate(member if isinstance(member, list) else [member]):
            if isinstance(one, dict) and inner:
                yield from siblings(schema, inner, one, f"{at}.{name}[{place}]")
        listed, beside = attribute.get("enum"), attribute.get("sibling")
        if not listed or beside not in value or str(member) in FREE:
            continue
        caption = listed.get(str(member), {}).get("caption")
        if value[beside] != caption:
            yield f"{at}.{beside}: {value[beside]!r} stands beside {member}, which is {caption!r}"


def main():
    schema = get_ocsf_schema(version=VERSION)
    wanted = OcsfJsonSchemaEmbedded(schema).get_class_schema("api_activity", PROFILES)
    Draft202012Validator.check_schema(wanted)
    validator = Draft202012Validator(wanted)
    attributes = schema["classes"]["api_activity"]["attributes"]
    count = 0
    for number, line in enumerate(sys.stdin, 1):
        event = json.loads(line)
        count = number
        said = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(event)]
        said += siblings(schema, attributes, event, "$")
        if event.get("metadata", {}).get("version") != VERSION:
            said.append("$.metadata.version: another version than the schema's")
        for one in said:
            print(f"{number} {one}")
    print(f"{count} events")


main()
