"""One short step that says when it was meant to run."""

import foldline as fl


@fl.step
def say(at: str, size: int) -> str:
    print(f"meant for {at}")
    return f"{at} {size}"


@fl.workflow(title="Timed")
def timed(at: str = fl.param("never", title="Scheduled time"), size: int = fl.param(1, title="Size")):
    return {"said": say(at, size)}
