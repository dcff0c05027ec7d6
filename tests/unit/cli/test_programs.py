"""What `foldline up` tells the programs that it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from foldline.cli.stack.home import Home
from foldline.cli.stack.programs import Backing, IllegalReplicas, parse_replicas, port_names, service_programs


def test_limits_and_flavors_reach_the_scheduler_and_nobody_else(tmp_path: Path) -> None:
    ports = dict.fromkeys(port_names(), 1)
    backing = Backing("p", "n", "a", "k", limits='{"pools": {}}', flavors='{"large": {}}')

    programs = {one.name: one.env for one in service_programs(Home(tmp_path), ports, backing)}

    # An executor has a setting FOLDLINE_FLAVORS of its own, with another meaning.
    given = {
        name: (env["FOLDLINE_LIMITS"], env["FOLDLINE_FLAVORS"])
        for name, env in programs.items()
        if "FOLDLINE_LIMITS" in env or "FOLDLINE_FLAVORS" in env
    }
    assert given == {"scheduler": (backing.limits, backing.flavors)}


def test_what_is_said_of_backends_is_handed_on_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "FOLDLINE_BACKENDS": "process,container",
        "FOLDLINE_CONTAINER_IMAGE": "i",
        "FOLDLINE_RAY_JOBS": "r",
    }
    for name, value in {**given, "FOLDLINE_TOKEN": "t"}.items():
        monkeypatch.setenv(name, value)

    ports = dict.fromkeys(port_names(), 1)
    programs = {
        one.name: one.env for one in service_programs(Home(tmp_path), ports, Backing("p", "n", "a", "k"))
    }

    assert given.items() <= programs["executor"].items()
    assert "FOLDLINE_TOKEN" not in programs["executor"]


def test_replicas_have_names_and_ports_of_their_own_and_the_gateway_knows_all(tmp_path: Path) -> None:
    replicas = parse_replicas("scheduler=2, executor=3")
    ports = {name: number for number, name in enumerate(port_names(replicas), 1)}

    made = service_programs(Home(tmp_path), ports, Backing("p", "n", "a", "k", replicas=replicas))

    programs = {one.name: one.env for one in made}
    several = ["scheduler", "scheduler-2", "executor", "executor-2", "executor-3"]
    assert sorted(programs) == sorted([*several, "recorder", "registry", "gateway"])
    assert len({env["FOLDLINE_LISTEN"] for env in programs.values()}) == len(programs)
    assert len({programs[name]["FOLDLINE_HOME"] for name in programs if "executor" in name}) == 3
    both = [programs[name]["FOLDLINE_LISTEN"] for name in ("scheduler", "scheduler-2")]
    assert programs["gateway"]["FOLDLINE_SCHEDULER"] == ",".join(both)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("gateway=2", "there is one gateway; several of: scheduler, executor, recorder"),
        ("scheduler=0", "scheduler=0: a number from 1 to 16 is needed"),
        ("scheduler", "scheduler=: a number from 1 to 16 is needed"),
    ],
)
def test_replicas_that_cannot_be_are_refused_by_name(text: str, rule: str) -> None:
    with pytest.raises(IllegalReplicas, match=rule):
        parse_replicas(text)


def test_what_an_executor_keeps_is_told_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOLDLINE_PYTHONS", "/opt/python")
    monkeypatch.setenv("FOLDLINE_HOME", "/somewhere/else")
    ports = dict.fromkeys(port_names(), 1)

    programs = {
        one.name: one.env for one in service_programs(Home(tmp_path), ports, Backing("p", "n", "a", "k"))
    }

    assert programs["executor"]["FOLDLINE_PYTHONS"] == "/opt/python"
    assert programs["executor"]["FOLDLINE_HOME"] == str(Home(tmp_path).executor)
    assert "FOLDLINE_PYTHONS" not in programs["registry"]


def test_the_keys_of_an_object_store_are_for_its_users_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    ports = dict.fromkeys(port_names(), 1)
    backing = Backing("p", "n", "s3://bucket/prefix", "k")

    programs = {one.name: one.env for one in service_programs(Home(tmp_path), ports, backing)}

    assert {name for name, env in programs.items() if "AWS_SECRET_ACCESS_KEY" in env} == {
        name for name, env in programs.items() if "FOLDLINE_ARTIFACTS" in env
    }
    assert "AWS_SECRET_ACCESS_KEY" not in programs["gateway"]
