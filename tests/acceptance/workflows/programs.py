"""Programs and ranks that fail, take too long, or wait to be stopped."""

from __future__ import annotations

import foldline as fl

leave = fl.command("leave", line="echo going; exit 3", outputs={"never": int})
oversleep = fl.command("oversleep", arguments=["sleep", "600"], run_timeout=1, grace=1)
wait = fl.command("wait", line="echo waiting; exec sleep 600", ranks=2, cpu=0.1)
forget = fl.command("forget", line="true", outputs={"model": fl.File})


@fl.step(ranks=3, cpu=0.1)
def meet() -> None:
    import os
    import time

    print("here is", os.environ["RANK"])
    if os.environ["RANK"] == "2":
        raise ValueError("a bad batch")
    time.sleep(600)


@fl.workflow
def leaves():
    leave()


@fl.workflow
def oversleeps():
    oversleep()


@fl.workflow
def waits():
    wait()


@fl.workflow
def forgets():
    forget()


@fl.workflow
def meets():
    meet()
