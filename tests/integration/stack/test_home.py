"""The folder of an installation: lock, ports, logs, private files."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from tests.integration.stack.programs import PATIENT

from foldline.cli.stack import lock
from foldline.cli.stack.allotment import PortTaken, allot
from foldline.cli.stack.home import Home, write_private
from foldline.cli.stack.installation import drop_stale_pid
from foldline.cli.stack.logfile import LogFile, tail
from foldline.cli.stack.ports import LOOPBACK, free_port


def test_a_home_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    home.create()

    assert home.folder.stat().st_mode & 0o777 == 0o700


def test_a_private_file_is_never_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)

    write_private(path, "new")

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_held_lock_is_refused_and_its_holder_named(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock.held(path), pytest.raises(lock.AlreadyRunning) as refused, lock.held(path):
        pass

    assert refused.value.holder is not None
    assert refused.value.holder.pid == os.getpid()
    assert lock.holder(path) is None


def test_a_lock_of_a_dead_process_is_free(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    code = f"""
import os
from pathlib import Path
from foldline.cli.stack import lock
with lock.held(Path({str(path)!r})):
    os.kill(os.getpid(), 9)
"""
    ended = subprocess.run([sys.executable, "-c", code], check=False)

    assert ended.returncode == -signal.SIGKILL
    assert path.read_text()
    assert lock.holder(path) is None
    with lock.held(path) as me:
        assert lock.holder(path) == me


def test_a_pid_that_was_given_to_another_process_is_not_the_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_bytes(msgspec.json.encode(lock.Holder(os.getpid(), 1)))

    assert lock.holder(path) is None


def test_ports_are_kept_for_the_next_start(tmp_path: Path) -> None:
    first = allot(tmp_path / "ports.json", ["one", "two"], {})

    assert len(set(first.values())) == 2
    assert allot(tmp_path / "ports.json", ["one", "two"], {}) == first


def test_a_port_that_others_took_is_given_up(tmp_path: Path) -> None:
    first = allot(tmp_path / "ports.json", ["one", "two"], {})
    with socket.socket() as other:
        other.bind((LOOPBACK, first["one"]))
        other.listen()

        second = allot(tmp_path / "ports.json", ["one", "two"], {})

    assert second["one"] != first["one"]
    assert second["two"] == first["two"]


def test_a_port_asked_for_by_name_is_taken_or_refused(tmp_path: Path) -> None:
    wish = free_port()
    assert allot(tmp_path / "ports.json", ["one"], {"one": wish}) == {"one": wish}

    with socket.socket() as other:
        other.bind((LOOPBACK, wish))
        other.listen()
        with pytest.raises(PortTaken, match=f"port {wish}, asked for as one, is taken"):
            allot(tmp_path / "ports.json", ["one"], {"one": wish})


def test_a_full_log_makes_room_and_old_ones_go(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", max_bytes=10, kept=2)
    for number in range(5):
        log.write(b"line %d..\n" % number)
    log.close()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1", "a.log.2"]
    assert (tmp_path / "a.log").read_text() == "line 4..\n"
    assert (tmp_path / "a.log.2").read_text() == "line 2..\n"


def test_a_log_is_continued(tmp_path: Path) -> None:
    for word in (b"one\n", b"two\n"):
        log = LogFile(tmp_path / "a.log")
        log.write(word)
        log.close()

    assert tail(tmp_path / "a.log", 1) == ["two"]
    assert tail(tmp_path / "a.log", 9) == ["one", "two"]
    assert tail(tmp_path / "none.log", 9) == []


def test_a_pid_file_of_postgres_goes_when_the_pid_is_another_program(tmp_path: Path) -> None:
    file = tmp_path / "postmaster.pid"
    with subprocess.Popen([sys.executable, "-c", PATIENT], stdout=subprocess.PIPE) as other:
        file.write_text(f"{other.pid}\n/data\n")

        drop_stale_pid(tmp_path)
        other.kill()

    assert not file.exists()
