"""A run that is in flight for as long as a test wants, and a witness of what was carried out how often."""

import time
from pathlib import Path

import foldline as fl


def _witness(folder: str, name: str) -> None:
    with (Path(folder) / "witness").open("a") as file:
        file.write(f"{name}\n")


def _wait(folder: str, flag: str) -> None:
    while not (Path(folder) / flag).exists():
        time.sleep(0.02)


@fl.step
def first(folder: str) -> str:
    _witness(folder, "first")
    return folder


@fl.step(effects="idempotent")
def until_copied(folder: str) -> str:
    _witness(folder, "until_copied")
    _wait(folder, "copied")
    return folder


@fl.step(effects="idempotent")
def again(folder: str) -> str:
    _witness(folder, "again")
    return folder


@fl.step(effects="unsafe")
def pay(folder: str) -> str:
    _witness(folder, "pay")
    return "paid"


@fl.step(effects="idempotent")
def until_restored(folder: str) -> str:
    _witness(folder, "until_restored")
    _wait(folder, "restored")
    return "done"


@fl.workflow
def flying(folder: str):
    here = until_copied(first(folder))
    return {"paid": pay(here), "done": until_restored(again(here))}
