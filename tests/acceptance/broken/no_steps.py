"""A workflow without a step."""
# expect: NO_STEPS workflow broken

import foldline as fl


@fl.workflow
def broken(size: int = 1):
    pass
