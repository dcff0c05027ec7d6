"""The cache of folds: continued where they are, forgotten when they cost too much."""

from __future__ import annotations

from foldline_recorder.folds import OVERHEAD_BYTES, Folds


def folds(entries: int) -> Folds[str]:
    """A cache with room for so many entries of 100 bytes."""
    return Folds(entries * (100 + OVERHEAD_BYTES))


def test_the_nearest_version_that_is_not_above_is_found() -> None:
    cache = folds(10)
    for version in (3, 9, 5):
        cache.put("run-1", version, f"as of {version}", 100)

    assert [cache.at_most("run-1", version) for version in (2, 3, 4, 5, 8, 9, 50)] == [
        None,
        "as of 3",
        "as of 3",
        "as of 5",
        "as of 5",
        "as of 9",
        "as of 9",
    ]
    assert cache.newest("run-1") == "as of 9"
    assert cache.newest("run-2") is None


def test_what_was_asked_for_longest_ago_is_forgotten_first() -> None:
    cache = folds(2)
    cache.put("run-1", 1, "one", 100)
    cache.put("run-2", 1, "two", 100)
    assert cache.newest("run-1") == "one"

    cache.put("run-3", 1, "three", 100)

    assert (cache.newest("run-1"), cache.newest("run-2"), cache.newest("run-3")) == ("one", None, "three")


def test_a_fold_that_is_larger_than_the_cache_is_not_kept() -> None:
    cache = folds(1)

    cache.put("run-1", 1, "large", 10_000)

    assert len(cache) == 0


def test_a_fold_that_was_dropped_leaves_the_others() -> None:
    cache = folds(10)
    cache.put("run-1", 1, "one", 100)
    cache.put("run-1", 2, "two", 100)

    cache.drop("run-1", 2)
    cache.drop("run-1", 7)

    assert cache.newest("run-1") == "one"


def test_putting_a_version_again_costs_nothing_more() -> None:
    cache = folds(2)
    for _ in range(5):
        cache.put("run-1", 1, "one", 100)
    cache.put("run-2", 1, "two", 100)

    assert (cache.newest("run-1"), cache.newest("run-2")) == ("one", "two")
