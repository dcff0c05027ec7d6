"""A library that is not there, imported at the top."""
# expect: IMPORT_FAILED

import no_such_library

import foldline as fl


@fl.step
def use() -> None:
    no_such_library.use()


@fl.workflow
def broken():
    use()
