"""`foldline up | status | down`: what a person sees, and what must not happen."""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import signal
import socket
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from tests.acceptance.installation import EXAMPLES, Installation, foldline, installed
from tests.servers import Running
from tests.waiting import until_sync

from foldline.cli.stack.ports import LOOPBACK
from foldline.cli.stack.postgres import EmbeddedPostgres

NAMES = {"postgres", "nats", "registry", "scheduler", "executor", "recorder", "gateway"}


def pids(installation: Installation) -> dict[str, int]:
    return {one["name"]: one["pid"] for one in installation.status()["processes"]}


def has_ended(pid: int) -> bool:
    """Gone, or waiting only for its parent to ask how it ended."""
    return not psutil.pid_exists(pid) or bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def restarts(installation: Installation) -> dict[str, int]:
    return {one["name"]: one["restarts"] for one in installation.status()["processes"]}


def test_seven_processes_run(platform: Installation) -> None:
    status = platform.status()

    assert status["phase"] == "ready"
    assert {one["name"] for one in status["processes"]} == NAMES
    assert all(one["phase"] == "running" and Path(one["log"]).exists() for one in status["processes"])


def test_what_is_secret_is_private(platform: Installation) -> None:
    assert stat.S_IMODE(platform.home.folder.stat().st_mode) == 0o700
    for path in (platform.home.client, platform.home.key, platform.home.state):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_console_answers(platform: Installation) -> None:
    where = urlsplit(platform.client["console"])
    connection = http.client.HTTPConnection(where.netloc, timeout=10)
    connection.request("GET", "/")

    answer = connection.getresponse()
    assert answer.status == 200
    assert b"<html" in answer.read().lower()
    connection.close()


