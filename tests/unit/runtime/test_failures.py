"""What an exception becomes in the record."""

from __future__ import annotations

from foldline.runtime import failures
from foldline.runtime.jobs import TRACEBACK_LIMIT


class BrokenError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:  # noqa: BLE001 - the test's subject
        return caught


def test_class_and_message_are_kept() -> None:
    failure = failures.raised(raised(ValueError("no such column")))

    assert (failure.kind, failure.reason) == ("user", "STEP_RAISED")
    assert failure.error_class == "ValueError"
    assert failure.message == "ValueError: no such column"
    assert "in raised" in failure.traceback


def test_a_step_that_gets_no_more_memory_has_exceeded_it() -> None:
    class ArrayTooLarge(MemoryError):
        pass

    failure = failures.raised(raised(ArrayTooLarge("no room for 80 GiB")))

    assert (failure.kind, failure.reason) == ("user", "MEMORY_EXCEEDED")
    assert failure.error_class.endswith("ArrayTooLarge")
    assert failure.message.endswith("ArrayTooLarge: no room for 80 GiB")
    assert "in raised" in failure.traceback


def test_a_class_outside_of_builtins_is_named_with_its_module() -> None:
    assert failures.class_name(BrokenError()) == f"{__name__}.BrokenError"


def test_an_exception_whose_message_raises_is_recorded_all_the_same() -> None:
    failure = failures.raised(raised(BrokenError()))

    assert failure.message.endswith("(its message raised RuntimeError)")


def test_a_long_traceback_is_cut_from_the_top() -> None:
    def dig(depth: int) -> None:
        if depth == 0:
            raise ValueError("x" * 3 * TRACEBACK_LIMIT)
        dig(depth - 1)

    try:
        dig(5)
    except ValueError as error:
        trace = failures.trace(error)

    assert len(trace.encode()) <= TRACEBACK_LIMIT
    assert trace.startswith("[cut]\n")
    assert trace.endswith("x\n")
