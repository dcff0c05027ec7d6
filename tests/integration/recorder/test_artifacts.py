"""Contents of artifacts: of those that the run produced, and of no other."""

from __future__ import annotations

import grpc
from tests.integration.recorder.desk import Desk, read_all, refused
from tests.integration.recorder.stories import Story
from tests.integration.recorder.worlds import Tale, wait
from tests.unit.domain.graphs import report
from tests.unit.domain.test_forms import graph, map_step

from foldline.api.recorder.v1 import recorder_service_pb2 as pb
from foldline.domain import lists
from foldline.domain.artifacts import Artifact
from foldline.domain.commands import Answer, AnswerWait, ReceiveReport
from foldline.domain.releases import digest
from foldline.domain.spec import Binding
from foldline.wire import messages


def ask(story: Story, step: str = "a", output: str = "output") -> pb.ReadArtifactRequest:
    return pb.ReadArtifactRequest(workspace="lab", run_id=story.run_id, step=step, output=output)


async def with_output(desk: Desk, artifact: Artifact) -> Story:
    story = Story(desk.store)
    story.game.schedule()
    story.game.play(ReceiveReport(report("a", 1, "succeeded", outputs={"output": artifact})))
    return await story.tell()


async def test_an_artifact_comes_with_what_it_is_and_then_in_chunks(desk: Desk) -> None:
    content = bytes(range(256)) * 4096  # 1 MiB
    digest = await desk.artifacts.put_bytes(content + b"!")
    story = await with_output(
        desk, Artifact(digest=digest, type="file", encoding="file", size_bytes=2**20 + 1, filename="x.bin")
    )

    answers = await read_all(desk.stub.ReadArtifact(ask(story)))

    assert answers[0].artifact.digest == digest
    assert answers[0].artifact.filename == "x.bin"
    assert [len(answer.chunk) for answer in answers] == [0, *[256 * 1024] * 4, 1]
    assert b"".join(answer.chunk for answer in answers) == content + b"!"


async def test_an_empty_artifact_has_no_chunks(desk: Desk) -> None:
    digest = await desk.artifacts.put_bytes(b"")
    story = await with_output(desk, Artifact(digest=digest, type="file", encoding="file"))

    assert [len(answer.chunk) for answer in await read_all(desk.stub.ReadArtifact(ask(story)))] == [0]


async def test_what_the_run_did_not_produce_is_not_found(desk: Desk) -> None:
    story = await with_output(desk, Artifact(digest="sha256:" + "0" * 64, type="file", encoding="file"))

    async def message(request: pb.ReadArtifactRequest) -> str:
        return await refused(read_all(desk.stub.ReadArtifact(request)), grpc.StatusCode.NOT_FOUND)

    assert "has no step c; it has a, b" in await message(ask(story, step="c"))
    assert await message(ask(story, output="x")) == "step a has no output 'x'; its outputs are: output"
    assert (await message(ask(story, step="b"))).endswith("its outputs are: none; it is waiting")
    assert (await message(ask(story))).endswith("is not in the artifact store")


async def test_content_that_was_changed_in_the_store_is_never_passed_off_as_whole(desk: Desk) -> None:
    digest = await desk.artifacts.put_bytes(b"x" * 300_000)
    path = desk.artifacts.local_path(digest)
    assert path is not None
    path.chmod(0o644)
    path.write_bytes(b"y" * 300_000)
    story = await with_output(desk, Artifact(digest=digest, type="file", encoding="file"))

    await refused(read_all(desk.stub.ReadArtifact(ask(story))), grpc.StatusCode.INTERNAL)


async def read(desk: Desk, run_id: str, step: str, output: str) -> tuple[Artifact, bytes]:
    request = pb.ReadArtifactRequest(workspace="lab", run_id=run_id, step=step, output=output)
    answers = await read_all(desk.stub.ReadArtifact(request))
    artifact = messages.from_message(answers[0].artifact, Artifact)
    return artifact, b"".join(answer.chunk for answer in answers)


async def test_a_persons_answer_is_read_although_only_the_event_has_it(desk: Desk) -> None:
    tale = await Tale(desk.store, graph(wait("release", "approve"))).tell()
    await tale.command(AnswerWait("release", Answer(approved=True), "ada"))

    artifact, content = await read(desk, tale.run_id, "release", "by")

    assert content == b'"ada"'
    assert (digest(content), len(content)) == (artifact.digest, artifact.size_bytes)


async def test_a_short_list_is_read_as_the_array_of_what_is_in_it(desk: Desk) -> None:
    tale = await Tale(desk.store, graph(map_step(Binding(value=[1, 2, 3])))).run()

    artifact, content = await read(desk, tale.run_id, "each", "output")

    assert digest(content) == artifact.digest
    assert [entry and entry.value for entry in lists.entries(content)] == [2, 4, 6]


async def test_a_list_of_lists_is_read_from_the_store(desk: Desk) -> None:
    tale = await Tale(desk.store, graph(map_step(Binding(value=list(range(250)))))).run()
    for content in tale.world.contents.values():
        await desk.artifacts.put_bytes(content)

    artifact, content = await read(desk, tale.run_id, "each", "output")

    assert artifact.encoding == "lists"
    assert [entry and entry.encoding for entry in lists.entries(content)] == ["list"] * 3


async def test_a_value_that_is_not_what_its_digest_names_is_not_passed_off_as_the_content(desk: Desk) -> None:
    story = await with_output(
        desk, Artifact(digest="sha256:" + "1" * 64, type="json", encoding="json", size_bytes=1, value=1)
    )

    message = await refused(read_all(desk.stub.ReadArtifact(ask(story))), grpc.StatusCode.NOT_FOUND)

    assert message.endswith("is not in the artifact store")


async def preview(desk: Desk, story: Story) -> pb.GetArtifactPreviewResponse:
    request = pb.GetArtifactPreviewRequest(workspace="lab", run_id=story.run_id, step="a", output="output")
    return await desk.stub.GetArtifactPreview(request)


async def test_a_preview_is_answered_without_the_artifact(desk: Desk) -> None:
    shown = await desk.artifacts.put_bytes(b'{"kind":"table","rows":3,"head":[[1,null]]}')
    missing = "sha256:" + "0" * 64
    story = await with_output(desk, Artifact(digest=missing, type="table", encoding="parquet", preview=shown))

    answer = await preview(desk, story)

    assert (answer.artifact.digest, answer.artifact.preview) == (missing, shown)
    assert messages.to_dict(answer)["preview"] == {"kind": "table", "rows": 3, "head": [[1, None]]}


async def test_an_artifact_without_a_preview_is_answered_alone(desk: Desk) -> None:
    story = await with_output(desk, Artifact(digest="sha256:" + "0" * 64, type="file", encoding="file"))

    assert not (await preview(desk, story)).HasField("preview")


async def test_a_preview_that_is_none_is_told_and_not_read_to_its_end(desk: Desk) -> None:
    for content, why in ((b"x" * 200_000, "larger than 65536 bytes"), (b"[1]", "Expected `object`")):
        shown = await desk.artifacts.put_bytes(content)
        story = await with_output(
            desk, Artifact(digest=shown, type="table", encoding="parquet", preview=shown)
        )

        assert why in await refused(preview(desk, story), grpc.StatusCode.INTERNAL)
