from __future__ import annotations

from datetime import UTC, datetime, timedelta

import jwt
import pytest

from foldline.access import Caller, tokens
from foldline.chassis.settings import Secret
from foldline.domain.errors import FoldlineError, Kind

KEY = Secret("k" * 32)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _token(**changes: object) -> str:
    claims = {
        "iss": "foldline",
        "sub": "ada",
        "jti": "1",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 60,
        "grants": {"lab": "viewer"},
    }
    kept = {name: value for name, value in {**claims, **changes}.items() if value is not None}
    return jwt.encode(kept, KEY.value, algorithm="HS256")


def _refusal(token: str, key: Secret | str = KEY, now: datetime = NOW) -> FoldlineError:
    with pytest.raises(FoldlineError) as caught:
        tokens.verify(key, token, now)
    assert caught.value.kind is Kind.UNAUTHENTICATED
    return caught.value


def test_a_token_says_who_and_what() -> None:
    token = tokens.issue(KEY, subject="ada", grants={"lab": "developer"}, ttl_seconds=60, now=NOW)

    assert tokens.verify(KEY, token, NOW) == Caller("ada", {"lab": "developer"})


def test_a_token_lives_until_its_last_second() -> None:
    token = tokens.issue(KEY, subject="ada", grants={}, ttl_seconds=60, now=NOW)

    assert tokens.verify(KEY, token, NOW + timedelta(seconds=59)).subject == "ada"
    assert _refusal(token, now=NOW + timedelta(seconds=60)).reason == "TOKEN_EXPIRED"


def test_a_token_of_another_installation_is_refused() -> None:
    token = tokens.issue(KEY, subject="ada", grants={}, ttl_seconds=60, now=NOW)

    assert _refusal(token, key="o" * 32).reason == "TOKEN_INVALID"


def test_a_changed_token_is_refused() -> None:
    head, _body, signature = _token().split(".")
    other_body = _token(grants={"*": "admin"}).split(".")[1]

    assert _refusal(f"{head}.{other_body}.{signature}").reason == "TOKEN_INVALID"


def test_a_token_without_signature_is_refused() -> None:
    unsigned = jwt.encode({"sub": "ada", "iss": "foldline"}, None, algorithm="none")

    assert _refusal(unsigned).reason == "TOKEN_INVALID"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "elsewhere"},
        {"iss": None},
        {"sub": None},
        {"sub": 7},
        {"exp": None},
        {"exp": "soon"},
        {"iat": None},
        {"grants": ["admin"]},
        {"grants": {"lab": 1}},
    ],
)
def test_a_token_with_other_claims_is_refused(changes: dict[str, object]) -> None:
    assert _refusal(_token(**changes)).reason == "TOKEN_INVALID"


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "ä.ö.ü"])
def test_what_is_no_token_is_refused(token: str) -> None:
    assert _refusal(token).reason == "TOKEN_INVALID"


def test_a_token_from_the_future_is_refused_but_for_a_minute() -> None:
    born = int(NOW.timestamp())

    assert tokens.verify(KEY, _token(iat=born + 30), NOW).subject == "ada"
    assert _refusal(_token(iat=born + 3600, exp=born + 7200)).reason == "TOKEN_INVALID"


@pytest.mark.parametrize(("subject", "ttl"), [("", 60), ("ada", 0), ("ada", -1), ("ada", 10**12)])
def test_a_token_for_nobody_or_without_a_sensible_life_is_not_made(subject: str, ttl: int) -> None:
    with pytest.raises(FoldlineError) as caught:
        tokens.issue(KEY, subject=subject, grants={}, ttl_seconds=ttl, now=NOW)

    assert caught.value.kind is Kind.INVALID


def test_a_short_key_is_refused_without_showing_it() -> None:
    with pytest.raises(FoldlineError) as caught:
        tokens.issue("tooshort", subject="ada", grants={}, ttl_seconds=60, now=NOW)

    assert caught.value.reason == "TOKEN_KEY_TOO_SHORT"
    assert "tooshort" not in str(caught.value)
