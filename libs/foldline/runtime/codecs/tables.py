"""pandas, polars and pyarrow tables as Parquet with zstd. A table comes back in the library that wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foldline.runtime.codecs import previews
from foldline.runtime.codecs.port import LibraryMissing, NotStorable, Written, is_a, reader, writer

_MARK = "foldline.library"


class TableCodec:
    encoding = "parquet"
    type = "table"

    def takes(self, value: object) -> bool:
        return (
            is_a(value, "pandas", "DataFrame", "Series")
            or is_a(value, "pyarrow", "Table")
            or is_a(value, "polars", "DataFrame", "LazyFrame", "Series")
        )

    def write(self, value: Any, target: Path) -> Written:
        if is_a(value, "polars", "LazyFrame"):
            raise NotStorable("a LazyFrame has no rows yet; return frame.collect()")
        if is_a(value, "pandas", "Series") or is_a(value, "polars", "Series"):
            raise NotStorable("a Series is no table; return series.to_frame() or series.to_numpy()")
        if is_a(value, "polars", "DataFrame"):
            return _write_polars(value, target)
        return _write_arrow(value, target)

    def read(self, path: Path, filename: str) -> object:
        """A pandas or polars DataFrame where that wrote it, else a pyarrow Table."""
        del filename
        if _is_of_polars(path):
            return reader("polars", "polars").read_parquet(path)
        parquet = reader("pyarrow.parquet", "pyarrow")
        table = parquet.read_table(path, memory_map=True)
        if b"pandas" not in (table.schema.metadata or {}):
            return table
        reader("pandas", "pandas")
        return table.to_pandas()


def _write_arrow(value: Any, target: Path) -> Written:
    pa = writer("pyarrow", "pyarrow", "tables")
    parquet = writer("pyarrow.parquet", "pyarrow", "tables")
    try:
        table = value if isinstance(value, pa.Table) else pa.Table.from_pandas(value)
        parquet.write_table(table, target, compression="zstd")
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise NotStorable(f"pyarrow refuses it: {error}") from error
    types = {field.name: str(field.type) for field in table.schema}

    def preview() -> dict[str, Any]:
        nulls = [column.null_count for column in table.columns[: previews.COLUMNS]]
        head = table.slice(0, previews.ROWS).select(list(range(len(nulls))))
        return preview_of(
            types, nulls, table.num_rows, zip(*(c.to_pylist() for c in head.columns), strict=True)
        )

    return Written(_facts(types, table.num_rows), preview=preview)


def _write_polars(value: Any, target: Path) -> Written:
    try:
        value.write_parquet(target, compression="zstd", metadata={_MARK: "polars"})
    except Exception as error:
        # The library raises many classes, its panics among them; the message says which column.
        raise NotStorable(f"polars refuses it: {error}") from error
    types = {name: str(kind) for name, kind in value.schema.items()}

    def preview() -> dict[str, Any]:
        shown = value[:, : previews.COLUMNS]
        nulls = list(shown.null_count().row(0)) if shown.width else []
        return preview_of(types, nulls, value.height, shown.head(previews.ROWS).iter_rows())

    return Written(_facts(types, value.height), preview=preview)


def _facts(types: dict[str, str], rows: int) -> dict[str, Any]:
    shown = dict(list(types.items())[: previews.COLUMNS])
    return {"rows": rows, "columns": len(types), "schema": shown}


def preview_of(types: dict[str, str], nulls: Sequence[int | None], rows: int, head: Any) -> dict[str, Any]:
    return {
        "kind": "table",
        "rows": rows,
        "column_count": len(types),
        "columns": [
            {"name": str(name), "type": kind, "nulls": count}
            for (name, kind), count in zip(types.items(), nulls, strict=False)
        ],
        "head": [previews.cells(row) for row in head],
    }


def _is_of_polars(path: Path) -> bool:
    """By the file's own metadata, read with whichever library there is."""
    try:
        parquet = reader("pyarrow.parquet", "pyarrow")
    except LibraryMissing:
        try:
            polars = reader("polars", "polars")
        except LibraryMissing as error:
            raise LibraryMissing("it needs the package pyarrow among the workflow's requirements") from error
        return bool(polars.read_parquet_metadata(path).get(_MARK) == "polars")
    return bool((parquet.read_metadata(path).metadata or {}).get(_MARK.encode()) == b"polars")
