"""Pickle, for steps that ask for it by name. Reading a pickle runs whatever code it contains.

Only a step's own process may import this; a test holds that no service does.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from foldline.runtime.codecs.port import NotStorable, Written, type_name


class PickleCodec:
    encoding = "pickle"
    type = "file"

    def takes(self, value: object) -> bool:
        del value
        return False

    def write(self, value: Any, target: Path) -> Written:
        try:
            with target.open("wb") as file:
                pickle.dump(value, file, protocol=5)
        except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
            raise NotStorable(f"not even pickle takes it: {error}", pickle_helps=False) from error
        facts = {"class": type_name(value)}
        return Written(facts, f"{target.name}.pickle", lambda: {"kind": "pickle", **facts})

    def read(self, path: Path, filename: str) -> object:
        del filename
        with path.open("rb") as file:
            return pickle.load(file)  # noqa: S301 - the step allows it by name
