"""One step that says when its first line ran."""

import time

import foldline as fl


@fl.step
def fresh() -> list:
    began = time.time()
    return [began, time.time()]


@fl.step(isolation="shared", effects="pure")
def shared() -> list:
    began = time.time()
    return [began, time.time()]


@fl.workflow
def start_fresh() -> None:
    fresh()


@fl.workflow
def start_shared() -> None:
    shared()
