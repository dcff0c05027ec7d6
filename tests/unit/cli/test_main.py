"""The argument tree."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from foldline.cli import main


def commands() -> list[tuple[str, click.Command]]:
    """Every command with its words, sub-commands included."""
    context = click.Context(main.cli)
    found: list[tuple[str, click.Command]] = []
    for name in main.cli.list_commands(context):
        command = main.cli.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            found.extend((f"{name} {sub}", child) for sub, child in command.commands.items())
        else:
            found.append((name, command))
    return found


@pytest.mark.parametrize(("words", "command"), commands(), ids=[words for words, _ in commands()])
def test_every_command_has_help_and_can_answer_in_json(words: str, command: click.Command) -> None:
    options = {option for parameter in command.params for option in parameter.opts}

    assert command.help, words
    assert "--json" in options, words


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.call(["--help"]) == 0

    shown = capsys.readouterr().out
    assert all(words.split()[0] in shown for words, _ in commands())


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from foldline.cli.main import call; call(['--help']); "
        "heavy = {'grpc', 'rich', 'msgspec', 'asyncio'} & set(sys.modules); print(heavy, file=sys.stderr)"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stderr.strip() == "set()"


def test_a_wrong_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.call(["runs", "--nonsense"]) == 2
    assert "--nonsense" in capsys.readouterr().err


def test_an_unknown_command_is_a_usage_error() -> None:
    assert main.call(["dance"]) == 2


def test_without_a_server_the_hint_says_how_to_start_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main.call(["runs", "--home", str(tmp_path)])

    shown = capsys.readouterr()
    assert code == 5
    assert not shown.out
    assert "(NO_SERVER)" in shown.err
    assert "foldline up" in shown.err


def test_a_server_that_does_not_answer_is_unavailable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "client.json").write_text(json.dumps({"server": "127.0.0.1:9", "token": "t"}))

    assert main.call(["runs", "--home", str(tmp_path)]) == 5
    assert "hint: " in capsys.readouterr().err


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.call(["--version"]) == 0
    assert capsys.readouterr().out.startswith("foldline ")
