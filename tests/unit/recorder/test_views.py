"""How records look: the same fields as the protos, and never larger than a message may be."""

from __future__ import annotations

import msgspec
import pytest
from google.protobuf.message import Message
from tests.unit.domain.graphs import Game, artifact, failure, function, graph
from tests.unit.recorder.test_broadcast import event

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.domain.artifacts import Artifact
from foldline.eventstore.port import Position
from foldline_recorder import events, todos, views
from foldline_recorder.records import Record


@pytest.mark.parametrize(
    ("struct", "message"),
    [
        (views.RunView, pb.Run),
        (views.RunStepView, pb.RunStep),
        (views.AttemptView, pb.Attempt),
        (views.ChildrenView, pb.Children),
        (todos.TodoView, pb.Todo),
    ],
)
def test_a_view_has_the_fields_of_its_message(struct: type[msgspec.Struct], message: type[Message]) -> None:
    declared = [field.name for field in msgspec.structs.fields(struct)]

    assert sorted(declared) == sorted(field.name for field in message.DESCRIPTOR.fields)


def record(game: Game) -> Record:
    return Record(state=game.state, place=Position(1, 1), started_by="ada", size=0)


def test_a_list_leaves_out_long_values_and_tracebacks() -> None:
    game = Game(graph(function("a")))
    game.schedule()
    game.fail("a", failure(traceback="Traceback: …"))
    long = Artifact(digest="sha256:1", type="json", encoding="json", size_bytes=2000, value="x" * 1998)
    view = msgspec.structs.replace(
        views.view_run(record(game)), outputs={"long": long, "short": artifact("kept")}
    )

    brief = views.brief_run(view)

    assert brief.failure is not None
    assert (brief.failure.traceback, brief.failure.message) == ("", "it broke")
    assert brief.outputs["long"].value is msgspec.UNSET
    assert brief.outputs["long"].digest == "sha256:1"
    assert brief.outputs["short"].value == "kept"


def test_steps_that_are_too_large_together_lose_their_long_values_and_nothing_else() -> None:
    def steps() -> list[pb.RunStep]:
        found = [pb.RunStep(name="a"), pb.RunStep(name="b")]
        found[0].outputs["output"].size_bytes = 2000
        found[0].outputs["output"].digest = "sha256:1"
        found[0].outputs["output"].value.string_value = "x" * 1998
        found[1].outputs["output"].size_bytes = 3
        found[1].outputs["output"].value.string_value = "y"
        return found

    roomy, tight = steps(), steps()
    views.slim_steps(roomy, 10_000)
    views.slim_steps(tight, 1000)

    assert roomy == steps()
    assert not tight[0].outputs["output"].HasField("value")
    assert tight[0].outputs["output"].digest == "sha256:1"
    assert tight[1].outputs["output"].value.string_value == "y"


@pytest.mark.parametrize(("payload", "data"), [('{"step":"a"}', {"step": "a"}), ("{", {}), ("[1]", {})])
def test_an_event_shows_its_payload_even_where_it_cannot_be_read(payload: str, data: dict[str, str]) -> None:
    shown = events.event_message(event(3, payload))

    assert shown.payload_json == payload
    assert dict(shown.data) == data
