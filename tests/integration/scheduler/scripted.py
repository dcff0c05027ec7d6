"""A scripted executor: speaks the executors' side of the protocol over real NATS, and runs nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tests.waiting import until

from foldline.bus import subjects
from foldline.bus.port import Bus, Message
from foldline.domain.artifacts import Artifact, inline
from foldline.domain.failures import Failure
from foldline.domain.work import AttemptKey, Heartbeat, Report, ReportAck, StopAttempt, Work
from foldline.wire import work as wire

DONE = Artifact(digest="sha256:00", type="json", encoding="json", size_bytes=4, value=1)


class ScriptedExecutor:
    """Remembers every order. With `answers` it reports each one started and succeeded.

    `behave` says what comes of a work order: outputs by name as JSON values, or a failure.
    """

    def __init__(
        self,
        bus: Bus,
        session: str,
        *,
        slots: int = 4,
        answers: bool = True,
        behave: Callable[[Work], Mapping[str, Any] | Failure] | None = None,
    ) -> None:
        self.bus = bus
        self.session = session
        self.slots = slots
        self.answers = answers
        self.behave = behave
        self.orders: list[Work] = []
        self.stops: list[AttemptKey] = []
        self.acks: list[tuple[AttemptKey, str]] = []
        self.held: set[AttemptKey] = set()

    async def start(self) -> ScriptedExecutor:
        await self.bus.subscribe(subjects.work(self.session), self._on_work)
        await self.bus.subscribe(subjects.stop(self.session), self._on_stop)
        await self.bus.subscribe(subjects.ack(self.session), self._on_ack)
        await self.beat()
        return self

    async def beat(self, **changes: Any) -> None:
        beat = Heartbeat(
            session=self.session,
            name="scripted",
            region="local",
            pool="default",
            slots=self.slots,
            held=tuple(self.held),
            **changes,
        )
        await self.bus.publish(subjects.HEARTBEAT, wire.encode(beat))

    async def report(self, work: Work, kind: str, **changes: Any) -> None:
        report = Report(key=work.key, session=self.session, kind=kind, **changes)
        await self.bus.publish(subjects.report(work.partition), wire.encode_all([report]))

    async def _on_work(self, message: Message) -> None:
        for work in wire.decode_all(Work, message.body):
            self.orders.append(work)
            if self.answers:
                await self.report(work, "started")
                await self.end(work)

    async def end(self, work: Work) -> None:
        """Report what comes of an order."""
        given = {"output": DONE} if self.behave is None else self.behave(work)
        if isinstance(given, Failure):
            await self.report(work, "failed", failure=given, seconds=0.1)
            return
        outputs = {name: one if isinstance(one, Artifact) else inline(one) for name, one in given.items()}
        await self.report(work, "succeeded", outputs=outputs)

    async def _on_stop(self, message: Message) -> None:
        self.stops.append(wire.decode(StopAttempt, message.body).key)

    async def _on_ack(self, message: Message) -> None:
        self.acks += [(ack.key, ack.kind) for ack in wire.decode_all(ReportAck, message.body)]


async def beating(executor: ScriptedExecutor, condition: Callable[[], Awaitable[bool]]) -> None:
    """Send heartbeats, as an executor does, until the condition holds."""

    async def check() -> bool:
        await executor.beat()
        return await condition()

    await until(check, timeout=20)
