from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from foldline.chassis import settings
from foldline.chassis.settings import Secret, SettingsError


class Everything(msgspec.Struct, frozen=True, kw_only=True):
    listen: str
    token_key: Secret
    slots: int = 0
    ratio: float = 0.5
    home: Path = Path("/tmp")
    log_format: Literal["auto", "json", "console"] = "auto"
    debug: bool = False
    registry: str | None = None


REQUIRED = {"FOLDLINE_LISTEN": "127.0.0.1:1", "FOLDLINE_TOKEN_KEY": "hush"}


def test_fields_are_read_from_their_variables() -> None:
    loaded = settings.load(
        Everything,
        environ={
            **REQUIRED,
            "FOLDLINE_SLOTS": "4",
            "FOLDLINE_RATIO": "0.25",
            "FOLDLINE_HOME": "/var/foldline",
            "FOLDLINE_LOG_FORMAT": "json",
            "FOLDLINE_DEBUG": "true",
            "FOLDLINE_REGISTRY": "host:1",
        },
    )

    assert loaded == Everything(
        listen="127.0.0.1:1",
        token_key=Secret("hush"),
        slots=4,
        ratio=0.25,
        home=Path("/var/foldline"),
        log_format="json",
        debug=True,
        registry="host:1",
    )


def test_what_is_not_set_keeps_its_default() -> None:
    loaded = settings.load(Everything, environ=REQUIRED)

    assert (loaded.slots, loaded.home, loaded.registry) == (0, Path("/tmp"), None)


def test_all_problems_are_reported_at_once() -> None:
    environ = {"FOLDLINE_SLOTS": "many", "FOLDLINE_LOG_FORMAT": "xml", "FOLDLINE_DEBUG": "perhaps"}

    with pytest.raises(SettingsError) as caught:
        settings.load(Everything, environ=environ)

    named = [problem.split()[0] for problem in caught.value.problems]
    assert named == [
        "FOLDLINE_LISTEN",
        "FOLDLINE_TOKEN_KEY",
        "FOLDLINE_SLOTS",
        "FOLDLINE_LOG_FORMAT",
        "FOLDLINE_DEBUG",
    ]
    assert all(problem in str(caught.value) for problem in caught.value.problems)


def test_a_variable_that_is_set_to_nothing_is_not_a_default() -> None:
    with pytest.raises(SettingsError, match="FOLDLINE_SLOTS is wrong"):
        settings.load(Everything, environ={**REQUIRED, "FOLDLINE_SLOTS": ""})


def test_an_empty_text_is_a_text() -> None:
    assert settings.load(Everything, environ={**REQUIRED, "FOLDLINE_LISTEN": ""}).listen == ""


def test_a_secret_does_not_show_itself() -> None:
    loaded = settings.load(Everything, environ=REQUIRED)

    assert "hush" not in repr(loaded)
    assert "hush" not in f"{loaded.token_key} {loaded}"
    assert loaded.token_key.value == "hush"


def test_an_empty_secret_is_a_missing_one() -> None:
    with pytest.raises(SettingsError, match="FOLDLINE_TOKEN_KEY is empty"):
        settings.load(Everything, environ={**REQUIRED, "FOLDLINE_TOKEN_KEY": ""})


def test_a_dataclass_will_do_and_the_prefix_may_be_another() -> None:
    @dataclass(frozen=True)
    class Small:
        port: int
        name: str = "x"

    assert settings.load(Small, "OTHER_", {"OTHER_PORT": "7", "FOLDLINE_PORT": "8"}) == Small(7)


def test_the_process_environment_is_the_default_source(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in REQUIRED.items():
        monkeypatch.setenv(name, value)

    assert settings.load(Everything).listen == "127.0.0.1:1"