def _is_loopback(text: str) -> bool:
    """Also as IPv6 writes it for a socket of both kinds, ::ffff:127.0.0.1."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def test_nothing_listens_beyond_the_loopback(platform: Installation) -> None:
    ports = set(json.loads(platform.home.ports.read_text()).values())
    found = [one for one in listening(psutil) if one.port in ports]
    for pid in [platform.status()["supervisor"]["pid"], *pids(platform).values()]:
        family = psutil.Process(pid)
        for process in (family, *family.children(recursive=True)):
            # The parents of steps let nobody but root look into them; the ports above are all they may use.
            with suppress(psutil.AccessDenied, psutil.NoSuchProcess):
                found += listening(process)

    assert [address for address in found if not _is_loopback(address.ip)] == []
    assert found != []


def listening(whose: Any) -> list[Any]:
    """Addresses that a process, or anything on this machine, listens on."""
    found = whose.net_connections(kind="inet")
    return [one.laddr for one in found if one.status == psutil.CONN_LISTEN]


def test_no_secret_shows_in_the_list_of_processes(platform: Installation) -> None:
    secrets = {
        platform.home.key.read_text().strip(),
        platform.client["token"],
        urlsplit(platform.dsn).password,
    }

    for pid in pids(platform).values():
        shown = " ".join(psutil.Process(pid).cmdline())
        assert not any(secret and secret in shown for secret in secrets)


def test_the_workspace_default_exists(platform: Installation) -> None:
    assert "default" in {one["name"] for one in platform.ask("workspace", "list")}


def test_a_second_up_says_that_it_already_runs(platform: Installation) -> None:
    second = platform.call("up")

    assert second.code == 1
    assert f"already running (pid {platform.status()['supervisor']['pid']})" in second.err
    assert platform.client["console"] in second.out


def test_status_without_an_installation_is_exit_code_3(tmp_path: Path) -> None:
    answer = foldline("status", "--home", str(tmp_path / "none"), "--json")

    assert answer.code == 3
    assert answer.json == {"phase": "stopped", "processes": []}


def test_down_without_an_installation_is_no_error(tmp_path: Path) -> None:
    answer = foldline("down", "--home", str(tmp_path / "none"), "--json")

    assert answer.code == 0
    assert answer.json["was_running"] is False


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_killed_process_is_back_and_the_platform_answers(own_platform: Installation, name: str) -> None:
    before, others = own_platform.process(name), restarts(own_platform)

    os.kill(before["pid"], signal.SIGKILL)

    def is_back() -> bool:
        now = own_platform.process(name)
        return bool(now["phase"] == "running" and now["pid"] != before["pid"])

    until_sync(is_back, timeout=10)
    until_sync(lambda: own_platform.call("workspace", "list").code == 0, timeout=30)
    # The others wait for it; nobody else had to start again.
    assert restarts(own_platform) == others | {name: others[name] + 1}


def test_down_ends_every_process_and_up_finds_everything_again(tmp_path: Path) -> None:
    home = tmp_path / "home"
    started = foldline("up", "--detach", "--home", str(home), "--json")
    assert started.code == 0, started.err
    first = {one["pid"] for one in started.json["processes"]}
    env = {"FOLDLINE_HOME": str(home)}
    assert foldline("workspace", "create", "kept", env=env).code == 0

    down = foldline("down", "--home", str(home), "--json")

    assert down.json["was_running"] is True
    assert not [pid for pid in first if psutil.pid_exists(pid)]
    again = foldline("up", "--detach", "--home", str(home), "--json")
    try:
        assert again.json["console"] == started.json["console"]
        assert "kept" in foldline("workspace", "list", env=env).out
    finally:
        foldline("down", "--home", str(home))


def test_with_the_usual_ports_and_those_of_last_time_taken(tmp_path: Path) -> None:
    with installed(tmp_path / "home") as installation:
        ports = json.loads(installation.home.ports.read_text())
    sockets = []
    for port in (5432, 4222, ports["postgres"], ports["nats"], ports["http"]):
        taken = socket.socket()
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind((LOOPBACK, port))
            taken.listen()
        except OSError:
            taken.close()  # somebody else has it already, which is as good
            continue
        sockets.append(taken)

    try:
        with installed(tmp_path / "home") as installation:
            assert installation.status()["phase"] == "ready"
            assert json.loads(installation.home.ports.read_text())["http"] != ports["http"]
    finally:
        for taken in sockets:
            taken.close()


def test_a_port_that_was_asked_for_and_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]

        refused = foldline("up", "--home", str(tmp_path / "home"), "--http-port", str(port))

    assert refused.code == 1
    assert f"port {port}, asked for as http, is taken" in refused.err


def test_everything_dies_with_a_killed_supervisor(tmp_path: Path) -> None:
    home = tmp_path / "home"
    started = foldline("up", "--detach", "--home", str(home), "--json").json
    children = [one["pid"] for one in started["processes"]]

    os.kill(started["supervisor"]["pid"], signal.SIGKILL)

    until_sync(lambda: not [pid for pid in children if psutil.pid_exists(pid)], timeout=20)
    with installed(home) as installation:
        assert installation.status()["phase"] == "ready"


def test_existing_servers_are_used_when_they_are_given(
    own_postgres: Running[EmbeddedPostgres], nats_server: str, tmp_path: Path
) -> None:
    servers = ("--postgres", own_postgres.server.dsn(), "--nats", nats_server)

    with installed(tmp_path / "home", *servers) as installation:
        assert {one["name"] for one in installation.status()["processes"]} == NAMES - {"postgres", "nats"}
        record = installation.run(installation.release(EXAMPLES / "hello" / "hello.py"))

    assert record["run"]["status"] == "completed"


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    refused = foldline("up", "--home", str(tmp_path / "file" / "home"))

    assert refused.code == 1
    assert f"{tmp_path / 'file' / 'home'} cannot be used" in refused.err


def test_ctrl_c_ends_everything_in_good_order(tmp_path: Path) -> None:
    with installed(tmp_path / "a home") as installation:
        status = installation.status()
        os.kill(status["supervisor"]["pid"], signal.SIGINT)
        until_sync(lambda: has_ended(status["supervisor"]["pid"]), timeout=30)

    assert not [one["pid"] for one in status["processes"] if psutil.pid_exists(one["pid"])]
    assert "database system is shut down" in installation.home.log("postgres").read_text()
