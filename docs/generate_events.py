"""Prints docs/events.md from the comments of the protos: `python docs/generate_events.py [--write]`.

`tests/architecture/test_events_page.py` fails when the committed page differs from what this prints. The
descriptors come from `buf`, which is among the development dependencies.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from foldline.wire.events import REGISTRY_TYPES, RUN_TYPES, SCHEDULE_TYPES

PAGE = Path(__file__).with_name("events.md")
ROOT = Path(__file__).parents[1]

PACKAGE = "foldline.api.event.v1"
VALUES = ("Artifact", "Failure", "Agreement", "ImportSource", "Times", "ScheduleSettings", "TriggerSettings")

INTRODUCTION = """# Events

Printed from the comments in `protos/foldline/api/event/v1/` by `docs/generate_events.py`; do not edit. Which
event may follow which: [state-machine.md](state-machine.md).

An event is a fact, and is never changed. In the ledger it is a type (the message's name) and a JSON text in
the proto3 mapping with the original field names; fields that have their default are left out. Integers are
JSON numbers, times are RFC 3339 in UTC.

Every event also goes out over NATS as a CloudEvent 1.0 in structured JSON, subject
`foldline.event.<workspace>.<category>.<type>` (JetStream stream `EVENTS`), at least once, and in order within
its ledger stream.

| attribute | what it is |
|---|---|
| `id` | id of the event (UUIDv7), the same when it comes twice |
| `source` | `/foldline/ledger` |
| `type` | `foldline.api.event.v1.<type>` |
| `subject` | the stream, `<category>-<id>` |
| `sequence` | version in the stream: 1, 2, 3, … without gap |
| `time` | when it was recorded |
| `actor` | who: subject of the token, or `service:<name>` |
| `workspace` | the workspace that it happened in |
| `correlation` | the same for all events of one decision |
| `traceparent` | W3C trace, where the caller sent one |
| `data` | the event's JSON, as below |
"""


class Field(NamedTuple):
    name: str
    type: str
    comment: str


class Message(NamedTuple):
    name: str
    comment: str
    fields: tuple[Field, ...]


def messages(file: FileDescriptorProto) -> Iterator[Message]:
    """The messages of a file with their comments."""
    comments = {tuple(one.path): _text(one.leading_comments) for one in file.source_code_info.location}
    for place, declared in enumerate(file.message_type):
        fields = tuple(
            Field(field.name, _type(field, declared), comments.get((4, place, 2, number), ""))
            for number, field in enumerate(declared.field)
        )
        yield Message(declared.name, comments.get((4, place), ""), fields)


def _text(comment: str) -> str:
    """One line, with nothing in it that Markdown would take for HTML or for the end of a cell."""
    return " ".join(comment.split()).replace("<", "&lt;").replace("|", "\\|")


def _type(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    """The type as it looks in JSON."""
    entry = {f".{PACKAGE}.{message.name}.{one.name}": one for one in message.nested_type}.get(field.type_name)
    if entry is not None and entry.options.map_entry:
        return f"object of {_single(entry.field[1])} by name"
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return f"list of {_single(field)}"
    return _single(field)


_SCALARS = {
    FieldDescriptorProto.TYPE_STRING: "string",
    FieldDescriptorProto.TYPE_BOOL: "boolean",
    FieldDescriptorProto.TYPE_DOUBLE: "number",
    FieldDescriptorProto.TYPE_INT32: "integer",
    FieldDescriptorProto.TYPE_INT64: "integer",
}

_WELL_KNOWN = {
    ".google.protobuf.Struct": "object",
    ".google.protobuf.Value": "any JSON value",
    ".google.protobuf.Timestamp": "time",
}


def _single(field: FieldDescriptorProto) -> str:
    if field.type != FieldDescriptorProto.TYPE_MESSAGE:
        return _SCALARS[field.type]
    if field.type_name in _WELL_KNOWN:
        return _WELL_KNOWN[field.type_name]
    name = field.type_name.rpartition(".")[2]
    if name in VALUES:
        return f"[{name}](#{name.lower()})"
    path = field.type_name.removeprefix(".").rpartition(".")[0].replace(".", "/")
    return f"[{name}](../protos/{path}/{path.split('/')[-2]}.proto)"


def descriptors() -> dict[str, Message]:
    """Every message of ours by its name."""
    buf = Path(sys.executable).with_name("buf")
    built = subprocess.run(
        [
            str(buf) if buf.exists() else shutil.which("buf") or "buf",
            "build",
            "--as-file-descriptor-set",
            "-o",
            "-",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    files = FileDescriptorSet.FromString(built.stdout).file
    ours = [file for file in files if file.package in (PACKAGE, "foldline.api.failure.v1")]
    return {message.name: message for file in ours for message in messages(file)}


def section(message: Message) -> str:
    lines = [f"### {message.name}", "", message.comment, ""]
    if message.fields:
        lines += ["| field | type | what it is |", "|---|---|---|"]
        lines += [f"| `{one.name}` | {one.type} | {one.comment} |" for one in message.fields]
    else:
        lines.append("No fields.")
    return "\n".join(lines) + "\n"


def sections(title: str, introduction: str, names: Iterable[str], known: dict[str, Message]) -> str:
    return "\n".join([f"## {title}", "", introduction, "", *(section(known[name]) for name in names)])


def page() -> str:
    known = descriptors()
    return "\n".join(
        [
            INTRODUCTION,
            sections("Runs", "Stream `run-<run id>`, written by the scheduler.", RUN_TYPES, known),
            sections(
                "Workspaces, workflows, releases, gallery",
                "Written by the registry.",
                REGISTRY_TYPES,
                known,
            ),
            sections("Schedules and triggers", "Written by the scheduler.", SCHEDULE_TYPES, known),
            sections("Values", "What stands inside events.", VALUES, known),
        ]
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(page())
