"""A step that no executor could import."""
# expect: STEP_NOT_IMPORTABLE step inner

import foldline as fl


def make():
    @fl.step
    def inner() -> None:
        pass

    return inner


hidden = make()


@fl.workflow
def broken():
    hidden()
