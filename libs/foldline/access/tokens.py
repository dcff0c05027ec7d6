"""Bearer tokens: JWTs signed with the installation's key (HS256). Made once, stored nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import jwt
import msgspec

from foldline.access.identity import Caller
from foldline.chassis import clock
from foldline.chassis.settings import Secret
from foldline.domain.errors import FoldlineError, Kind

ALGORITHM = "HS256"
ISSUER = "foldline"
SHORTEST_KEY_BYTES = 32
LONGEST_TTL_SECONDS = 10 * 365 * 24 * 3600

KEPT = 256
"""Tokens whose signature is not checked again by the same process; when they expire is, every time."""

#: A token may be used this long before its birth: clocks of two machines differ.
LEEWAY = timedelta(seconds=60)


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a token says. `grants` is role by workspace."""

    iss: str
    sub: str
    jti: str
    iat: int
    exp: int
    grants: dict[str, str] = {}


def issue(
    key: Secret | str, *, subject: str, grants: Mapping[str, str], ttl_seconds: int, now: datetime
) -> str:
    """A token for `subject`, valid from `now` on for `ttl_seconds`."""
    if not subject or not 0 < ttl_seconds <= LONGEST_TTL_SECONDS:
        raise FoldlineError(
            Kind.INVALID, "TOKEN_INVALID", "a token needs a subject and a life of 1 second to 10 years"
        )
    born = int(now.timestamp())
    claims = Claims(
        iss=ISSUER,
        sub=subject,
        jti=clock.new_id(),
        iat=born,
        exp=born + ttl_seconds,
        grants=dict(grants),
    )
    return jwt.encode(msgspec.to_builtins(claims), signing_key(key), algorithm=ALGORITHM)


def verify(key: Secret | str, token: str, now: datetime) -> Caller:
    """Who holds this token. Raises UNAUTHENTICATED, saying why, for one that is not valid at `now`."""
    claims = _claims(signing_key(key), token)
    if now >= datetime.fromtimestamp(claims.exp, UTC):
        raise _refused("TOKEN_EXPIRED", f"the token of {claims.sub} has expired")
    if now + LEEWAY < datetime.fromtimestamp(claims.iat, UTC):
        raise _refused("TOKEN_INVALID", f"the token of {claims.sub} is not valid yet")
    return Caller(claims.sub, claims.grants)


@lru_cache(maxsize=KEPT)
def _claims(key: str, token: str) -> Claims:
    """What a token of this key says, whatever the time."""
    try:
        payload = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            # Times are compared below, with the caller's clock: PyJWT would ask the system's.
            options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        return msgspec.convert(payload, Claims)
    except (jwt.InvalidTokenError, msgspec.ValidationError) as error:
        raise _refused("TOKEN_INVALID", "the token is not one of this installation") from error


def _refused(reason: str, message: str) -> FoldlineError:
    return FoldlineError(Kind.UNAUTHENTICATED, reason, message)


def signing_key(key: Secret | str) -> str:
    """The key as text; raises where it is too short to sign with."""
    text = key.value if isinstance(key, Secret) else key
    if len(text.encode()) < SHORTEST_KEY_BYTES:
        raise FoldlineError(
            Kind.INTERNAL, "TOKEN_KEY_TOO_SHORT", f"the token key needs {SHORTEST_KEY_BYTES} bytes or more"
        )
    return text
