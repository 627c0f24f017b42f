"""The facts and a spread sample of one table, whatever its format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random

import pyarrow as pa

from autotune.dataset.effort import MAX_COLUMNS, MAX_DECODED_BYTES, Effort
from autotune.dataset.files import Table, spread
from autotune.dataset.footers import NO_CODEC, Facts, Group, orc_facts, parquet_facts
from autotune.dataset.formats import COMPRESSIONS, orc_file, parquet_footer, readable
from autotune.dataset.parsing import parse
from autotune.dataset.partitions import partitions_of
from autotune.dataset.sampling import Piece, Sample
from autotune.dataset.text import Dialect, Lines, read_lines
from autotune.errors import InputError

_BATCH_ROWS = 8192
_PROBED_ROWS = 64
_READ_AHEAD_BYTES = 1 << 16
_CHUNKS = (256, 2048)
_SMALL_CHUNK_BYTES = 32 << 10
_MAX_STRIPE_BYTES = 16 << 20


@dataclass(frozen=True)
class Content:
    """What was read of one table."""

    facts: Facts
    sample: Sample
    """Of the columns whose values are looked at."""
    row_width_bytes: float = 0.0
    """Of decoded rows in memory, all columns."""
    cautions: tuple[str, ...] = ()
    """What is odd about the rows."""

    @property
    def rows(self) -> int:
        """Of the whole table, exact or not."""
        return self.facts.rows

    @property
    def whole(self) -> bool:
        """Whether all rows were looked at."""
        return len(self.sample) >= self.facts.rows


def read_table(table: Table, effort: Effort) -> Content:
    """Read the metadata of *table*, and values of about ``effort.sample_rows`` rows.

    Raises:
        InputError: A file can't be decoded, or a column that was named is not there.
    """
    if table.format == "parquet":
        facts = parquet_facts(table, effort)
        columns = _chosen(table, facts.schema, effort)
        return _content(table, facts, columns, _parquet_pieces(facts, columns, effort))
    if table.format == "orc":
        facts = orc_facts(table, effort)
        columns = _chosen(table, facts.schema, effort)
        return _content(table, facts, columns, _orc_pieces(facts, columns, effort))
    return _read_text(table, effort)


def _content(
    table: Table, facts: Facts, columns: Sequence[str], pieces: Iterator[Piece]
) -> Content:
    sample = Sample.of(table.root, pa.schema([facts.schema.field(n) for n in columns]), pieces)
    width = sample.rows.nbytes / len(sample) if len(sample) else 0.0
    return Content(facts, sample, width * len(facts.schema) / max(len(columns), 1))


def _chosen(table: Table, schema: pa.Schema, effort: Effort) -> list[str]:
    """Return the columns whose values are looked at."""
    names = list(dict.fromkeys(schema.names))
    if len(names) < len(schema.names):
        twice = next(name for name in names if schema.names.count(name) > 1)
        raise InputError(f"{table.root}: has two columns '{twice}', and Spark reads none such")
    folders = partitions_of(table).values if effort.columns else {}  # those are always told
    for name in effort.columns if effort.sample_rows else ():
        if name not in names and name not in folders:
            raise InputError(f"{table.root}: has no column {name!r}; {_like(name, names)}")
    wanted = [name for name in names if name in effort.columns] or names
    leaves = accumulate(_leaves(schema.field(schema.get_field_index(n)).type) for n in wanted)
    few = [name for name, upto in zip(wanted, leaves, strict=True) if upto <= MAX_COLUMNS]
    return few or wanted[:1]


def _like(name: str, names: Sequence[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, names, 3, 0.5) or list(names[:8])
    more = ", …" if len(near) < len(names) else ""
    return f"name one of {', '.join(near)}{more}"


def _leaves(kind: pa.DataType) -> int:
    """Return how many flat columns a column is stored as."""
    if not pa.types.is_nested(kind):
        return 1
    return sum(_leaves(kind.field(i).type) for i in range(kind.num_fields)) or 1


def _parquet_pieces(facts: Facts, columns: Sequence[str], effort: Effort) -> Iterator[Piece]:
    if not facts.groups or not effort.sample_rows:
        return
    draw = Random(0)
    leaves = sum(
        _leaves(facts.schema.field(facts.schema.get_field_index(n)).type) for n in columns
    )
    decoded = sum(group.decoded_bytes for group in facts.groups)
    # Of small chunks many are read, of large ones few: each costs a page and a dictionary.
    chunk = decoded // len(facts.groups) // max(len(facts.schema), 1)
    few, many = _CHUNKS
    chunks = min(max(MAX_DECODED_BYTES // max(chunk, _SMALL_CHUNK_BYTES), few), many)
    chosen = spread(facts.groups, min(max(chunks // leaves, 4), 256))
    share = leaves / max(len(facts.schema), leaves)
    most_bytes = MAX_DECODED_BYTES // len(chosen)
    width = 0.0
    for group in chosen:
        footer_bytes = group.decoded_bytes * share / group.rows
        if not width:
            few_rows = min(int(most_bytes / max(footer_bytes, 1)) + 1, _PROBED_ROWS)
            width = max(map(_row_bytes, _batches(group, columns, few_rows, 0)), default=0.0)
        depth = min(int(most_bytes / max(footer_bytes, width, 1)) + 1, group.rows)
        want = min(-(-effort.sample_rows // len(chosen)), depth)
        piece = _group_piece(_batches(group, columns, depth, most_bytes), depth, want, draw)
        width = max(width, _row_bytes(piece.rows))
        yield piece


def _row_bytes(rows: pa.Table) -> float:
    """Return the bytes of a row in memory, which has a text where a footer counts its number."""
    kinds = zip(rows.schema.types, rows.columns, strict=True)
    # A dictionary is there once, however many rows there are.
    size = sum(
        values.nbytes
        if not pa.types.is_dictionary(kind)
        else sum(chunk.indices.nbytes for chunk in values.chunks)
        for kind, values in kinds
    )
    return float(size / max(rows.num_rows, 1))


def _batches(
    group: Group, columns: Sequence[str], depth: int, most_bytes: int
) -> Iterator[pa.Table]:
    """Decode the first *depth* rows of a row group, and no more batches than *most_bytes* take."""
    import pyarrow.parquet as pq

    rows, size = 0, 0.0
    batch_rows = -(-depth // -(-depth // _BATCH_ROWS))  # as many in each
    footer = parquet_footer(group.path)
    with (
        readable(group.path, "Parquet file"),
        pq.ParquetFile(group.path, metadata=footer, buffer_size=_READ_AHEAD_BYTES) as file,
    ):
        for batch in file.iter_batches(
            batch_rows, row_groups=[group.index], columns=list(columns)
        ):
            table = pa.Table.from_batches([batch])
            rows, size = rows + table.num_rows, size + _row_bytes(table) * table.num_rows
            yield table
            if rows >= depth or size >= most_bytes:
                break


def _group_piece(batches: Iterator[pa.Table], depth: int, want: int, draw: Random) -> Piece:
    """Keep *want* of *depth* rows, so many of each batch."""
    pieces = []
    for rows in batches:
        share = -(-want * rows.num_rows // depth)
        pieces.append(Piece.pairs(rows, share, draw) if want < depth else Piece.whole(rows))
    return Piece.joined(pieces)


def _orc_pieces(facts: Facts, columns: Sequence[str], effort: Effort) -> Iterator[Piece]:
    """Read a few small stripes, or the beginnings of files whose stripes are large."""
    if not facts.groups or not effort.sample_rows:
        return
    draw = Random(0)
    large = max(group.decoded_bytes for group in facts.groups) > _MAX_STRIPE_BYTES
    if not large:
        chosen = spread(facts.groups, 4)
        for group in chosen:
            with readable(group.path, "ORC file"):
                file = orc_file(group.path)
                rows = pa.Table.from_batches([file.read_stripe(group.index, list(columns))])
            yield Piece.pairs(rows, -(-effort.sample_rows // len(chosen)), draw)
        return
    paths = spread(list(dict.fromkeys(group.path for group in facts.groups)), 16)
    for path in paths:
        want = -(-effort.sample_rows // len(paths))
        yield Piece.pairs(_orc_head(path, columns, 4 * want), want, draw)


def _orc_head(path: Path, columns: Sequence[str], most: int) -> pa.Table:
    from pyarrow import dataset

    with readable(path, "ORC file"):
        fragment = next(iter(dataset.dataset(path, format="orc").get_fragments()))
        return fragment.head(most, columns=list(columns), batch_size=_BATCH_ROWS)


def _read_text(table: Table, effort: Effort) -> Content:
    """Read lines; a text file has no metadata, so its rows are counted or estimated too."""
    first = Path(table.files[0])
    dialect = Dialect.of(first, headless=table.headless) if table.format == "csv" else None
    header = dialect is not None and dialect.header
    chosen = table.some(effort.max_files)
    lines = read_lines(
        chosen,
        table.bytes,
        max(effort.sample_rows, 1),
        header=header,
        counted_bytes=effort.counted_bytes,
    )
    found = parse(first, table.format, lines.data, dialect)
    parsed = found.table
    whole = lines.exact and lines.count == lines.rows
    # Where some of the lines that were read are empty, all were counted but are not all rows.
    exact = whole or (lines.exact and found.lines == lines.count)
    rows = lines.rows if exact else round(lines.rows * found.lines / max(lines.count, 1))
    codec = COMPRESSIONS.get(first.suffix.lower())
    facts = Facts(
        rows=found.lines if whole else rows,
        exact=exact,
        schema=parsed.schema,
        files=len(chosen),
        codec=codec or NO_CODEC,
        compression_ratio=lines.decoded_bytes / lines.file_bytes if lines.file_bytes else None,
        complete=lines.exact,
    )
    if not effort.sample_rows:
        return Content(facts, Sample.of(table.root, parsed.schema, ()))
    columns = _chosen(table, parsed.schema, effort)
    sample = Sample.of(
        table.root, parsed.schema, _text_pieces(parsed.select(columns), lines, effort, whole)
    )
    width = parsed.nbytes / parsed.num_rows if parsed.num_rows else 0.0
    return Content(facts, sample, width, found.cautions)


def _text_pieces(parsed: pa.Table, lines: Lines, effort: Effort, whole: bool) -> Iterator[Piece]:
    # Where a line was passed over, the places are not known: then it is one piece.
    lengths = lines.lengths if sum(lines.lengths) == parsed.num_rows else (parsed.num_rows,)
    want = parsed.num_rows if whole else min(effort.sample_rows, parsed.num_rows)
    before, draw = 0, Random(0)
    for length in lengths:
        rows = parsed.slice(before, length)
        before += length
        if whole:
            yield Piece.whole(rows)
        else:
            yield Piece.pairs(rows, -(-want * length // max(parsed.num_rows, 1)), draw)
