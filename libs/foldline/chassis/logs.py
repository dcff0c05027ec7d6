"""Structured logs, set up once per process: JSON lines, or colours on a terminal.

Inner code logs facts with `structlog.get_logger()`; what the edge bound (rpc, run_id, trace) is merged in.
Lines of other libraries (grpc, asyncio, uvicorn) come out in the same form.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Literal, cast

import msgspec

# structlog loads rich where that is installed, to draw tracebacks. Only the command line has a use for it; it
# would cost each service a twentieth of a second at its start, and 5 MB.
_rich = sys.modules.get("rich")
sys.modules["rich"] = None  # type: ignore[assignment]
import structlog  # noqa: E402
from structlog.typing import EventDict, Processor, WrappedLogger  # noqa: E402

if _rich is None:
    del sys.modules["rich"]
else:
    sys.modules["rich"] = _rich

Format = Literal["auto", "json", "console"]
Level = Literal["debug", "info", "warning", "error"]


def configure(service: str, format: Format = "auto", level: Level = "info") -> None:  # noqa: A002 - its name
    """Set up structlog and the standard library's logging for this process, on stdout."""
    is_json = format == "json" or (format == "auto" and not sys.stdout.isatty())
    shared = _shared(service)
    final: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_serialize)]
        if is_json
        else [structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())]
    )
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *final],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    _route_standard_logging(shared, final, max(number, logging.INFO))


def _shared(service: str) -> list[Processor]:
    def name_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event.setdefault("service", service)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        name_service,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _route_standard_logging(shared: list[Processor], final: list[Processor], level: int) -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *final],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _serialize(event: Any, **_options: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


def logger(**initial: Any) -> structlog.typing.FilteringBoundLogger:
    """A typed logger; the same as structlog.get_logger."""
    return cast("structlog.typing.FilteringBoundLogger", structlog.get_logger(**initial))
