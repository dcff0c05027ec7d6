"""The whole table of RPCs against a real server: who may not, is refused; who may, gets through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import grpc
import pytest
import pytest_asyncio
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from tests.unit.access.contracts import Answers, call, methods, services

from foldline.access import policy, tokens
from foldline.access.interceptor import AccessInterceptor
from foldline.chassis import rpc
from foldline.chassis.lifecycle import Lifecycle
from foldline.domain.errors import FoldlineError
from foldline.wire import failures

KEY = "k" * 32
NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNLISTED = "foldline.api.unlisted.v1.UnlistedService"
METHODS = methods()
every_rpc = pytest.mark.parametrize(("path", "method"), METHODS.items(), ids=[*METHODS])

OK = grpc.StatusCode.OK
DENIED = grpc.StatusCode.PERMISSION_DENIED
UNAUTHENTICATED = grpc.StatusCode.UNAUTHENTICATED


class StoppedClock:
    def now(self) -> datetime:
        return NOW


class Platform:
    def __init__(self, channel: grpc.aio.Channel, answers: Answers) -> None:
        self.channel = channel
        self.answers = answers

    async def call(
        self, path: str, method: MethodDescriptor, grants: dict[str, str], workspace: str = "lab"
    ) -> grpc.StatusCode:
        return await call(self.channel, path, method, workspace, _token(grants))


def _token(grants: dict[str, str]) -> str:
    return tokens.issue(KEY, subject="ada", grants=grants, ttl_seconds=60, now=NOW)


@pytest_asyncio.fixture
async def platform() -> AsyncIterator[Platform]:
    answers = Answers()
    life = Lifecycle()
    life.ready.set()
    async with (
        rpc.serve(
            "127.0.0.1:0",
            [*map(answers.service, services()), answers.unlisted(UNLISTED)],
            life=life,
            translate=failures.to_status,
            interceptors=[AccessInterceptor(KEY, StoppedClock())],
        ) as port,
        rpc.channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Platform(channel, answers)


def test_every_rpc_has_a_rule_and_every_rule_an_rpc() -> None:
    chassis = {
        f"/{service.full_name}/{method.name}"
        for module in (health_pb2, reflection_pb2)
        for service in module.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }

    chassis.add("/grpc.health.v1.Health/List")  # newer grpcio alone has it

    assert set(policy.RULES) == set(METHODS) | chassis
    assert {path for path, rule in policy.RULES.items() if rule.scope == "open"} == chassis


@every_rpc
def test_the_scope_of_a_rule_fits_the_request(path: str, method: MethodDescriptor) -> None:
    if policy.RULES[path].scope == "workspace":
        assert "workspace" in method.input_type.fields_by_name
    elif path.rpartition("/")[2] != "CreateWorkspace":  # names the workspace to be
        assert "workspace" not in method.input_type.fields_by_name


@every_rpc
async def test_a_call_without_a_valid_token_is_refused(
    platform: Platform, path: str, method: MethodDescriptor
) -> None:
    forged = tokens.issue("f" * 32, subject="eve", grants={"*": "admin"}, ttl_seconds=60, now=NOW)

    codes = [
        await call(platform.channel, path, method, "lab", token) for token in (None, "", "nonsense", forged)
    ]

    assert codes == [UNAUTHENTICATED] * 4
    assert platform.answers.asked == []


@every_rpc
async def test_a_token_without_the_right_is_refused(
    platform: Platform, path: str, method: MethodDescriptor
) -> None:
    rule = policy.RULES[path]
    least = policy.ROLES.index(policy.PERMISSIONS[rule.permission])
    too_low = policy.ROLES[:least]
    refused: list[dict[str, str]] = [{}, {"lab": "emperor"}]
    refused += [{"lab": role, "*": role} for role in too_low]
    if rule.scope == "workspace":
        refused += [{"other": "admin"}]
    if rule.scope == "installation":
        refused += [{"lab": role} for role in policy.ROLES]

    codes = {str(grants): await platform.call(path, method, grants) for grants in refused}

    assert codes == {str(grants): DENIED for grants in refused}
    assert platform.answers.asked == []


@every_rpc
async def test_the_least_token_with_the_right_gets_through(
    platform: Platform, path: str, method: MethodDescriptor
) -> None:
    rule = policy.RULES[path]
    where = "*" if rule.scope == "installation" else "lab"
    grants = {where: policy.PERMISSIONS[rule.permission]}

    code = await platform.call(path, method, grants)

    assert code == OK
    [(subject, metadata)] = platform.answers.asked
    assert subject == "ada"
    assert metadata[0][1].startswith("Bearer ey")


@every_rpc
async def test_a_request_that_must_name_a_workspace_cannot_leave_it_out(
    platform: Platform, path: str, method: MethodDescriptor
) -> None:
    code = await platform.call(path, method, {"*": "admin"}, workspace="")

    expected = grpc.StatusCode.INVALID_ARGUMENT if policy.RULES[path].scope == "workspace" else OK
    assert code == expected


async def test_a_registered_rpc_without_a_rule_is_refused_to_everybody(platform: Platform) -> None:
    error = await _refusal(platform, f"/{UNLISTED}/Do", f"Bearer {_token({'*': 'admin'})}")

    assert error.reason == "RPC_NOT_PERMITTED"
    assert platform.answers.asked == []


async def test_the_refusal_tells_a_client_the_reason(platform: Platform) -> None:
    error = await _refusal(platform, "/foldline.api.scheduler.v1.SchedulerService/StartRun", "Basic YWRh")

    assert error.reason == "TOKEN_MISSING"


async def test_an_rpc_that_nobody_serves_is_unimplemented(platform: Platform) -> None:
    error = await _refusal(platform, f"/{UNLISTED}/DoNot", f"Bearer {_token({'*': 'admin'})}")

    assert error.reason == "UNIMPLEMENTED"


async def _refusal(platform: Platform, path: str, authorization: str) -> FoldlineError:
    ask = platform.channel.unary_unary(path, request_serializer=bytes, response_deserializer=bytes)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(b"", metadata=[("authorization", authorization)])
    return failures.from_rpc_error(caught.value)
