"""Values as files, in safe formats: chosen by the value when written, by the encoding's name when read.

No reader ever imports a class that data names; pickle is read and written only where the step allows it by
name. Libraries are imported when a value needs them, in the step's process.
"""

from __future__ import annotations

import errno
from pathlib import Path

from foldline.runtime.codecs import arrays, files, images, json_values, lists, models, pickled, tables
from foldline.runtime.codecs.port import Codec, NotStorable, type_name
from foldline.runtime.failures import StepError, class_name
from foldline.runtime.jobs import INLINE_LIMIT_BYTES, LISTS, Given, Product

__all__ = ["NotStorable", "decode", "encode", "reads", "type_name", "write"]

_CODECS: tuple[Codec, ...] = (
    arrays.ArrayCodec(),
    tables.TableCodec(),
    models.ModelCodec(),
    images.ImageCodec(),
    files.FileCodec(),
)
_PICKLE = pickled.PickleCodec()

_DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)

#: What a place of a declared type takes besides itself.
_ALSO_TAKES = {"float": ("int",), "json": ("int", "float", "str", "bool")}


def encode(name: str, value: object, declared: str, target: Path, *, allow_pickle: bool) -> Product:
    """Write output `name` to `target`; small JSON is returned as text. StepError where it cannot be."""
    try:
        return write(value, declared, target, allow_pickle=allow_pickle)
    except NotStorable as refusal:
        hint = "" if allow_pickle else "; a step may opt in to pickle by @fl.step(allow_pickle=True)"
        message = f"output {name} is a {type_name(value)} and cannot be stored: {refusal}"
        raise StepError(
            "invalid", "OUTPUT_NOT_STORABLE", message + (hint if refusal.pickle_helps else "")
        ) from refusal
    except _WrongTypeError as error:
        raise StepError(
            "invalid", "OUTPUT_TYPE_WRONG", f"output {name} is declared {declared} but is {error}"
        ) from error
    except OSError as error:
        if error.errno not in _DISK_TROUBLE:
            raise
        raise StepError(
            "infrastructure", "DISK_FAILED", f"output {name} could not be written: {error}"
        ) from error


def decode(name: str, given: Given, *, allow_pickle: bool) -> object:
    """The value of input `name`; StepError where its bytes are not what their encoding says."""
    if given.encoding in LISTS:
        return _decode_list(name, given, allow_pickle)
    if not given.file:
        return given.value
    if given.encoding == _PICKLE.encoding and not allow_pickle:
        message = f"input {name} is a pickle; only a step with @fl.step(allow_pickle=True) reads one"
        raise StepError("invalid", "INPUT_PICKLE_REFUSED", message)
    codec = _by_encoding(given.encoding)
    if codec is None:
        raise StepError(
            "invalid", "INPUT_NOT_READABLE", f"input {name} has unknown encoding {given.encoding!r}"
        )
    try:
        return codec.read(Path(given.file), given.filename)
    except Exception as error:
        raise _unreadable(name, given, error) from error


def reads(given: Given) -> list[str]:
    """The digests of the artifacts that an input is; none of a mere value."""
    if given.encoding in LISTS:
        return lists.digests(given)
    return [given.digest] if given.digest else []


def _decode_list(name: str, given: Given, allow_pickle: bool) -> list[object]:
    try:
        return lists.read(name, given, lambda name, one: decode(name, one, allow_pickle=allow_pickle))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _unreadable(name, given, error) from error


def _unreadable(name: str, given: Given, error: Exception) -> StepError:
    message = f"input {name} cannot be read as {given.encoding}: {class_name(error)}: {error}"
    return StepError("invalid", "INPUT_NOT_READABLE", message)


class _WrongTypeError(Exception):
    pass


def write(value: object, declared: str, target: Path, *, allow_pickle: bool) -> Product:
    """What `encode` does, with the errors of codecs: NotStorable, OSError."""
    codec = next((codec for codec in _CODECS if codec.takes(value)), None)
    try:
        if codec is None:
            return _encode_json(value, declared, target)
        kind = _fit(declared, codec.type, value)
        target.parent.mkdir(parents=True, exist_ok=True)
        written = codec.write(value, target)
    except NotStorable as refusal:
        if not (allow_pickle and refusal.pickle_helps):
            raise
        kind = "file" if declared == "any" else declared
        target.parent.mkdir(parents=True, exist_ok=True)
        codec, written = _PICKLE, _PICKLE.write(value, target)
    return Product(
        type=kind,
        encoding=codec.encoding,
        file=target,
        summary=written.summary,
        filename=written.filename,
    )


def _encode_json(value: object, declared: str, target: Path) -> Product:
    text, actual = json_values.dump(value)
    kind = _fit(declared, actual, value)
    if len(text) <= INLINE_LIMIT_BYTES and len(text.encode()) <= INLINE_LIMIT_BYTES:
        return Product(type=kind, encoding="json", text=text)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return Product(type=kind, encoding="json", file=target, summary=json_values.describe(value))


def _fit(declared: str, actual: str, value: object) -> str:
    """The type to record; refuses a value that is not of the declared type."""
    if declared == "any":
        return actual
    if actual == declared or actual in _ALSO_TAKES.get(declared, ()):
        return declared
    raise _WrongTypeError("None" if value is None else f"{actual} ({type_name(value)})")


def _by_encoding(encoding: str) -> Codec | None:
    every = (*_CODECS, json_values.JsonCodec(), _PICKLE)
    return next((codec for codec in every if codec.encoding == encoding), None)
