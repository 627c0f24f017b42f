"""Parquet and ORC files → frames of typed columns, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import orc

from autotune.outputs.frames import Frame, arrow_frame

_ROWS = 1 << 16
_FRAME_BYTES = 64 << 20


def parquet_frames(path: Path) -> Iterator[Frame]:
    """Yield the rows of a Parquet file; one frame without rows tells the columns."""
    # Old timestamps (int96) count nanoseconds, in which the year 1600 would not fit.
    with pq.ParquetFile(path, coerce_int96_timestamp_unit="us", pre_buffer=False) as file:
        yield _no_rows(file.schema_arrow)
        for group in range(file.num_row_groups):
            meta = file.metadata.row_group(group)
            rows = _rows_at_once(meta.num_rows, meta.total_byte_size)
            yield from map(arrow_frame, file.iter_batches(rows, row_groups=[group]))


def orc_frames(path: Path) -> Iterator[Frame]:
    """Yield the rows of an ORC file; one frame without rows tells the columns.

    Raises:
        pyarrow.ArrowInvalid: A timestamp is before 1678 or after 2261, which Arrow can't hold.
    """
    file = orc.ORCFile(path)
    yield _no_rows(file.schema)
    for stripe in range(file.nstripes):
        batch = file.read_stripe(stripe)
        rows = _rows_at_once(batch.num_rows, batch.nbytes)
        for start in range(0, batch.num_rows, rows):
            yield arrow_frame(batch.slice(start, rows))


def _no_rows(schema: pa.Schema) -> Frame:
    return arrow_frame(
        pa.RecordBatch.from_arrays([pa.nulls(0, f.type) for f in schema], schema=schema)
    )


def _rows_at_once(rows: int, size_bytes: int) -> int:
    """Return how many of *rows* that take *size_bytes* to decode in one piece."""
    return max(1, min(_ROWS, rows * _FRAME_BYTES // max(size_bytes, 1)))
