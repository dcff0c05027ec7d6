from __future__ import annotations

import asyncio
import json

import pytest

from foldline.chassis import admin, health, observe
from foldline.chassis.lifecycle import Lifecycle


async def _get(port: int, target: str, method: str = "GET") -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body


async def test_a_process_is_ready_after_its_start_and_until_its_stop() -> None:
    life = Lifecycle()
    async with admin.serve("127.0.0.1:0", life) as port:
        starting = await _get(port, "/readyz")
        life.ready.set()
        running = await _get(port, "/readyz")
        life.stop.set()
        stopping = await _get(port, "/readyz")

    assert [status for status, _ in (starting, running, stopping)] == [503, 200, 503]
    assert json.loads(running[1]) == {"ready": True, "problems": {}}
    assert list(json.loads(stopping[1])["problems"]) == ["stopping"]


async def test_a_failing_check_is_named_with_its_reason() -> None:
    life = Lifecycle()
    life.ready.set()

    async def ledger() -> None:
        raise ConnectionError("refused")

    async def bus() -> None:
        return None

    life.checks.add("ledger", ledger)
    life.checks.add("bus", bus)
    async with admin.serve("127.0.0.1:0", life) as port:
        status, body = await _get(port, "/readyz")

    assert status == 503
    assert json.loads(body)["problems"] == {"ledger": "ConnectionError: refused"}


async def test_a_process_is_alive_even_when_it_is_not_ready() -> None:
    async with admin.serve("127.0.0.1:0", Lifecycle()) as port:
        assert await _get(port, "/livez") == (200, "alive\n")


async def test_a_span_is_among_the_metrics() -> None:
    with observe.span("test.work", step="a"):
        pass
    with pytest.raises(KeyError), observe.span("test.work"):
        raise KeyError

    async with admin.serve("127.0.0.1:0", Lifecycle()) as port:
        status, body = await _get(port, "/metrics")

    assert status == 200
    assert 'foldline_span_seconds_count{outcome="ok",span="test.work"} 1.0' in body
    assert 'foldline_span_seconds_count{outcome="error",span="test.work"} 1.0' in body


async def test_other_pages_and_methods_are_refused() -> None:
    async with admin.serve("127.0.0.1:0", Lifecycle()) as port:
        assert (await _get(port, "/"))[0] == 404
        assert (await _get(port, "/livez", "POST"))[0] == 405
        assert await _get(port, "/livez", "HEAD") == (200, "")


async def test_a_client_that_speaks_nonsense_does_no_harm() -> None:
    async with admin.serve("127.0.0.1:0", Lifecycle()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 100_000)
        writer.write_eof()
        await reader.read()
        writer.close()

        assert (await _get(port, "/livez"))[0] == 200


async def test_a_check_that_never_answers_is_a_failing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "DEADLINE_SECONDS", 0.01)
    checks = health.Checks()
    checks.add("ledger", asyncio.Event().wait)

    assert await checks.run() == {"ledger": "no answer within 0.01 s"}


def test_two_checks_cannot_have_one_name() -> None:
    checks = health.Checks()
    checks.add("ledger", asyncio.Event().wait)

    with pytest.raises(ValueError, match="ledger"):
        checks.add("ledger", asyncio.Event().wait)


async def test_a_port_that_is_taken_is_an_error() -> None:
    async with admin.serve("127.0.0.1:0", Lifecycle()) as port:
        with pytest.raises(OSError, match="in use"):
            async with admin.serve(f"127.0.0.1:{port}", Lifecycle()):
                pass
