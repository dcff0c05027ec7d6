"""What a program finds and leaves in its step's folder: the same wherever it runs.

    inputs/NAME/FILE   an input that is an artifact, as a file, or as the folder that was packed into it
    outputs/           what it leaves there under the name of an output, or NAME.SUFFIX, is that output

The environment says where: INPUT_NAME is the value of an input (text as it is, other JSON as JSON) or the
path of its file, OUTPUTS the folder of the outputs. Files are taken as they are, never decoded.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from foldline.runtime import codecs
from foldline.runtime.codecs import folders, lists, looks
from foldline.runtime.failures import StepError
from foldline.runtime.jobs import LISTS, Given, Product

INPUTS = "inputs"
OUTPUTS = "outputs"
KEPT = ".foldline-outputs"
"""Where outputs are written that are no files of the program's as they are."""

LONGEST_VALUE = 100 * 1024
"""Of one variable in bytes; the kernel refuses to start a program with one of 128 KiB."""

LARGEST_TEXT = 64 * 1024 * 1024
"""Of an output that is text or JSON."""

METRICS_LIMIT_BYTES = 256 * 1024
MOST_METRICS = 500

_SUFFIXES = {"npy": ".npy", "parquet": ".parquet", "png": ".png", "json": ".json"}
_BEGINNINGS = {
    "array": (b"\x93NUMPY", "npy", "an .npy file"),
    "table": (b"PAR1", "parquet", "a Parquet file"),
    "image": (b"\x89PNG\r\n\x1a\n", "png", "a PNG file"),
}
"""How files of a type begin, their encoding, and what they are called."""

_FILES = ("file", "model")
_VALUES = ("str", "int", "float", "bool", "json")


def variable_of(name: str) -> str:
    """The environment variable of the input `name`."""
    return f"INPUT_{name.upper().replace('-', '_')}"


def lay_out(inputs: Mapping[str, Given], folder: Path) -> dict[str, str]:
    """Make the files of the inputs, and the folder for outputs; the variables that say where they are.

    StepError for an input that cannot be given to a program.
    """
    (folder / OUTPUTS).mkdir()
    found = {"OUTPUTS": str(folder / OUTPUTS)}
    for name, given in inputs.items():
        value = _value(name, given, folder / INPUTS / name)
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if len(text.encode()) > LONGEST_VALUE:
            message = f"input {name} has more than {LONGEST_VALUE} bytes; give it to the program as a file"
            raise StepError("invalid", "INPUT_TOO_LARGE", message)
        if "\0" in text:
            message = f"input {name} holds a NUL character, which no environment variable can"
            raise StepError("invalid", "INPUT_NOT_READABLE", message)
        found[variable_of(name)] = text
    return found


def _value(name: str, given: Given, place: Path) -> object:
    """A JSON value, or the path of a file; of a list one of both for each entry."""
    if given.encoding in LISTS:
        places = itertools.count()
        try:
            return lists.read(name, given, lambda label, one: _value(label, one, place / str(next(places))))
        except (OSError, ValueError, LookupError, TypeError) as error:
            message = f"input {name} cannot be read as {given.encoding}: {error}"
            raise StepError("invalid", "INPUT_NOT_READABLE", message) from error
    if not given.file:
        return given.value
    source = Path(given.file)
    own = PurePosixPath(given.filename).name or f"{place.name}{_SUFFIXES.get(given.encoding, '')}"
    place.mkdir(parents=True)
    if given.encoding == folders.FolderCodec.encoding:
        target = place / own.removesuffix(".tar")
        try:
            folders.unpack(source, target)
        except (ValueError, OSError) as error:
            message = f"input {name} cannot be unpacked: {error}"
            raise StepError("invalid", "INPUT_NOT_READABLE", message) from error
        return str(target)
    # A copy: the artifact is everyone's, and the file is the program's.
    shutil.copyfile(source, place / own)
    return str(place / own)


def collect(declared: Iterable[tuple[str, str]], folder: Path, *, with_libraries: bool) -> dict[str, Product]:
    """The outputs that the program left, by name. StepError for one that is missing or of no such type.

    Libraries that decode may look at them for previews only where this process is the step's own.
    """
    products = {name: _product(name, kind, _found(name, kind, folder), folder) for name, kind in declared}
    return {name: _with_preview(one, with_libraries=with_libraries) for name, one in products.items()}


def _with_preview(product: Product, *, with_libraries: bool) -> Product:
    if product.preview or product.file is None:
        return product
    preview = looks.look(product.encoding, product.file, with_libraries=with_libraries)
    return dataclasses.replace(product, preview=preview)


