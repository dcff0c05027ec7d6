"""Which errors of the driver mean "the database cannot serve now", as opposed to "the statement is wrong"."""

from __future__ import annotations

import asyncpg

_LOST: tuple[type[BaseException], ...] = (
    OSError,  # refused, reset, unknown host; TimeoutError is one of these
    asyncpg.PostgresConnectionError,  # class 08
    asyncpg.OperatorInterventionError,  # class 57: shutting down, starting up, killed by an operator
    asyncpg.InterfaceError,  # the connection was closed under us
    asyncpg.InternalClientError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # we stood still in the middle of one
)

_REFUSED: tuple[type[BaseException], ...] = (
    asyncpg.InsufficientResourcesError,  # class 53: disk full, out of memory, too many connections
    asyncpg.TransactionRollbackError,  # class 40: deadlock, serialization
    asyncpg.ReadOnlySQLTransactionError,  # a standby: fail-over is under way
    asyncpg.LockNotAvailableError,
    asyncpg.QueryCanceledError,
)


def is_lost(error: BaseException) -> bool:
    """The connection failed. What it was doing may or may not have been committed."""
    if isinstance(error, asyncpg.QueryCanceledError | asyncpg.DataError):
        return False  # a refusal, and a mistake of the caller's, that derive from the classes above
    return isinstance(error, _LOST)


def is_unavailable(error: BaseException) -> bool:
    """The database cannot be reached or refuses for a reason that passes; trying later may work."""
    return isinstance(error, _REFUSED) or is_lost(error)
