"""From a job to a container: what it may, and what it may not."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from foldline.runtime.jobs import Given, Job, Limits, Program
from foldline_executor.container.frames import Frames
from foldline_executor.container.recipe import Terms, config_of, config_of_program

TERMS = Terms(owner="e1", image="base")


def job(folder: Path, **fields: Any) -> Job:
    (folder / "bundle").mkdir(exist_ok=True)
    return dataclasses.replace(
        Job(key="r/s/1", python=Path("/usr/bin/python3"), bundle=folder / "bundle", folder=folder / "job"),
        **fields,
    )


def mounts(config: dict[str, Any]) -> dict[str, bool]:
    return {one["Source"]: not one["ReadOnly"] for one in config["HostConfig"]["Mounts"]}


def test_a_container_has_no_rights(tmp_path: Path) -> None:
    config = config_of(job(tmp_path), TERMS, "/scratch")
    host = config["HostConfig"]

    assert host["Privileged"] is False
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert config["User"] == f"{os.getuid()}:{os.getgid()}"
    assert host["PidsLimit"] > 0


def test_only_the_folder_of_the_job_can_be_written(tmp_path: Path) -> None:
    given = {"data": Given(file="/store/a", items={"x": Given(file="/store/b")})}

    found = mounts(config_of(job(tmp_path, inputs=given), TERMS, "/scratch"))

    assert [path for path, is_writable in found.items() if is_writable] == [str(tmp_path / "job")]
    assert {"/store/a", "/store/b", str(tmp_path / "bundle")} <= found.keys()


def test_of_very_many_inputs_their_folders_are_mounted(tmp_path: Path) -> None:
    given = {f"n{number}": Given(file=f"/store/{number}") for number in range(100)}

    found = mounts(config_of(job(tmp_path, inputs=given), TERMS, "/scratch"))

    assert "/store" in found
    assert "/store/1" not in found


def test_limits_are_the_engines_to_hold(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=1 << 30, cpu=1.5, open_files=100, disk_bytes=1000, processes=7)
    program = Program(line="true", image="alpine")

    host = config_of_program(job(tmp_path, limits=limits, program=program), TERMS, ["sh"], {})["HostConfig"]

    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"], host["PidsLimit"]) == (
        *(1 << 30, 1 << 30),
        *(1_500_000_000, 7),
    )
    assert {one["Name"]: one["Hard"] for one in host["Ulimits"]} == {"nofile": 100, "fsize": 1000, "core": 0}


def test_graphics_processors_are_asked_for(tmp_path: Path) -> None:
    host = config_of(job(tmp_path, gpus=2), TERMS, "/scratch")["HostConfig"]

    assert host["DeviceRequests"] == [{"Driver": "nvidia", "Count": 2, "Capabilities": [["gpu"]]}]


def test_output_comes_in_frames_that_may_be_cut_anywhere() -> None:
    sent = b"\x01\0\0\0\0\0\0\x05hello" + b"\x02\0\0\0\0\0\0\x03bad" + b"\x01\0\0\0\0\0\0\x00"
    for cut in range(len(sent)):
        frames = Frames()
        parts = [*frames.feed(sent[:cut]), *frames.feed(sent[cut:])]

        assert b"".join(data for stream, data in parts if stream == 1) == b"hello"
        assert b"".join(data for stream, data in parts if stream == 2) == b"bad"
