"""Settings of queues, and under which names attempts count."""

from __future__ import annotations

import pytest
from tests.unit.scheduler.attempts import GIB, size

from foldline.chassis import settings
from foldline.chassis.settings import SettingsError
from foldline.domain.inner import child_id
from foldline.domain.spec import Resources
from foldline_scheduler.limits import BadSetting, Limits, counted, parse_flavors, parse_limits
from foldline_scheduler.settings import Settings
from foldline_scheduler.sizes import size_of

NEEDED = {
    "FOLDLINE_POSTGRES": "p",
    "FOLDLINE_NATS": "n",
    "FOLDLINE_TOKEN_KEY": "k",
    "FOLDLINE_REGISTRY": "r",
    "FOLDLINE_ARTIFACTS": "a",
}


def test_limits_are_read_from_json() -> None:
    text = """{"pools": {"local/gpu": 8}, "workspaces": {"v": 9}, "weights": {"v": 2.5},
        "workflows": {"v/digits": 4}, "steps": {"v/digits/train": 1, "v/digits/each/train": 2}}"""

    assert parse_limits(text) == Limits(
        pools={"local/gpu": 8},
        workspaces={"v": 9},
        weights={"v": 2.5},
        workflows={"v/digits": 4},
        steps={"v/digits/train": 1, "v/digits/each/train": 2},
    )
    assert parse_limits("") == Limits()


def test_everything_that_is_wrong_with_limits_is_told_together() -> None:
    text = (
        """{"pool": {}, "pools": {"gpu": 8}, "workspaces": {"v": 0}, "weights": {"v": -1}, "workflows": 3}"""
    )

    with pytest.raises(BadSetting) as raised:
        parse_limits(text)

    assert raised.value.problems == (
        "'pool' is unknown; there are pools, workspaces, weights, workflows, steps",
        "pools: 'gpu' is not of the form region/pool",
        "workspaces: 'v' is 0; expected a whole number, 1 or more",
        "weights: 'v' is -1; expected a number above 0",
        "workflows: expected an object by workspace/workflow",
    )


@pytest.mark.parametrize("text", ["[1]", "{", "3"])
def test_what_is_not_an_object_is_refused(text: str) -> None:
    with pytest.raises(BadSetting):
        parse_limits(text)


def test_flavors_are_sizes_with_memory_in_words() -> None:
    flavors = parse_flavors('{"large": {"cpu": 8, "memory": "64GiB", "gpu": 1}, "small": {"cpu": 0.5}}')

    assert flavors == {"large": size(8, 64 * GIB, 1), "small": size(0.5)}


def test_everything_that_is_wrong_with_flavors_is_told_together() -> None:
    text = '{"a": {"cpu": 0}, "b": {"memory": "much"}, "c": {"disk": 1}, "d": {"gpu": -1}, "e": 3}'

    with pytest.raises(BadSetting) as raised:
        parse_flavors(text)

    assert [problem[:10] for problem in raised.value.problems] == [f"flavor '{name}'" for name in "abcde"]


def test_wrong_limits_are_told_with_everything_else_that_is_wrong() -> None:
    environ = NEEDED | {
        "FOLDLINE_LIMITS": '{"pools": {"gpu": 1}}',
        "FOLDLINE_FLAVORS": "{",
        "FOLDLINE_LEASE_SECONDS": "x",
    }

    with pytest.raises(SettingsError) as raised:
        settings.load(Settings, environ=environ)

    assert len(raised.value.problems) == 3
    assert "'gpu' is not of the form region/pool" in "\n".join(raised.value.problems)


def test_settings_are_without_limits_at_first() -> None:
    found = settings.load(Settings, environ=NEEDED)

    assert (found.limits.value, found.flavors.value) == (Limits(), {})


def test_what_a_step_says_counts_over_its_flavor() -> None:
    flavors = {"large": size(8, 64 * GIB, 1)}

    assert size_of(Resources(), flavors) == size(1)
    assert size_of(Resources(flavor="large"), flavors) == size(8, 64 * GIB, 1)
    assert size_of(Resources(flavor="large", cpu=2.0, memory_bytes=GIB), flavors) == size(2, GIB, 1)
    assert size_of(Resources(flavor="huge"), flavors) is None


def test_an_attempt_counts_for_pool_workspace_workflow_and_step() -> None:
    assert counted("r1", "v", "digits", "local", "gpu", "train") == (
        "pool local/gpu",
        "workspace v",
        "workflow v/digits",
        "step v/digits/train",
        "share local/gpu v",
    )


def test_inside_a_map_an_attempt_counts_for_the_step_whichever_item_it_is_of() -> None:
    child = child_id("r1", "each", 2, 7)
    grandchild = child_id(child, "loop.3", 1, 0)

    names = counted(child, "v", "digits", "local", "gpu", "train.712")
    assert names[3:5] == ("step v/digits/each/train", "map r1.each")
    names = counted(grandchild, "v", "digits", "local", "gpu", "train")
    around = ("map r1.each", "map r1.each.2.7.loop.3")
    assert names[3:6] == ("step v/digits/each/loop/train", *around)
