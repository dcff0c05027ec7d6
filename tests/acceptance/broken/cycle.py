"""Two steps wait for each other."""
# expect: CYCLE step report

import foldline as fl


@fl.step
def clean() -> dict:
    return {}


@fl.step
def report(data: dict) -> str:
    return str(data)


@fl.workflow
def broken():
    data = clean()
    text = report(data)
    data.after(text)
