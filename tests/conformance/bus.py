"""What every adapter of the bus must do. An adapter's tests inherit from this and give the `bus`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from tests.waiting import until

from foldline.bus import subjects
from foldline.bus.port import Bus, Consumer, Fact, Message, Parked, Poison
from foldline.chassis.clock import new_id
from foldline.domain.errors import FoldlineError

FACT = subjects.event("default", "run-1", "RunCreated")
OTHER_FACT = subjects.event("default", "workflow-1", "WorkflowCreated")


class Inbox:
    """A handler that keeps what it gets, and fails as told."""

    def __init__(
        self, fails: Callable[[Message, int], Exception | None] = lambda message, count: None
    ) -> None:
        self.got: list[Message] = []
        self.tries: list[Message] = []
        self._fails = fails

    async def __call__(self, message: Message) -> None:
        self.tries.append(message)
        error = self._fails(message, self.tries.count(message))
        if error is not None:
            raise error
        self.got.append(message)

    @property
    def bodies(self) -> list[bytes]:
        return [message.body for message in self.got]


def consumer(name: str = "reader", subject: str = subjects.EVENTS, max_deliver: int = 3) -> Consumer:
    return Consumer(name=name, subject=subject, max_deliver=max_deliver, ack_wait_seconds=2.0)


async def publish_facts(bus: Bus, *bodies: bytes, subject: str = FACT) -> None:
    for body in bodies:
        await bus.publish_fact(subject, body, message_id=new_id())


def fact(body: bytes, subject: str = FACT) -> Fact:
    return Fact(subject, body, new_id())


async def the_parked(bus: Bus, count: int) -> list[Parked]:
    async def enough() -> list[Parked]:
        found = list(await bus.parked(100))
        assert len(found) >= count
        return found

    return await until(enough)


class BusConformance:
    async def test_a_plain_message_reaches_every_subscriber(self, bus: Bus) -> None:
        first, second = Inbox(), Inbox()
        await bus.subscribe(subjects.work("s1"), first)
        await bus.subscribe(subjects.work("s1"), second)

        await bus.publish(subjects.work("s1"), b"\x00do\xff")

        await until(lambda: len(first.got) == 1 and len(second.got) == 1)
        assert first.got == second.got == [Message(subjects.work("s1"), b"\x00do\xff")]

    async def test_a_plain_message_to_nobody_is_gone(self, bus: Bus) -> None:
        await bus.publish(subjects.work("s1"), b"early")
        inbox = Inbox()
        await bus.subscribe(subjects.work("s1"), inbox)

        await bus.publish(subjects.work("s1"), b"late")

        await until(lambda: inbox.bodies == [b"late"])

    async def test_plain_messages_are_handled_one_at_a_time_in_order(self, bus: Bus) -> None:
        handled: list[bytes] = []
        busy = 0

        async def handle(message: Message) -> None:
            nonlocal busy
            busy += 1
            assert busy == 1
            await asyncio.sleep(0)
            busy -= 1
            handled.append(message.body)

        await bus.subscribe(subjects.HEARTBEAT, handle)
        sent = [str(number).encode() for number in range(200)]
        for body in sent:
            await bus.publish(subjects.HEARTBEAT, body)

        await until(lambda: len(handled) == 200)
        assert handled == sent

    async def test_wildcards_match_words_and_rests(self, bus: Bus) -> None:
        word, rest, exact = Inbox(), Inbox(), Inbox()
        await bus.subscribe("foldline.log.*.1.*", word)
        await bus.subscribe("foldline.log.r1.>", rest)
        await bus.subscribe(subjects.log("r1", "train", 1), exact)

        await bus.publish(subjects.log("r1", "train", 1), b"a")
        await bus.publish(subjects.log("r1", "train", 2), b"b")
        await bus.publish(subjects.log("r2", "train", 1), b"c")
        await bus.publish("foldline.log.r1", b"d")
        await bus.publish(subjects.log("r1", "end", 1), b"end")

        await until(lambda: word.bodies[-1:] == [b"end"] and rest.bodies[-1:] == [b"end"])
        assert word.bodies == [b"a", b"c", b"end"]
        assert rest.bodies == [b"a", b"b", b"end"]
        assert exact.bodies == [b"a"]

    async def test_one_member_of_a_queue_group_gets_each_message(self, bus: Bus) -> None:
        members, watcher = [Inbox(), Inbox(), Inbox()], Inbox()
        for member in members:
            await bus.subscribe(subjects.HEARTBEAT, member, queue="schedulers")
        await bus.subscribe(subjects.HEARTBEAT, watcher)

        sent = [str(number).encode() for number in range(60)]
        for body in sent:
            await bus.publish(subjects.HEARTBEAT, body)

        await until(lambda: sum(len(member.got) for member in members) == 60 and len(watcher.got) == 60)
        assert sorted(body for member in members for body in member.bodies) == sorted(sent)

    async def test_a_closed_subscription_gets_nothing(self, bus: Bus) -> None:
        closed, open_ = Inbox(), Inbox()
        subscription = await bus.subscribe(subjects.HEARTBEAT, closed)
        await bus.subscribe(subjects.HEARTBEAT, open_)

        await subscription.close()
        await bus.publish(subjects.HEARTBEAT, b"x")

        await until(lambda: open_.bodies == [b"x"])
        assert closed.tries == []
        await subscription.close()

    async def test_a_handler_may_close_its_own_subscription(self, bus: Bus) -> None:
        got: list[bytes] = []

        async def handle(message: Message) -> None:
            got.append(message.body)
            await subscription.close()

        subscription = await bus.subscribe(subjects.HEARTBEAT, handle)
        await bus.publish(subjects.HEARTBEAT, b"x")

        await until(lambda: got == [b"x"])

    async def test_a_handler_may_publish(self, bus: Bus) -> None:
        inbox = Inbox()

        async def answer(message: Message) -> None:
            await bus.publish(subjects.ack("s1"), message.body)

        await bus.subscribe(subjects.report(1), answer)
        await bus.subscribe(subjects.ack("s1"), inbox)
        await bus.publish(subjects.report(1), b"ping")

        await until(lambda: inbox.bodies == [b"ping"])

    @pytest.mark.parametrize(
        "error", [Poison("not readable"), ValueError("no such run")], ids=["poison", "error"]
    )
    async def test_a_plain_message_that_fails_is_parked_and_the_rest_goes_on(
        self, bus: Bus, error: Exception
    ) -> None:
        inbox = Inbox(lambda message, count: error if message.body == b"bad" else None)
        await bus.subscribe(subjects.report(1), inbox)

        await bus.publish(subjects.report(1), b"bad")
        await bus.publish(subjects.report(1), b"good")

        await until(lambda: inbox.bodies == [b"good"])
        (parked,) = await the_parked(bus, 1)
        assert (parked.subject, parked.body) == (subjects.report(1), b"bad")
        assert str(error) in parked.reason

    async def test_a_fact_waits_for_its_reader(self, bus: Bus) -> None:
        await publish_facts(bus, b"1", b"2")
        inbox = Inbox()

        await bus.consume(consumer(), inbox)
        await until(lambda: len(inbox.got) == 2)
        await publish_facts(bus, b"3")

        await until(lambda: inbox.bodies == [b"1", b"2", b"3"])
        assert inbox.got[0].subject == FACT

    async def test_a_second_copy_of_a_fact_is_dropped(self, bus: Bus) -> None:
        inbox = Inbox()
        await bus.consume(consumer(), inbox)

        await bus.publish_fact(FACT, b"once", message_id="event-1")
        await bus.publish_fact(FACT, b"once", message_id="event-1")
        await bus.publish_fact(FACT, b"end", message_id="event-2")

        await until(lambda: inbox.bodies[-1:] == [b"end"])
        assert inbox.bodies == [b"once", b"end"]

    async def test_a_fact_needs_an_event_subject(self, bus: Bus) -> None:
        with pytest.raises(FoldlineError) as refused:
            await bus.publish_fact(subjects.HEARTBEAT, b"x", message_id="event-1")

        assert refused.value.reason == "NOT_AN_EVENT_SUBJECT"

    async def test_facts_that_are_published_together_are_kept_in_their_order(self, bus: Bus) -> None:
        inbox = Inbox()
        some = [fact(str(number).encode(), FACT if number % 3 else OTHER_FACT) for number in range(100)]

        await bus.publish_facts(some)
        await bus.publish_facts([])
        await bus.consume(consumer(), inbox)

        await until(lambda: len(inbox.got) == 100)
        assert inbox.got == [Message(one.subject, one.body) for one in some]

    async def test_facts_of_which_some_are_kept_already_are_completed(self, bus: Bus) -> None:
        """Whatever was published before, and by whom, in whichever order: each is there once in the end."""
        inbox = Inbox()
        some = [fact(str(number).encode()) for number in range(30)]

        await bus.publish_facts(some[:5])
        await bus.publish_facts(some[:10])
        await bus.publish_facts(some[15:20])
        await bus.publish_facts([fact(b"another")])
        await bus.publish_facts(some)
        await bus.publish_facts(some)
        await bus.publish_facts([fact(b"end")])
        await bus.consume(consumer(), inbox)

        await until(lambda: b"end" in inbox.bodies)
        assert sorted(inbox.bodies) == sorted([b"another", b"end", *(one.body for one in some)])

    async def test_of_facts_one_of_which_cannot_be_kept_none_is(self, bus: Bus) -> None:
        inbox = Inbox()

        with pytest.raises(FoldlineError) as refused:
            await bus.publish_facts([fact(b"1"), fact(b"2", subjects.HEARTBEAT)])
        await bus.publish_facts([fact(b"end")])
        await bus.consume(consumer(), inbox)

        assert refused.value.reason == "NOT_AN_EVENT_SUBJECT"
        await until(lambda: inbox.bodies == [b"end"])

    async def test_facts_of_rivals_are_kept_once(self, bus: Bus) -> None:
        inbox = Inbox()
        some = [fact(str(number).encode()) for number in range(100)]

        await asyncio.gather(bus.publish_facts(some), bus.publish_facts(some[:50]), bus.publish_facts(some))
        await bus.publish_facts([fact(b"end")])
        await bus.consume(consumer(), inbox)

        await until(lambda: b"end" in inbox.bodies)
        assert inbox.bodies == [*(one.body for one in some), b"end"]

    async def test_a_reader_gets_the_subjects_it_asked_for(self, bus: Bus) -> None:
        inbox = Inbox()
        await bus.consume(consumer(subject="foldline.event.*.workflow.>"), inbox)

        await publish_facts(bus, b"run")
        await publish_facts(bus, b"workflow", subject=OTHER_FACT)

        await until(lambda: inbox.bodies == [b"workflow"])

    async def test_readers_of_one_name_share_and_of_other_names_do_not(self, bus: Bus) -> None:
        first, second, other = Inbox(), Inbox(), Inbox()
        await bus.consume(consumer("shared"), first)
        await bus.consume(consumer("shared"), second)
        await bus.consume(consumer("other"), other)

        sent = [str(number).encode() for number in range(30)]
        await publish_facts(bus, *sent)

        await until(lambda: len(first.got) + len(second.got) == 30 and len(other.got) == 30)
        assert sorted(first.bodies + second.bodies) == sorted(sent)

    async def test_a_reader_goes_on_where_it_stopped(self, bus: Bus) -> None:
        inbox = Inbox()
        reading = await bus.consume(consumer(), inbox)
        await publish_facts(bus, b"1")
        await until(lambda: inbox.bodies == [b"1"])
        await reading.close()
        await publish_facts(bus, b"2")

        again = Inbox()
        await bus.consume(consumer(), again)

        await until(lambda: again.bodies == [b"2"])
        assert inbox.bodies == [b"1"]

    async def test_a_fact_that_fails_comes_again(self, bus: Bus) -> None:
        inbox = Inbox(lambda message, count: ValueError("not yet") if count < 3 else None)
        await bus.consume(consumer(), inbox)

        await publish_facts(bus, b"1")

        await until(lambda: inbox.bodies == [b"1"])
        assert len(inbox.tries) == 3
        assert await bus.parked(10) == []

    async def test_a_fact_that_keeps_failing_is_parked_and_forgotten(self, bus: Bus) -> None:
        inbox = Inbox(lambda message, count: ValueError("never") if message.body == b"bad" else None)
        await bus.consume(consumer(max_deliver=3), inbox)

        await publish_facts(bus, b"bad", b"good")

        (parked,) = await the_parked(bus, 1)
        assert (parked.subject, parked.body) == (FACT, b"bad")
        assert parked.reason == "ValueError: never"
        assert inbox.bodies == [b"good"]
        assert sum(message.body == b"bad" for message in inbox.tries) == 3

    async def test_a_poisonous_fact_is_parked_at_once(self, bus: Bus) -> None:
        inbox = Inbox(lambda message, count: Poison("unknown type") if message.body == b"bad" else None)
        await bus.consume(consumer(), inbox)

        await publish_facts(bus, b"bad", b"good")

        (parked,) = await the_parked(bus, 1)
        assert parked.reason == "unknown type"
        await until(lambda: inbox.bodies == [b"good"])
        assert len(inbox.tries) == 2

    async def test_the_newest_parked_messages_come_first(self, bus: Bus) -> None:
        for number in range(5):
            await bus.park(Message(subjects.report(number), str(number).encode()), f"reason {number}")

        parked = await bus.parked(3)

        assert [entry.body for entry in parked] == [b"4", b"3", b"2"]
        assert [entry.subject for entry in parked] == [subjects.report(number) for number in (4, 3, 2)]
        assert parked[0].time.utcoffset() is not None
        assert parked[0].time >= parked[1].time

    async def test_a_reason_of_any_letters_is_one_line(self, bus: Bus) -> None:
        inbox = Inbox(lambda message, count: Poison("größer\nals 100 % – 🌍: " + "x" * 5000))
        await bus.subscribe(subjects.report(1), inbox)

        await bus.publish(subjects.report(1), b"x")

        (parked,) = await the_parked(bus, 1)
        assert parked.reason.startswith("größer als 100 % – 🌍: xxx")
        assert len(parked.reason) <= 500

    async def test_an_empty_body_is_a_message(self, bus: Bus) -> None:
        inbox = Inbox()
        await bus.subscribe(subjects.HEARTBEAT, inbox)
        await bus.publish(subjects.HEARTBEAT, b"")
        await until(lambda: inbox.bodies == [b""])

        await bus.park(Message(subjects.HEARTBEAT, b""), "empty")
        assert (await bus.parked(1))[0].body == b""

    async def test_several_handlers_work_at_the_same_time(self, bus: Bus) -> None:
        gate = asyncio.Event()
        inbox = Inbox()

        async def wait(message: Message) -> None:
            await gate.wait()

        await bus.subscribe(subjects.report(1), wait)
        await bus.subscribe(subjects.report(2), inbox)
        await bus.publish(subjects.report(1), b"slow")
        await bus.publish(subjects.report(2), b"quick")

        await until(lambda: inbox.bodies == [b"quick"])
        gate.set()
