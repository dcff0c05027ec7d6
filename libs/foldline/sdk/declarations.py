"""Parameters, outputs and policies as the domain has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from msgspec import UNSET

from foldline.domain import spec
from foldline.sdk import params
from foldline.sdk.bindings import plain
from foldline.sdk.policies import Policy, seconds
from foldline.sdk.programs import Said


def parameter_of(found: params.Param) -> spec.Parameter:
    """A parameter as the domain has it: of a type that no form asks for, JSON or an artifact."""
    declared = found.declared
    return spec.Parameter(
        name=found.name,
        type=cast("spec.ParameterType", found.type if found.type in params.FORM_TYPES else "json"),
        title=declared.title,
        description=declared.help,
        default=UNSET if declared.default is params.UNSET else _default(found),
        minimum=UNSET if declared.ge is None else float(declared.ge),
        maximum=UNSET if declared.le is None else float(declared.le),
        choices=tuple(plain(choice) for choice in declared.choices),
        delayed=declared.delayed,
    )


def _default(found: params.Param) -> spec.Json:
    default = found.declared.default
    if found.type == "float" and isinstance(default, int) and not isinstance(default, bool):
        return float(default)
    return plain(default)


def outputs_of(fields: Mapping[str, str]) -> tuple[spec.Output, ...]:
    return tuple(spec.Output(name=name, type=cast("spec.ValueType", kind)) for name, kind in fields.items())


def policy_fields(policy: Policy) -> dict[str, Any]:
    """The fields of a domain step that say how it is run."""
    return {
        "retry": _retry(policy),
        "timeouts": spec.Timeouts(
            run_seconds=policy.run_timeout,
            grace_seconds=policy.grace,
            queue_seconds=policy.queue_timeout,
            total_seconds=policy.total_timeout,
            silence_seconds=policy.silence_timeout,
        ),
        "resources": spec.Resources(
            pool=policy.pool,
            cpu=policy.cpu,
            memory_bytes=policy.memory_bytes,
            flavor=policy.flavor,
            gpu=policy.gpu,
            open_files=policy.open_files,
            disk_bytes=policy.disk_bytes,
        ),
        "allow_pickle": policy.allow_pickle,
        "effects": "" if policy.effects == "idempotent" else policy.effects,
        "cache": policy.cache,
        "isolation": "" if policy.isolation == "fresh" else policy.isolation,
        "max_active": policy.max_active,
        "ranks": policy.ranks,
    }


def command_of(said: Said) -> spec.Command:
    return spec.Command(
        line=said.line,
        script=said.script,
        arguments=said.arguments,
        image=said.image,
        variables=dict(said.variables),
        metrics_file=said.metrics,
    )


def _retry(policy: Policy) -> spec.Retry:
    retry = policy.retry
    if retry is None:
        return spec.Retry()
    never = (one if isinstance(one, str) else _class_name(one) for one in retry.never_after)
    return spec.Retry(
        max_attempts=retry.max_attempts,
        delay_seconds=seconds(retry.delay),
        multiplier=retry.multiplier,
        max_delay_seconds=seconds(retry.max_delay),
        never_after=tuple(never),
        on_exhausted="" if retry.on_exhausted == "fail" else retry.on_exhausted,
        jitter=UNSET if retry.jitter is None else retry.jitter,
    )


def _class_name(kind: type[BaseException]) -> str:
    """As the step's process names what was raised."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
