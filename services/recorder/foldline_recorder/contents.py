"""Contents of artifacts that a run produced, and the artifact store's errors in our vocabulary."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager

import msgspec

from foldline.api.event.v1.artifact_pb2 import Artifact as ArtifactMessage
from foldline.api.recorder.v1.recorder_service_pb2 import ReadArtifactResponse
from foldline.artifacts.port import (
    ArtifactCorruptError,
    ArtifactError,
    ArtifactMissingError,
    ArtifactStore,
)
from foldline.domain.artifacts import Artifact, content_of
from foldline.domain.errors import FoldlineError, Kind
from foldline.domain.spec import Json
from foldline.wire import messages
from foldline_recorder.records import Record

PREVIEW_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024


def output_of(record: Record, step: str, output: str) -> Artifact:
    """The artifact that a step of the run gave out. Raises NOT_FOUND naming what there is."""
    state = record.state.step(step)
    artifact = state.outputs.get(output)
    if artifact is None:
        names = ", ".join(state.outputs) or f"none; it is {state.status}"
        raise FoldlineError(
            Kind.NOT_FOUND,
            "UNKNOWN_OUTPUT",
            f"step {step} has no output {output!r}; its outputs are: {names}",
            step=step,
            output=output,
        )
    return artifact


async def read(store: ArtifactStore, artifact: Artifact) -> AsyncGenerator[ReadArtifactResponse, None]:
    """What it is, then its bytes. A content that is not what the digest names ends with an error.

    Of small values and short lists the bytes are in the event alone.
    """
    inline = content_of(artifact)
    with translated():
        if inline is None and not await store.exists(artifact.digest):
            raise ArtifactMissingError(artifact.digest, f"{artifact.digest} is not in the artifact store")
    yield ReadArtifactResponse(artifact=messages.to_message(artifact, ArtifactMessage))
    if inline is not None:
        for start in range(0, len(inline), CHUNK_BYTES):
            yield ReadArtifactResponse(chunk=inline[start : start + CHUNK_BYTES])
        return
    with translated():
        async for piece in _pieces(store, artifact.digest):
            yield ReadArtifactResponse(chunk=piece)


async def preview(store: ArtifactStore, artifact: Artifact) -> dict[str, Json]:
    """What is shown of it; nothing where there is nothing. Of more than a preview has, no more is read."""
    if not artifact.preview:
        return {}
    content = bytearray()
    with translated():
        async with aclosing(store.stream(artifact.preview)) as pieces:
            async for piece in pieces:
                content += piece
                if len(content) > PREVIEW_BYTES:
                    raise _no_preview(artifact, f"it is larger than {PREVIEW_BYTES} bytes")
    try:
        return msgspec.json.decode(content, type=dict[str, Json])
    except (msgspec.MsgspecError, RecursionError) as error:
        raise _no_preview(artifact, str(error)) from error


def _no_preview(artifact: Artifact, why: str) -> FoldlineError:
    message = f"the preview {artifact.preview} of {artifact.digest} cannot be shown: {why}"
    return FoldlineError(Kind.INTERNAL, "PREVIEW_UNREADABLE", message)


async def _pieces(store: ArtifactStore, digest: str) -> AsyncIterator[bytes]:
    """The content in pieces of CHUNK_BYTES, whatever the store's own are."""
    held = bytearray()
    async for piece in store.stream(digest):
        held += piece
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except ArtifactMissingError as error:
        raise FoldlineError(Kind.NOT_FOUND, "CONTENT_MISSING", str(error), key=error.key) from error
    except ArtifactCorruptError as error:
        raise FoldlineError(Kind.INTERNAL, "CONTENT_CORRUPT", str(error), key=error.key) from error
    except ArtifactError as error:
        raise FoldlineError(Kind.UNAVAILABLE, "STORE_UNAVAILABLE", str(error), key=error.key) from error
