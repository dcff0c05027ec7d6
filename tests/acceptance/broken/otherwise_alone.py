"""An `otherwise` without a `when`."""
# expect: OTHERWISE_WITHOUT_WHEN fl.otherwise

import foldline as fl


@fl.step
def reject() -> None:
    pass


@fl.workflow
def broken():
    with fl.otherwise():
        reject()