def _found(name: str, kind: str, folder: Path) -> Path:
    place = folder / OUTPUTS
    if not place.is_dir():
        raise StepError("user", "OUTPUT_MISSING", f"output {name} is not there: the program removed {place}")
    here = sorted(path for path in place.iterdir() if path.name == name or path.name.startswith(f"{name}."))
    whole = [path for path in here if path.name == name]
    if len(here) > 1 and not whole:
        names = ", ".join(path.name for path in here)
        raise StepError("user", "OUTPUT_AMBIGUOUS", f"output {name} is there several times: {names}")
    if here:
        return (whole or here)[0]
    others = ", ".join(sorted(path.name for path in place.iterdir())[:10]) or "nothing"
    message = (
        f"output {name} ({kind}) is missing: there is no {OUTPUTS}/{name} and no {OUTPUTS}/{name}.* "
        f"($OUTPUTS) in the step's folder; there is {others}"
    )
    raise StepError("user", "OUTPUT_MISSING", message)


def _product(name: str, kind: str, path: Path, folder: Path) -> Product:
    target = folder / KEPT / name
    if kind in _VALUES:
        value = _parsed(name, kind, _text(name, path))
        return codecs.encode(name, value, kind, target, allow_pickle=False)
    if path.is_dir():
        if kind not in _FILES:
            raise _wrong(name, kind, f"{OUTPUTS}/{path.name} is a folder")
        made = codecs.encode(name, path, "file", target, allow_pickle=False)
        return Product(
            type=kind,
            encoding=made.encoding,
            file=made.file,
            summary=made.summary,
            filename=made.filename,
            preview=made.preview,
        )
    return _file(name, kind, path, target)


def _file(name: str, kind: str, path: Path, target: Path) -> Product:
    """As it is: moved, not copied, except where it is a link to another one."""
    if not path.is_file():
        raise _wrong(name, kind, f"{OUTPUTS}/{path.name} is neither a file nor a folder")
    encoding = "file"
    if kind in _BEGINNINGS:
        beginning, encoding, what = _BEGINNINGS[kind]
        with path.open("rb") as file:
            if file.read(len(beginning)) != beginning:
                raise _wrong(name, kind, f"{OUTPUTS}/{path.name} is not {what}")
    elif kind not in _FILES:
        raise _wrong(name, kind, "a program cannot leave such a value")
    target.parent.mkdir(exist_ok=True)
    if path.is_symlink():
        shutil.copyfile(path, target)
    else:
        path.rename(target)
    size = target.stat().st_size
    return Product(type=kind, encoding=encoding, file=target, summary={"bytes": size}, filename=path.name)


def _text(name: str, path: Path) -> str:
    if not path.is_file():
        raise _wrong(name, "text", f"{OUTPUTS}/{path.name} is no file")
    if path.stat().st_size > LARGEST_TEXT:
        message = f"output {name} has more than {LARGEST_TEXT // 1024**2} MiB of text; declare it as a file"
        raise StepError("user", "OUTPUT_TOO_LARGE", message)
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise _wrong(name, "text", f"{OUTPUTS}/{path.name} is not UTF-8 ({error.reason})") from error


def _parsed(name: str, kind: str, text: str) -> object:
    """A line break at the end, as `echo` writes it, is no part of the value."""
    if kind == "str":
        return text.removesuffix("\n").removesuffix("\r")
    text = text.strip()
    try:
        if kind == "int":
            return int(text)
        if kind == "float":
            number = float(text)
            if not math.isfinite(number):
                raise ValueError("it is not finite")
            return number
        if kind == "bool":
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        return json.loads(text)
    except (ValueError, KeyError, RecursionError) as error:
        shown = text if len(text) <= 80 else f"{text[:80]}…"
        raise _wrong(name, kind, f"its text is {shown!r}") from error


def metrics(name: str, folder: Path) -> dict[str, float]:
    """The numbers in the metrics file. StepError for a file that is missing, too large, or holds anything
    else."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        message = f"the metrics file {name} is missing: the program did not write it into the step's folder"
        raise StepError("user", "METRICS_MISSING", message)
    if path.stat().st_size > METRICS_LIMIT_BYTES:
        raise _no_metrics(f"it has more than {METRICS_LIMIT_BYTES // 1024} KiB")
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _no_metrics(f"it is no JSON ({error})") from error
    if not isinstance(found, dict):
        raise _no_metrics("it is no JSON object")
    if len(found) > MOST_METRICS:
        raise _no_metrics(f"it has more than {MOST_METRICS} names")
    for key, value in found.items():
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not key or not is_number or not math.isfinite(value):
            raise _no_metrics(f"{key!r} is {json.dumps(value)[:80]}, not a finite number")
    return {key: float(value) for key, value in found.items()}


def _no_metrics(why: str) -> StepError:
    return StepError("user", "METRICS_WRONG", f"the metrics file cannot be read: {why}")


def _wrong(name: str, kind: str, why: str) -> StepError:
    return StepError("user", "OUTPUT_TYPE_WRONG", f"output {name} is declared {kind}, but {why}")
