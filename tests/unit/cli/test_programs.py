"""What `foldline up` tells the programs that it starts."""

from __future__ import annotations

from pathlib import Path

from foldline.cli.stack.home import Home
from foldline.cli.stack.programs import Backing, port_names, service_programs


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
