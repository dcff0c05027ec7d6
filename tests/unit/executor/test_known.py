"""What an executor remembers of attempts: enough that none starts twice, and not more with every one."""

from __future__ import annotations

from foldline_executor.known import Known


def test_what_was_heard_of_is_known() -> None:
    known: Known[int] = Known()

    known.add(1, set().__contains__)

    assert 1 in known
    assert 2 not in known


def test_after_many_the_oldest_ones_are_forgotten() -> None:
    known: Known[int] = Known(limit=10)

    for number in range(1000):
        known.add(number, set().__contains__)

    assert len(known) == 10
    assert 990 in known
    assert 989 not in known


def test_what_is_still_held_stays_known_however_old_it_is() -> None:
    known: Known[int] = Known(limit=10)

    for number in range(1000):
        known.add(number, {3, 5}.__contains__)

    assert 3 in known
    assert 5 in known
    assert len(known) <= 12


def test_more_may_be_held_than_is_remembered() -> None:
    known: Known[int] = Known(limit=2)
    held = set(range(5))

    for number in range(9):
        known.add(number, held.__contains__)

    assert held <= {number for number in range(9) if number in known}
