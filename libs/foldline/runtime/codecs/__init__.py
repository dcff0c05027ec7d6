"""Values as files, in safe formats: chosen by the value when written, by the encoding's name when read.

No reader ever imports a class that data names; pickle is read and written only where the step allows it by
name and the installation permits it. Libraries are imported when a value needs them, in the step's process;
no service imports this package.
"""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from foldline.runtime.codecs import (
    arrays,
    authored,
    boosters,
    files,
    folders,
    images,
    json_values,
    lists,
    models,
    onnx_models,
    pickled,
    previews,
    tables,
    tensors,
)
from foldline.runtime.codecs.port import Codec, LibraryMissing, NotStorable, Written, type_name
from foldline.runtime.failures import StepError, class_name
from foldline.runtime.jobs import INLINE_LIMIT_BYTES, LISTS, Given, Product

__all__ = ["NotStorable", "decode", "encode", "reads", "scalar_fields", "type_name", "write"]

_CODECS: tuple[Codec, ...] = (
    arrays.ArrayCodec(),
    tensors.TensorCodec(),
    tables.TableCodec(),
    # Their classes are scikit-learn's, too, so they go before it.
    boosters.LightGBMCodec(),
    boosters.XGBoostCodec(),
    onnx_models.OnnxCodec(),
    models.ModelCodec(),
    images.ImageCodec(),
    folders.FolderCodec(),
    files.FileCodec(),
)
_PICKLE = pickled.PickleCodec()

_DISK_TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)

#: What a place of a declared type takes besides itself.
_ALSO_TAKES = {"float": ("int",), "json": ("int", "float", "str", "bool")}

_BY_STEP = "; a step may opt in to pickle by @fl.step(allow_pickle=True)"
_FORBIDDEN = "; the step asks for pickle, which this installation does not permit (FOLDLINE_ALLOW_PICKLE)"


def encode(
    name: str,
    value: object,
    declared: str,
    target: Path,
    *,
    allow_pickle: bool,
    pickle_forbidden: bool = False,
) -> Product:
    """Write output `name` to `target`; small JSON is returned as text. StepError where it cannot be.

    `pickle_forbidden`: the step asks for pickle and may not have it.
    """
    try:
        return write(value, declared, target, allow_pickle=allow_pickle)
    except NotStorable as refusal:
        hint = "" if allow_pickle else _FORBIDDEN if pickle_forbidden else _BY_STEP
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


def scalar_fields(value: object, declared: str) -> dict[str, Any] | None:
    """The fields of what `encode` makes of None, a bool or an int that is of the declared type; None for all
    others.

    For that no codec need be looked at, of which a fresh process has touched none yet.
    """
    dumped = None if authored.has_any() else json_values.scalar(value)
    if dumped is None or declared not in ("any", dumped[1]):
        return None
    return {"type": dumped[1], "encoding": "json", "text": dumped[0], "file": None}


def decode(name: str, given: Given, *, allow_pickle: bool, pickle_forbidden: bool = False) -> object:
    """The value of input `name`; StepError where its bytes are not what their encoding says."""
    if given.encoding in LISTS:
        return _decode_list(name, given, allow_pickle, pickle_forbidden)
    if not given.file:
        return given.value
    if given.encoding == _PICKLE.encoding and not allow_pickle:
        message = f"input {name} is a pickle; only a step with @fl.step(allow_pickle=True) reads one"
        if pickle_forbidden:
            message = f"input {name} is a pickle{_FORBIDDEN}"
        raise StepError("invalid", "INPUT_PICKLE_REFUSED", message)
    codec = _by_encoding(given.encoding)
    if codec is None and not given.encoding.startswith(authored.PREFIX):
        raise StepError(
            "invalid", "INPUT_NOT_READABLE", f"input {name} has unknown encoding {given.encoding!r}"
        )
    try:
        if codec is None:
            return authored.read(given.encoding, Path(given.file), given.filename)
        return codec.read(Path(given.file), given.filename)
    except LibraryMissing as error:
        message = f"input {name} cannot be read as {given.encoding}: {error}"
        raise StepError("invalid", "INPUT_NOT_READABLE", message) from error
    except Exception as error:
        raise _unreadable(name, given, error) from error


def reads(given: Given) -> list[str]:
    """The digests of the artifacts that an input is; none of a mere value."""
    if given.encoding in LISTS:
        return lists.digests(given)
    return [given.digest] if given.digest else []


def _decode_list(name: str, given: Given, allow_pickle: bool, pickle_forbidden: bool) -> list[object]:
    def one(name: str, given: Given) -> object:
        return decode(name, given, allow_pickle=allow_pickle, pickle_forbidden=pickle_forbidden)

    try:
        return lists.read(name, given, one)
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise _unreadable(name, given, error) from error


def _unreadable(name: str, given: Given, error: Exception) -> StepError:
    message = f"input {name} cannot be read as {given.encoding}: {class_name(error)}: {error}"
    return StepError("invalid", "INPUT_NOT_READABLE", message)


class _WrongTypeError(Exception):
    pass


def write(value: object, declared: str, target: Path, *, allow_pickle: bool) -> Product:
    """What `encode` does, with the errors of codecs: NotStorable, OSError."""
    codec: Codec | None = authored.taking(value)
    if codec is None and type(value) not in json_values.PLAIN:
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
        encoding=written.encoding or codec.encoding,
        file=target,
        summary=written.summary,
        filename=written.filename,
        preview=_preview(written),
    )


def _encode_json(value: object, declared: str, target: Path) -> Product:
    text, actual = json_values.dump(value)
    kind = _fit(declared, actual, value)
    if len(text) <= INLINE_LIMIT_BYTES and len(text.encode()) <= INLINE_LIMIT_BYTES:
        return Product(type=kind, encoding="json", text=text)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return Product(
        type=kind,
        encoding="json",
        file=target,
        summary=json_values.describe(value),
        preview=previews.bounded(json_values.preview(value, text)),
    )


def _preview(written: Written) -> dict[str, Any]:
    """Nothing where it cannot be made: what nobody can look at is stored all the same."""
    if written.preview is None:
        return {}
    try:
        return previews.bounded(written.preview())
    except Exception as error:  # noqa: BLE001 - of libraries and of authors
        return {"kind": "none", "problem": f"{class_name(error)}: {error}"[: previews.LONGEST_TEXT]}


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
