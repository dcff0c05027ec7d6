"""pandas and pyarrow tables as Parquet with zstd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foldline.runtime.codecs.port import NotStorable, Written, is_a

_COLUMNS_SHOWN = 50


class TableCodec:
    encoding = "parquet"
    type = "table"

    def takes(self, value: object) -> bool:
        return is_a(value, "pandas", "DataFrame", "Series") or is_a(value, "pyarrow", "Table")

    def write(self, value: Any, target: Path) -> Written:
        if is_a(value, "pandas", "Series"):
            raise NotStorable("a Series is no table; return series.to_frame() or series.to_numpy()")
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError as error:
            raise NotStorable("tables need the package pyarrow among the workflow's requirements") from error
        try:
            table = value if isinstance(value, pa.Table) else pa.Table.from_pandas(value)
            pq.write_table(table, target, compression="zstd")
        except (pa.ArrowException, ValueError, TypeError) as error:
            raise NotStorable(f"pyarrow refuses it: {error}") from error
        columns = {field.name: str(field.type) for field in table.schema}
        shown = dict(list(columns.items())[:_COLUMNS_SHOWN])
        return Written({"rows": table.num_rows, "columns": table.num_columns, "schema": shown})

    def read(self, path: Path, filename: str) -> object:
        """A pandas DataFrame where pandas wrote it, else a pyarrow Table."""
        import pyarrow.parquet as pq

        del filename
        table = pq.read_table(path, memory_map=True)
        if b"pandas" not in (table.schema.metadata or {}):
            return table
        return table.to_pandas()
