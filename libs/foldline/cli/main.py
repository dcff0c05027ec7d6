"""The argument tree of `foldline`. Commands are imported when they are called: `--help` stays quick."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import NoReturn

import click

_COMMANDS: Mapping[str, tuple[str, str]] = {
    "up": ("foldline.cli.up:up", "Start an installation on this machine."),
    "down": ("foldline.cli.up:down", "Stop the installation on this machine."),
    "status": ("foldline.cli.up:status", "Tell what is running and where."),
    "backup": ("foldline.cli.backup:backup", "Copy the database of a running installation."),
    "restore": ("foldline.cli.backup:restore", "Put a database back from its back-up."),
    "chaos": ("foldline.cli.chaos.command:chaos", "Hurt an installation on purpose and check what it did."),
    "migrate": ("foldline.cli.migrate:migrate", "Bring a database to this version."),
    "check": ("foldline.cli.local:check", "Report every problem of a workflow file."),
    "run": ("foldline.cli.local:run", "Run a workflow here, without an installation."),
    "release": ("foldline.cli.workflows:release", "Make an immutable release of a workflow."),
    "workflows": ("foldline.cli.workflows:workflows", "List the workflows of the workspace."),
    "configure": ("foldline.cli.workflows:configure", "Show and save parameter values of a workflow."),
    "schedule": (
        "foldline.cli.schedules:schedule",
        "Start runs at times: cron, interval, one-off, backfill.",
    ),
    "trigger": ("foldline.cli.triggers:trigger", "Start runs on events: NATS subject or webhook."),
    "gallery": ("foldline.cli.gallery:gallery", "Publish, find, subscribe to and import workflows."),
    "start": ("foldline.cli.runs:start", "Start a run of a workflow."),
    "watch": ("foldline.cli.runs:watch", "Follow a run until it ends."),
    "stop": ("foldline.cli.operations:stop", "Stop a run, or one step of it."),
    "pause": ("foldline.cli.operations:pause", "Start nothing new in a run."),
    "resume": ("foldline.cli.operations:resume", "Let a paused run go on."),
    "retry": ("foldline.cli.operations:retry", "Run failed, held or stopped steps once more."),
    "rerun": ("foldline.cli.forks:rerun", "Run once more, as a new run."),
    "fork": ("foldline.cli.forks:fork", "Make a new run from an earlier one, with changes."),
    "todos": ("foldline.cli.answers:todos", "List the steps that wait for a person."),
    "answer": ("foldline.cli.answers:answer", "Answer what a step asks."),
    "provide": ("foldline.cli.answers:provide", "Give values that a run asks for on its way."),
    "signal": ("foldline.cli.answers:signal", "Deliver an event to steps that wait for it."),
    "why-waiting": ("foldline.cli.answers:why_waiting", "Say why steps do not run."),
    "runs": ("foldline.cli.runs:runs", "List runs, newest first."),
    "show": ("foldline.cli.records:show", "Show the record of a run: steps, times, outputs."),
    "history": ("foldline.cli.records:history", "Show the events of a run and verify their chain."),
    "replay": ("foldline.cli.records:replay", "Show a run as it was at an earlier event."),
    "logs": ("foldline.cli.logs:logs", "Show what a step wrote."),
    "metrics": ("foldline.cli.metrics:metrics", "Show the numbers that steps recorded."),
    "artifact": ("foldline.cli.records:artifact", "Fetch what a step produced."),
    "executors": ("foldline.cli.executors:executors", "List the executors: what they have and hold."),
    "executor": ("foldline.cli.executors:executor", "Drain an executor, or let it take work again."),
    "workspace": ("foldline.cli.access:workspace", "Create and list workspaces."),
    "token": ("foldline.cli.access:token", "Create tokens."),
    "parked": ("foldline.cli.access:parked", "List messages that nobody could handle."),
}


class LazyGroup(click.Group):
    """Knows names and one line of help; loads a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        from foldline import __version__

        click.echo(f"foldline {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version)
def cli() -> None:
    """Machine-learning workflows whose every state is the fold of recorded events."""


def main() -> NoReturn:
    """The console script: every outcome is an exit code (docs/cli.md)."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """Run one command line; its exit code. Errors go to stderr as one line and a hint."""
    try:
        result = cli.main(arguments, prog_name="foldline", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        from foldline.cli import failures

        return failures.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output (head, less) has gone; Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        code = _explained(error)
        if code is None:
            raise
        return code
    return result if isinstance(result, int) else 0


def _explained(error: Exception) -> int | None:
    """Print an error that we know; its exit code. None for a fault of ours, which keeps its traceback."""
    from foldline.chassis.settings import SettingsError
    from foldline.cli import failures, output
    from foldline.domain.errors import FoldlineError
    from foldline.sdk.problems import AuthoringError

    if isinstance(error, FoldlineError):
        output.complain(failures.lines(error))
        return failures.exit_code(error)
    if isinstance(error, AuthoringError):
        output.complain(f"error: {problem}" for problem in error.problems)
        return failures.USAGE
    if isinstance(error, SettingsError):
        output.complain([f"error: {error} (SETTINGS)"])
        return failures.USAGE
    return None


if __name__ == "__main__":
    main()
