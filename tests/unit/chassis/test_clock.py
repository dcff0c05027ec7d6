from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from foldline.chassis.clock import SystemClock, new_id


def test_the_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


def test_an_id_is_a_uuid_of_version_7() -> None:
    identifier = UUID(new_id())

    assert (identifier.version, identifier.variant) == (7, "specified in RFC 4122")


def test_an_id_says_when_it_was_born() -> None:
    before = SystemClock().now().timestamp()

    born = (UUID(new_id()).int >> 80) / 1000

    assert abs(born - before) < 5


def test_ids_sort_by_birth() -> None:
    ids = [new_id() for _ in range(20_000)]

    assert ids == sorted(ids)


def test_ids_of_many_threads_are_all_different() -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = [identifier for batch in pool.map(_batch, range(8)) for identifier in batch]

    assert len(set(ids)) == len(ids)


def _batch(_number: int) -> list[str]:
    return [new_id() for _ in range(2_000)]
