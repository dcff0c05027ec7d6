"""What becomes of each time of a schedule: fired once, or skipped with a reason, whatever the clock does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foldline.domain import calendar, firings, schedules
from foldline.domain import schedule_events as ev
from foldline.domain.errors import FoldlineError
from foldline.domain.run_events import Event
from foldline.domain.schedule_events import ScheduleSettings, Times
from foldline.domain.schedules import ScheduleState

NOON = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def mint(name: str) -> str:
    return f"run of {name}"


def wanted(**changes: object) -> ScheduleSettings:
    given = {"workflow": "f", "times": Times(cron="* * * * *"), **changes}
    return schedules.prepared(ScheduleSettings(**given))  # type: ignore[arg-type]  # what a test changes


class Story:
    """A schedule from its creation on, and every fact about it."""

    def __init__(self, now: datetime = NOON, **changes: object) -> None:
        self.now = now
        self.facts: list[Event] = []
        self.state: ScheduleState | None = None
        created = ev.ScheduleCreated(workspace="w", schedule="s", settings=wanted(**changes))
        self.add(schedules.create(None, created, now))

    @property
    def here(self) -> ScheduleState:
        assert self.state is not None
        return self.state

    def add(self, events: Sequence[Event]) -> None:
        for event in events:
            self.state = schedules.evolve(self.state, event, self.now)
            self.facts.append(event)

    def look(self, now: datetime | None = None) -> Story:
        """The clock says `now`: all that follows."""
        self.now = self.now if now is None else now
        while events := firings.advance(self.here, self.now, mint):
            self.add(events)
        return self

    def end(self, count: int = 1) -> Story:
        for firing in self.here.open[:count]:
            self.add(schedules.end_run(self.here, firing.run_id, "completed"))
        return self

    def fired(self) -> list[datetime]:
        return [fact.at for fact in self.facts if isinstance(fact, ev.ScheduleFired) and not fact.backfill]

    def skipped(self) -> list[ev.ScheduleSkipped]:
        return [fact for fact in self.facts if isinstance(fact, ev.ScheduleSkipped)]

    def reasons(self) -> list[tuple[str, int]]:
        return [(fact.reason, fact.count) for fact in self.skipped()]


def minutes(*numbers: int) -> list[datetime]:
    return [NOON + number * MINUTE for number in numbers]


def test_a_time_fires_when_it_has_come_and_once() -> None:
    story = Story().look(NOON + MINUTE - timedelta(microseconds=1))
    assert story.fired() == []

    story.look(NOON + MINUTE).look(NOON + MINUTE).look(NOON + 1.5 * MINUTE)

    assert story.fired() == minutes(1)


def test_a_firing_names_its_time_and_always_the_same_run() -> None:
    fact = Story().look(NOON + MINUTE).facts[-1]

    assert fact == ev.ScheduleFired(at=NOON + MINUTE, run_id="run of 2026-03-29T00:31:00Z")


def test_overlap_skip_leaves_out_what_comes_while_a_run_is_open() -> None:
    story = Story()
    for number in range(1, 4):
        story.look(NOON + number * MINUTE)
    story.end().look(NOON + 4 * MINUTE)

    assert story.fired() == minutes(1, 4)
    assert {fact.because for fact in story.skipped()} == {"run of 2026-03-29T00:31:00Z"}
    assert story.reasons() == [("overlap", 1), ("overlap", 1)]


def test_overlap_queue_lets_one_wait_and_fires_it_when_the_run_has_ended() -> None:
    story = Story(overlap="queue")
    for number in range(1, 4):
        story.look(NOON + number * MINUTE)
    assert story.here.waiting == NOON + 2 * MINUTE

    story.end().look()

    assert story.fired() == minutes(1, 2)
    assert story.reasons() == [("queue_full", 1)]
    assert story.here.waiting is None


def test_overlap_cancel_stops_the_old_run_and_starts_when_it_has_ended() -> None:
    story = Story(overlap="cancel")
    story.look(NOON + MINUTE).look(NOON + 2 * MINUTE)
    assert firings.must_stop(story.here) == ("run of 2026-03-29T00:31:00Z",)
    assert story.fired() == minutes(1)

    story.look(NOON + 3 * MINUTE).end().look()

    assert story.fired() == minutes(1, 3)
    assert story.reasons() == [("superseded", 1)]
    assert firings.must_stop(story.here) == ()


def test_overlap_allow_starts_all() -> None:
    story = Story(overlap="allow")
    for number in range(1, 4):
        story.look(NOON + number * MINUTE)

    assert story.fired() == minutes(1, 2, 3)
    assert len(story.here.open) == 3


def test_times_older_than_the_window_are_missed_and_those_within_fire() -> None:
    story = Story(overlap="allow", catch_up_seconds=150).look(NOON + 10 * MINUTE)

    assert story.fired() == minutes(8, 9, 10)
    (missed,) = story.skipped()
    assert (missed.reason, missed.at, missed.until, missed.count) == ("missed", *minutes(1, 7), 7)


def test_of_a_long_outage_of_a_quick_schedule_one_fact_tells() -> None:
    story = Story(times=Times(every_seconds=1)).look(NOON + timedelta(days=30))

    (missed,) = [fact for fact in story.skipped() if fact.reason == "missed"]
    assert missed.count == calendar.COUNT_LIMIT
    assert NOON + timedelta(days=30) - story.here.considered < timedelta(seconds=1)


def test_a_clock_that_is_set_back_by_an_hour_fires_nothing_twice() -> None:
    story = Story(overlap="allow")
    for number in [1, 2, 3, *range(-60, 4)]:
        story.look(NOON + number * MINUTE)
    assert story.fired() == minutes(1, 2, 3)

    story.look(NOON + 4 * MINUTE)

    assert story.fired() == minutes(1, 2, 3, 4)
    assert story.skipped() == []


def test_a_clock_that_is_set_forth_by_an_hour_and_back_fires_nothing_twice_and_loses_nothing() -> None:
    story = Story(overlap="allow").look(NOON + MINUTE).look(NOON + MINUTE + HOUR)
    for number in range(2, 64):
        story.look(NOON + number * MINUTE)

    assert max(Counter(story.fired()).values()) == 1
    assert_each_time_is_told_of_once(story, NOON + 63 * MINUTE)


def test_while_paused_nothing_fires_and_the_times_are_told_of_at_the_end() -> None:
    story = Story().look(NOON + MINUTE)
    story.add(schedules.pause(story.here, "holidays", story.now))
    story.look(NOON + 5 * MINUTE)
    story.now = NOON + 5.5 * MINUTE
    story.add(schedules.resume(story.here, story.now))
    story.end().look(NOON + 6 * MINUTE)

    assert story.fired() == minutes(1, 6)
    assert story.reasons() == [("paused", 4)]


def test_a_change_holds_for_times_after_it() -> None:
    story = Story().look(NOON + MINUTE).end()
    story.now = NOON + 1.5 * MINUTE
    hourly = wanted(times=Times(cron="0 * * * *"))
    story.add(schedules.change(story.here, hourly, story.now))
    story.look(NOON + HOUR / 2)

    assert story.fired() == [NOON + MINUTE, NOON + HOUR / 2]


def test_what_waits_goes_when_the_schedule_is_paused() -> None:
    story = Story(overlap="queue").look(NOON + MINUTE).look(NOON + 2 * MINUTE)

    story.add(schedules.pause(story.here, "", story.now))

    assert story.here.waiting is None
    assert story.reasons() == [("paused", 1)]


def test_a_deleted_schedule_fires_no_more_and_may_be_created_again() -> None:
    story = Story().look(NOON + MINUTE)
    story.add(schedules.delete(story.here, story.now))
    story.look(NOON + HOUR)
    assert story.fired() == minutes(1)

    again = ev.ScheduleCreated(workspace="w", schedule="s", settings=wanted())
    story.add(schedules.create(story.here, again, story.now))
    story.end().look(NOON + HOUR + MINUTE)

    assert story.fired() == [NOON + MINUTE, NOON + HOUR + MINUTE]


def test_a_refused_run_makes_room_for_the_next() -> None:
    story = Story().look(NOON + MINUTE)
    run_id = story.here.open[0].run_id
    story.add(schedules.refuse_run(story.here, run_id, "WORKFLOW_NOT_FOUND", "there is none"))
    story.look(NOON + 2 * MINUTE)

    assert story.fired() == minutes(1, 2)
    assert schedules.refuse_run(story.here, run_id, "again", "") == []


def test_jitter_delays_a_time_by_less_than_it_says_and_always_by_as_much() -> None:
    story = Story(jitter_seconds=30)
    late = firings.delay(story.here, NOON + MINUTE)

    assert timedelta(0) <= late < timedelta(seconds=30)
    assert firings.delay(Story(jitter_seconds=30).here, NOON + MINUTE) == late
    assert firings.next_moment(story.here) == NOON + MINUTE + late
    assert story.look(NOON + MINUTE + late - timedelta(microseconds=1)).fired() == []
    assert story.look(NOON + MINUTE + late).fired() == minutes(1)
    spread = {firings.delay(story.here, NOON + number * MINUTE) for number in range(20)}
    assert len(spread) == 20


def a_backfill(first: int, last: int, parallelism: int = 1) -> ev.BackfillRequested:
    return ev.BackfillRequested(
        backfill="b", first=NOON + first * MINUTE, last=NOON + last * MINUTE, parallelism=parallelism
    )


def test_a_backfill_fires_each_time_of_its_range_oldest_first_and_so_many_at_once() -> None:
    story = Story()
    story.add(schedules.request_backfill(story.here, a_backfill(-10, -1, 3), NOON))
    most = 0
    while story.look().here.backfills:
        most = max(most, len(story.here.open))
        story.end()

    times = [fact.at for fact in story.facts if isinstance(fact, ev.ScheduleFired)]
    assert times == minutes(*range(-10, 0))
    assert most == 3
    assert story.facts[-1] == ev.BackfillCompleted(backfill="b", count=10)


def test_a_backfill_goes_beside_the_schedules_own_times() -> None:
    story = Story()
    story.add(schedules.request_backfill(story.here, a_backfill(-3, -1), NOON))
    story.look().look(NOON + MINUTE)

    assert story.fired() == minutes(1)
    assert [firing.backfill for firing in story.here.open] == ["b", ""]


def test_a_cancelled_backfill_fires_no_more() -> None:
    story = Story()
    story.add(schedules.request_backfill(story.here, a_backfill(-9, -1), NOON))
    story.look()
    story.add(schedules.cancel_backfill(story.here, "b"))
    story.end().look()

    assert [fact.at for fact in story.facts if isinstance(fact, ev.ScheduleFired)] == minutes(-9)


@pytest.mark.parametrize(
    "request_",
    [
        a_backfill(-5, 1),
        a_backfill(-5, -6),
        a_backfill(-5, -1, 0),
        a_backfill(-5, -1, 1000),
        a_backfill(-20_000, 0),
        ev.BackfillRequested(
            backfill="b", first=NOON - 0.6 * MINUTE, last=NOON - 0.4 * MINUTE, parallelism=1
        ),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(request_: ev.BackfillRequested) -> None:
    with pytest.raises(FoldlineError) as refusal:
        schedules.request_backfill(Story().here, request_, NOON)

    assert refusal.value.reason == "ILLEGAL_BACKFILL"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"workflow": "no such name"}, "ILLEGAL_NAME"),
        ({"catch_up_seconds": 5}, "ILLEGAL_SETTINGS"),
        ({"jitter_seconds": -1}, "ILLEGAL_SETTINGS"),
        ({"time_parameter": "at", "values": {"at": "x"}}, "ILLEGAL_SETTINGS"),
        ({"values": {"x": "y" * 70_000}}, "ILLEGAL_SETTINGS"),
        ({"times": Times()}, "ILLEGAL_TIMES"),
    ],
)
def test_settings_that_cannot_be_carried_out_are_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(FoldlineError) as refusal:
        wanted(**changes)

    assert refusal.value.reason == reason


def test_a_schedule_without_a_time_to_come_is_refused() -> None:
    with pytest.raises(FoldlineError) as refusal:
        Story(times=Times(once=NOON))

    assert refusal.value.reason == "NEVER_FIRES"


def test_the_scheduled_time_reaches_the_parameter_that_asks_for_it() -> None:
    story = Story(time_parameter="at", values={"x": 1})

    assert firings.values(story.here, NOON) == {"x": 1, "at": "2026-03-29T00:30:00Z"}


def assert_each_time_is_told_of_once(story: Story, until: datetime) -> None:
    """Every time from creation to `until` fired, waits, or is covered by exactly one skipped span."""
    told = Counter(story.fired())
    times = calendar.occurrences(story.here.settings.times, NOON, until)
    for at in times:
        spans = sum(span.at <= at <= span.until for span in story.skipped())
        waits = story.here.waiting == at
        assert told[at] + spans + waits == 1, at


jumps = st.sampled_from([HOUR, -HOUR, MINUTE, 7 * MINUTE, timedelta(seconds=20), timedelta(seconds=59)])
steps = st.lists(st.tuples(jumps, st.sampled_from(["look", "end", "pause", "resume", "wait"])), max_size=40)


@settings(max_examples=300, deadline=None)
@given(
    steps=steps,
    overlap=st.sampled_from(["skip", "queue", "cancel", "allow"]),
    jitter=st.sampled_from([0, 30, 300]),
    catch_up=st.sampled_from([10, 60, 600, 7200]),
    times=st.sampled_from(
        [
            Times(cron="* * * * *"),
            Times(every_seconds=45),
            Times(cron="*/5 * * * *", time_zone="Europe/Berlin"),
            Times(once=NOON + 30 * MINUTE),
        ]
    ),
)
def test_whatever_the_clock_does_each_time_fires_at_most_once_and_none_is_lost(
    steps: Iterable[tuple[timedelta, str]], overlap: str, jitter: int, catch_up: int, times: Times
) -> None:
    story = Story(overlap=overlap, jitter_seconds=jitter, catch_up_seconds=catch_up, times=times)
    for jump, what in steps:
        story.now += jump
        if what == "pause":
            story.add(schedules.pause(story.here, "", story.now))
        elif what == "resume":
            story.add(schedules.resume(story.here, story.now))
        elif what == "end":
            story.end()
        if what != "wait":
            story.look()
        if overlap != "allow":
            assert len(story.here.own) <= 1
    story.add(schedules.resume(story.here, story.now))
    story.look()

    fired = Counter(story.fired())
    assert all(number == 1 for number in fired.values())
    assert all(later > earlier for earlier, later in zip(story.fired(), story.fired()[1:], strict=False))
    assert_each_time_is_told_of_once(story, story.here.considered)
    undecided = calendar.following(times, story.here.considered)
    assert undecided is None or undecided > story.now - timedelta(seconds=jitter)


@settings(max_examples=100, deadline=None)
@given(steps=steps, overlap=st.sampled_from(["skip", "queue", "cancel", "allow"]))
def test_two_owners_and_a_restart_come_to_the_same(
    steps: Iterable[tuple[timedelta, str]], overlap: str
) -> None:
    story = Story(overlap=overlap)
    for jump, what in steps:
        story.now += jump
        if what == "end":
            story.end()
        other = firings.advance(story.here, story.now, mint)
        assert firings.advance(story.here, story.now, mint) == other
        story.look()
        assert firings.advance(story.here, story.now, mint) == []
    state: ScheduleState | None = None
    for fact in story.facts:
        state = schedules.evolve(state, fact, story.now)

    assert state is not None
    assert (state.open, state.waiting) == (story.here.open, story.here.waiting)
