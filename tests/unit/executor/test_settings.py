"""What an executor offers, by its settings."""

from __future__ import annotations

import os
from typing import Any

import psutil
import pytest

from foldline.chassis import settings
from foldline.chassis.settings import SettingsError
from foldline_executor.settings import Settings

NEEDED = {"NATS": "n", "ARTIFACTS": "a", "TOKEN_KEY": "k", "HOME": "/h"}


def loaded(**given: Any) -> Settings:
    environ = {f"FOLDLINE_{name}": value for name, value in (NEEDED | given).items()}
    return settings.load(Settings, environ=environ)


def test_an_executor_offers_its_machine_unless_told_otherwise() -> None:
    found = loaded()

    assert found.cpu_count == os.cpu_count()
    assert found.memory_bytes == psutil.virtual_memory().total
    assert (found.gpu, found.flavor_names, found.label_values) == (0, (), {})


def test_who_asks_for_more_slots_than_processors_gets_them_used() -> None:
    assert loaded(SLOTS="500").cpu_count == 500


def test_what_is_offered_can_be_set() -> None:
    found = loaded(CPU="2.5", MEMORY="16GiB", GPU="2", FLAVORS="small, large", LABELS="zone=a, spot")

    assert (found.cpu_count, found.memory_bytes, found.gpu) == (2.5, 16 << 30, 2)
    assert found.flavor_names == ("small", "large")
    assert found.label_values == {"zone": "a", "spot": ""}


def test_an_amount_of_memory_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match="FOLDLINE_MEMORY is wrong: expected bytes"):
        loaded(MEMORY="much")
