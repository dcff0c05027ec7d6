"""Places for calls: bounded, shared between those who call, given back."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from foldline.access.admission import Admission
from foldline.domain.errors import FoldlineError, Kind


def take(places: ExitStack, admission: Admission, whose: str, count: int, *, streaming: bool = False) -> None:
    for _ in range(count):
        places.enter_context(admission.place(whose, streaming=streaming))


def test_one_workspace_gets_half_of_the_places_and_leaves_the_rest_to_others() -> None:
    admission = Admission(10)

    with ExitStack() as places:
        take(places, admission, "workspace flood", 5)
        with pytest.raises(FoldlineError, match="workspace flood has 5 calls here"):
            take(places, admission, "workspace flood", 1)
        take(places, admission, "workspace small", 5)


def test_nobody_gets_a_place_where_all_are_taken() -> None:
    admission = Admission(4)

    with ExitStack() as places:
        take(places, admission, "a", 2)
        take(places, admission, "b", 2)
        with pytest.raises(FoldlineError) as refusal:
            admission.require(streaming=False)

    assert refusal.value.kind is Kind.EXHAUSTED
    assert refusal.value.retry_seconds


def test_a_place_is_given_back_however_the_call_ends() -> None:
    admission = Admission(2)

    for _ in range(5):
        with pytest.raises(ValueError, match="broken"), admission.place("a", streaming=False):
            raise ValueError("broken")

    with admission.place("a", streaming=False), admission.place("b", streaming=False):
        pass


def test_streams_take_no_places_of_calls() -> None:
    admission = Admission(4)

    with ExitStack() as places:
        take(places, admission, "a", 2, streaming=True)
        take(places, admission, "b", 2, streaming=True)
        take(places, admission, "a", 2)
        with pytest.raises(FoldlineError, match="4 streams here"):
            admission.require(streaming=True)
