"""Values as artifacts between attempts: codecs of authors, folders, records, pickle by policy, reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.integration.executor.installation import Site, executor, inputs, limits

from foldline.domain.work import Input

pytestmark = pytest.mark.usefixtures("only_our_kills")

STEPS = """
    import dataclasses
    import os
    import signal
    from pathlib import Path

    import foldline as fl


    class Graph:
        def __init__(self, edges):
            self.edges = edges


    def write_graph(graph, path):
        path.mkdir()
        (path / "edges").write_text(" ".join(graph.edges))


    fl.register_codec(
        "graph", Graph, write=write_graph, read=lambda path: Graph((path / "edges").read_text().split())
    )


    @dataclasses.dataclass
    class Size:
        width: int


    def graph():
        return Graph(["a-b", "b-c"])


    def edges(data):
        return data.edges


    def folder():
        Path("result/deep").mkdir(parents=True)
        Path("result/deep/file").write_text("content")
        return Path("result")


    def tree(data):
        return sorted(str(path.relative_to(data)) for path in data.rglob("*"))


    def width(data: Size):
        return data.width + 1


    def odd():
        return {1, 2}


    def die(data):
        os.kill(os.getpid(), signal.SIGKILL)


    def wait(data):
        import time
        time.sleep(600)
"""

PLAIN = """
    def edges(data):
        return data.edges
"""


@pytest.fixture
async def here(tmp_path: Path) -> Site:
    site = Site(tmp_path)
    await site.release(STEPS)
    return site


async def test_an_authors_codec_writes_and_reads_and_another_module_is_told_which_it_lacks(
    here: Site,
) -> None:
    async with executor(here) as scheduler:
        first = here.work("graph")
        await scheduler.order(first)
        artifact = (await scheduler.ended(first)).outputs["output"]
        second = here.work("edges", inputs={"data": Input(artifact=artifact)})
        await scheduler.order(second)
        assert await scheduler.value(second) == ["a-b", "b-c"]

        await here.release(PLAIN)
        third = here.work("edges", inputs={"data": Input(artifact=artifact)})
        await scheduler.order(third)
        failure = await scheduler.failure(third)

    assert (artifact.type, artifact.encoding) == ("file", "author:graph+folder")
    assert (failure.kind, failure.reason) == ("invalid", "INPUT_NOT_READABLE")
    assert (
        "it was written with the codec 'graph', which this step's module does not register" in failure.message
    )


async def test_a_folder_goes_to_the_next_step_with_a_preview_of_its_tree(here: Site) -> None:
    async with executor(here) as scheduler:
        first = here.work("folder")
        await scheduler.order(first)
        artifact = (await scheduler.ended(first)).outputs["output"]
        second = here.work("tree", inputs={"data": Input(artifact=artifact)})
        await scheduler.order(second)
        found = await scheduler.value(second)

    assert found == ["deep", "deep/file"]
    assert json.loads(await here.store.read(artifact.preview)) == {
        "kind": "folder",
        "files": 1,
        "bytes": 7,
        "tree": [{"path": "deep/"}, {"path": "deep/file", "bytes": 7}],
    }


async def test_a_parameter_annotated_with_a_record_gets_one(here: Site) -> None:
    async with executor(here) as scheduler:
        good = here.work("width", inputs=inputs(data={"width": 3}))
        bad = here.work("width", inputs=inputs(data={"height": 3}))
        await scheduler.order(good)
        await scheduler.order(bad)

        assert await scheduler.value(good) == 4
        assert "input data is no" in (await scheduler.failure(bad)).message


async def test_pickle_needs_the_step_and_the_installation(here: Site) -> None:
    async with executor(here) as scheduler:
        refused = here.work("odd", allow_pickle=True)
        await scheduler.order(refused)
        failure = await scheduler.failure(refused)
    async with executor(here, allow_pickle=True) as scheduler:
        unasked, permitted = here.work("odd"), here.work("odd", allow_pickle=True)
        await scheduler.order(unasked)
        await scheduler.order(permitted)
        silent = await scheduler.failure(unasked)
        artifact = (await scheduler.ended(permitted)).outputs["output"]

    assert failure.reason == silent.reason == "OUTPUT_NOT_STORABLE"
    assert "this installation does not permit (FOLDLINE_ALLOW_PICKLE)" in failure.message
    assert "@fl.step(allow_pickle=True)" in silent.message
    assert artifact.encoding == "pickle"


async def test_what_was_read_is_recorded_however_the_attempt_ended(here: Site) -> None:
    async with executor(here) as scheduler:
        first = here.work("graph")
        await scheduler.order(first)
        artifact = (await scheduler.ended(first)).outputs["output"]
        killed = here.work("die", inputs={"data": Input(artifact=artifact)})
        await scheduler.order(killed)
        late = here.work("wait", inputs={"data": Input(artifact=artifact)}, timeouts=limits(run=1.0))
        await scheduler.order(late)

        for work, reason in ((killed, "STEP_KILLED"), (late, "STEP_TIMED_OUT")):
            assert (await scheduler.failure(work)).reason == reason
            assert (await scheduler.ended(work)).reads == (artifact.digest,)
