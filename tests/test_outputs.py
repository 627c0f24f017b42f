"""Outputs in every format: order and files never matter, a changed cell always does."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import math
import random
import zlib
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import orc

from autotune.digests import TableDigest, compare, unstable_parts
from autotune.errors import InputError
from autotune.outputs import digest_outputs
from autotune.outputs import lines as lines_module

Row = dict[str, Any]

SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("small", pa.int32()),
        ("flag", pa.bool_()),
        ("name", pa.string()),
        ("raw", pa.binary()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us")),
        ("price", pa.decimal128(20, 2)),
        ("list", pa.list_(pa.int64())),
        ("struct", pa.struct([("a", pa.int64()), ("b", pa.string())])),
        ("map", pa.map_(pa.string(), pa.int64())),
        ("deep", pa.list_(pa.struct([("k", pa.string()), ("l", pa.list_(pa.int64()))]))),
    ]
)
INT64 = st.integers(-(2**63), 2**63 - 1)
WORDS = st.text("ab\0\n\"', é\\", max_size=4)
LISTS = st.lists(st.none() | INT64, max_size=3)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": INT64,
    "small": st.integers(-(2**31), 2**31 - 1),
    "flag": st.booleans(),
    "name": WORDS,
    "raw": st.binary(max_size=4),
    "day": st.dates(),
    "at": st.datetimes(datetime(1678, 1, 1), datetime(2261, 12, 31)),  # noqa: DTZ001
    "price": st.decimals(-(10**17), 10**17, places=2),
    "list": LISTS,
    "struct": st.fixed_dictionaries({"a": st.none() | INT64, "b": st.none() | WORDS}),
    "map": st.dictionaries(WORDS, st.none() | INT64, max_size=3).map(lambda d: list(d.items())),
    "deep": st.lists(
        st.none() | st.fixed_dictionaries({"k": st.none() | WORDS, "l": st.none() | LISTS}),
        max_size=2,
    ),
}
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}),
    min_size=1,
    max_size=12,
)
EVERY = settings(max_examples=25, deadline=None)
Writer = Callable[[Path, Sequence[Row]], None]


def write_parquet(path: Path, rows: Sequence[Row], schema: pa.Schema = SCHEMA) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows), schema), path.with_suffix(".parquet"))


def write_orc(path: Path, rows: Sequence[Row], schema: pa.Schema = SCHEMA) -> None:
    orc.write_table(pa.Table.from_pylist(list(rows), schema), path.with_suffix(".orc"))


def write_json(path: Path, rows: Sequence[Row]) -> None:
    texts = [json.dumps(plain(row), default=str) for row in rows]
    path.with_suffix(".json").write_text("".join(f"{text}\n" for text in texts))


def write_csv(path: Path, rows: Sequence[Row], head: str = "") -> None:
    texts = [",".join(field(value) for value in row.values()) for row in rows]
    path.with_suffix(".csv").write_text(
        "".join(f"{text}\n" for text in ([head] * bool(head)) + texts)
    )


def write_text(path: Path, rows: Sequence[Row]) -> None:
    path.write_text("".join(f"{json.dumps(plain(row), default=str)}\n" for row in rows))


def plain(row: Row) -> Row:
    """Bytes as text, and maps as objects, which is what Spark writes to JSON."""
    row = {key: value.hex() if isinstance(value, bytes) else value for key, value in row.items()}
    return {**row, **({"map": dict(row["map"])} if row.get("map") is not None else {})}


def field(value: object) -> str:
    """A null as nothing, texts in quotes where Spark quotes them."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    if not text or any(mark in text for mark in ',"\n;|\t'):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


WRITERS: dict[str, Writer] = {
    "parquet": write_parquet,
    "orc": write_orc,
    "json": write_json,
    "csv": write_csv,
    "text": write_text,
}


def written(folder: Path, writer: Writer, *files: Sequence[Row]) -> tuple[TableDigest, ...]:
    folder.mkdir(parents=True)
    for i, rows in enumerate(files):
        writer(folder / f"part-{i:05}", rows)
    (folder / "_SUCCESS").touch()
    return digest_outputs(folder)


@pytest.fixture(params=list(WRITERS))
def writer(request: pytest.FixtureRequest) -> Writer:
    return WRITERS[request.param]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Give a folder that is not there yet."""
    return lambda: tmp_path_factory.mktemp("output") / "out"


@EVERY
@given(rows=ROWS, shuffle=st.randoms(use_true_random=False), files=st.integers(1, 4))
@pytest.mark.parametrize("kind", list(WRITERS))
def test_order_and_files_never_matter(
    kind: str, rows: list[Row], shuffle: random.Random, files: int, fresh: Callable[[], Path]
) -> None:
    before = written(fresh(), WRITERS[kind], rows)
    shuffled = shuffle.sample(rows, len(rows))
    after = written(fresh(), WRITERS[kind], *(shuffled[i::files] for i in range(files)))
    assert compare(before, after) == ()
    assert [table.whole.exact for table in before] == [table.whole.exact for table in after]


@EVERY
@given(rows=ROWS, data=st.data())
@pytest.mark.parametrize("kind", list(WRITERS))
def test_one_changed_cell_always_matters(
    kind: str, rows: list[Row], data: st.DataObject, fresh: Callable[[], Path]
) -> None:
    at = data.draw(st.integers(0, len(rows) - 1), "row")
    name = data.draw(st.sampled_from(list(VALUES)), "column")
    # In JSON an object without a key is one with a null in it.
    same = plain_nulls if kind in ("json", "text") else identical
    value = data.draw(
        (st.none() | VALUES[name]).filter(lambda v: not same(v, rows[at][name])), "value"
    )
    changed = [*rows[:at], {**rows[at], name: value}, *rows[at + 1 :]]
    before, after = (written(fresh(), WRITERS[kind], each) for each in (rows, changed))
    assert compare(before, after)


def identical(one: object, other: object) -> bool:
    if isinstance(one, list) and one and isinstance(one[0], tuple):
        return isinstance(other, list) and sorted(one, key=repr) == sorted(other, key=repr)
    return one == other and (one is None) == (other is None)


def plain_nulls(one: object, other: object) -> bool:
    return _without_nulls(one) == _without_nulls(other)


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(v) for key, v in value.items() if v is not None}
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        # A map with nothing but nulls is an empty one, which looks like any empty list.
        return {key: v for key, v in value if v is not None} or []
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value


PEOPLE: list[Row] = [
    {"id": i, "name": name, "score": score}
    for i, (name, score) in enumerate(
        [("Ann", 1.5), ("Bob", 2.25), ("", -3.5), (None, 1e-3), ("Eve", None), ("Ann", 12.0)]
    )
]
PEOPLE_SCHEMA = pa.schema([("id", pa.int32()), ("name", pa.string()), ("score", pa.float64())])


def write_people(path: Path, rows: Sequence[Row]) -> None:
    write_parquet(path, rows, PEOPLE_SCHEMA)


def write_people_orc(path: Path, rows: Sequence[Row]) -> None:
    write_orc(path, rows, PEOPLE_SCHEMA)


def write_people_json(path: Path, rows: Sequence[Row]) -> None:
    write_json(path, [{key: v for key, v in row.items() if v is not None} for row in rows])


def write_with_header(path: Path, rows: Sequence[Row]) -> None:
    write_csv(path, rows, head="id,name,score")


PEOPLE_WRITERS = {
    "parquet": write_people,
    "orc": write_people_orc,
    "json": write_people_json,
    "csv": write_csv,
    "csv with header": write_with_header,
}


@pytest.fixture(params=list(PEOPLE_WRITERS))
def people(request: pytest.FixtureRequest) -> Writer:
    return PEOPLE_WRITERS[request.param]


def changed(at: int, **cells: object) -> list[Row]:
    return [{**row, **cells} if i == at else row for i, row in enumerate(PEOPLE)]


@pytest.mark.parametrize(
    "other",
    [
        PEOPLE[1:],
        [*PEOPLE, PEOPLE[0]],
        [*PEOPLE[1:], PEOPLE[1]],
        changed(0, id=7),
        changed(0, name="ann"),
        changed(2, name=None),
        changed(3, name=""),
        changed(0, score=1.5015),
        changed(4, score=0.0),
        changed(0, score=None),
        changed(0, score=math.nan),
        changed(0, score=math.inf),
        [{**row, "name": name} for row, name in zip(PEOPLE, "abcdef", strict=True)],
        [{**row, "score": PEOPLE[i ^ 1]["score"]} for i, row in enumerate(PEOPLE)],
        [{**row, "name": PEOPLE[i ^ 1]["name"]} for i, row in enumerate(PEOPLE)],
    ],
)
def test_another_answer_is_found(other: list[Row], people: Writer, tmp_path: Path) -> None:
    before = written(tmp_path / "a", people, PEOPLE)
    after = written(tmp_path / "b", people, other[:2], other[2:])
    assert compare(before, after)
    assert compare(after, before)


def test_the_sum_of_many_numbers_may_differ_by_rounding(people: Writer, tmp_path: Path) -> None:
    draw = random.Random(1)
    rows = [{"id": i, "name": "n", "score": draw.uniform(-1e6, 1e6)} for i in range(500)]
    noisy = [{**row, "score": row["score"] * (1 + draw.uniform(-1e-9, 1e-9))} for row in rows]
    draw.shuffle(noisy)
    before = written(tmp_path / "a", people, rows)
    assert compare(before, written(tmp_path / "b", people, noisy[:99], noisy[99:])) == ()


def test_a_value_that_is_off_by_a_thousandth_is_named(tmp_path: Path) -> None:
    before = written(tmp_path / "a", write_people, PEOPLE)
    after = written(tmp_path / "b", write_people, changed(5, score=12.012))
    (difference,) = compare(before, after)
    assert difference.text == (
        "the output: column score differs (sum 12.251 → 12.263, tolerance 1e-06)"
    )


def test_negative_zero_and_nan_are_themselves(people: Writer, tmp_path: Path) -> None:
    odd = [0.0, math.nan, math.inf, -math.inf]
    rows = [{"id": i, "name": "n", "score": value} for i, value in enumerate(odd)]
    other = [{**rows[0], "score": -0.0}, *rows[1:]]
    before = written(tmp_path / "a", people, rows)
    assert compare(before, written(tmp_path / "b", people, other[::-1])) == ()
    infinite = [*rows[:2], {**rows[2], "score": -math.inf}, rows[3]]
    assert compare(before, written(tmp_path / "c", people, infinite))


def test_floats_that_change_places_in_a_list_are_found(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64()), ("v", pa.list_(pa.float64()))])
    rows = [{"id": 1, "v": [1.0, 2.0, None]}, {"id": 2, "v": []}, {"id": 3, "v": None}]
    other = [{"id": 1, "v": [2.0, 1.0, None]}, *rows[1:]]

    def parquet(path: Path, rows: Sequence[Row]) -> None:
        write_parquet(path, rows, schema)

    for name, kind in (("parquet", parquet), ("json", write_json)):
        before = written(tmp_path / f"{name}-a", kind, rows)
        assert compare(before, written(tmp_path / f"{name}-b", kind, rows[::-1])) == ()
        (difference,) = compare(before, written(tmp_path / f"{name}-c", kind, other))
        assert difference.column == "v.element"


NESTED = pa.schema(
    [
        ("id", pa.int64()),
        ("m", pa.map_(pa.string(), pa.float64())),
        ("s", pa.struct([("x", pa.float32()), ("l", pa.list_(pa.struct([("y", pa.float64())])))])),
        ("k", pa.map_(pa.float64(), pa.list_(pa.string()))),
    ]
)


def nested(i: int, **cells: object) -> Row:
    row = {
        "id": i,
        "m": [("a", 1.0 + i), ("b", 2.0)],
        "s": {"x": 0.5, "l": [{"y": 1.5}, None, {"y": i * 1.0}]},
        "k": [(0.5, ["u", None]), (1.5, [])],
    }
    return {**row, **cells}


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"m": [("a", 2.0), ("b", 2.001)]}, "m.value"),
        ({"m": [("a", 2.0)], "id": 1}, "m"),
        ({"m": [("b", 2.0), ("c", 2.0)]}, "m"),
        ({"m": [("b", 2.0), ("a", None)]}, "m"),
        ({"s": {"x": 0.501, "l": [{"y": 1.5}, None, {"y": 1.0}]}}, "s.x"),
        ({"s": {"x": 0.5, "l": [{"y": 1.5}, None, {"y": 1.01}]}}, "s.l.element.y"),
        ({"s": {"x": 0.5, "l": [None, {"y": 1.5}, {"y": 1.0}]}}, "s"),
        ({"s": {"x": 0.5, "l": []}}, "s"),
        ({"s": {"x": 0.5, "l": None}}, "s"),
        ({"s": None}, "s"),
        ({"k": [(0.5, ["u", None]), (1.5, None)]}, "k"),
        ({"k": [(0.5, ["u"]), (1.5, [])]}, "k"),
        ({"k": [(0.6, ["u", None]), (1.5, [])]}, "k"),
    ],
)
def test_what_changes_inside_of_nested_values_is_named(
    cells: Row, column: str, tmp_path: Path
) -> None:
    def parquet(path: Path, rows: Sequence[Row]) -> None:
        write_parquet(path, rows, NESTED)

    rows = [nested(i) for i in range(3)]
    same = nested(1, m=[("b", 2.0), ("a", 2.0)], k=[(1.5, []), (0.5, ["u", None])])
    before = written(tmp_path / "a", parquet, rows)
    assert compare(before, written(tmp_path / "b", parquet, [rows[2], same], rows[:1])) == ()
    after = written(tmp_path / "c", parquet, [rows[0], nested(1, **cells), rows[2]])
    assert column in {difference.column for difference in compare(before, after)}


def test_how_a_value_is_stored_does_not_matter(tmp_path: Path) -> None:
    at = [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None]
    types: dict[str, list[pa.DataType]] = {
        "n": [pa.int64(), pa.int16(), pa.uint8()],
        "s": [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())],
        "t": [pa.timestamp("us"), pa.timestamp("ns"), pa.timestamp("ms", tz="UTC")],
        "d": [pa.date32(), pa.date32(), pa.date32()],
        "p": [pa.decimal128(10, 2), pa.decimal128(38, 2), pa.decimal128(7, 2)],
        "l": [pa.list_(pa.int64()), pa.large_list(pa.int32()), pa.list_(pa.int16())],
        "b": [pa.binary(), pa.large_binary(), pa.binary(2)],
        "u": [pa.duration("us"), pa.duration("ms"), pa.duration("ns")],
    }
    values = {"n": [3, None], "s": ["é", None], "t": at, "d": [date(2026, 1, 2), None],
              "p": [Decimal("1.50"), None], "l": [[1, None], None], "b": [b"ab", None],
              "u": [timedelta(seconds=3), None]}  # fmt: skip
    digests = []
    for i, codec in enumerate(("none", "zstd", "snappy")):
        schema = pa.schema([(name, kinds[i]) for name, kinds in types.items()])
        file = tmp_path / f"{i}" / "x.parquet"
        file.parent.mkdir()
        pq.write_table(pa.table(values, schema=schema), file, compression=codec, row_group_size=1)
        digests.append(digest_outputs(file.parent))
    assert compare(digests[0], digests[1]) == compare(digests[0], digests[2]) == ()


def test_old_timestamps_of_any_century(tmp_path: Path) -> None:
    for name, year in (("a", 1500), ("b", 1500), ("c", 1501)):
        table = pa.table({"t": pa.array([datetime(year, 1, 1, tzinfo=UTC)], pa.timestamp("us"))})
        (tmp_path / name).mkdir()
        pq.write_table(table, tmp_path / name / "x.parquet", use_deprecated_int96_timestamps=True)
    one, same, other = (digest_outputs(tmp_path / name) for name in "abc")
    assert compare(one, same) == ()
    assert compare(one, other)


def test_integers_with_nulls_keep_their_last_digit(tmp_path: Path) -> None:
    def parquet(path: Path, rows: Sequence[Row]) -> None:
        write_parquet(path, rows, pa.schema([("n", pa.int64())]))

    big = 2**53
    before = written(tmp_path / "a", parquet, [{"n": big}, {"n": None}])
    after = written(tmp_path / "b", parquet, [{"n": big + 1}, {"n": None}])
    assert compare(before, after)


def test_texts_that_agree_up_to_a_nul_differ(tmp_path: Path) -> None:
    def parquet(path: Path, rows: Sequence[Row]) -> None:
        write_parquet(path, rows, pa.schema([("s", pa.string())]))

    before = written(tmp_path / "a", parquet, [{"s": "a\0b"}])
    assert compare(before, written(tmp_path / "b", parquet, [{"s": "a\0c"}]))


def test_single_precision_is_compared_less_strictly(tmp_path: Path) -> None:
    def single(path: Path, rows: Sequence[Row]) -> None:
        write_parquet(path, rows, pa.schema([("x", pa.float32())]))

    before = written(tmp_path / "a", single, [{"x": 1.0}])
    assert compare(before, written(tmp_path / "b", single, [{"x": 1.000005}])) == ()
    assert compare(before, written(tmp_path / "c", single, [{"x": 1.001}]))
    double = written(tmp_path / "d", write_people, PEOPLE)
    assert {column.family.value for column in double[0].floats} == {"float64"}


def test_many_rows_in_many_row_groups(tmp_path: Path) -> None:
    numbers = list(range(150_000))
    table = pa.table({"n": numbers, "s": [str(n % 97) for n in numbers],
                      "x": [n / 7 for n in numbers]})  # fmt: skip
    for name in "ab":
        (tmp_path / name).mkdir()
    pq.write_table(table, tmp_path / "a" / "x.parquet")
    back = table.take(pa.array(numbers[::-1]))
    orc.write_table(back, tmp_path / "b" / "x.orc", stripe_size=100_000)
    one, other = digest_outputs(tmp_path / "a"), digest_outputs(tmp_path / "b")
    assert compare(one, other) == ()
    assert one[0].rows == 150_000
    assert one[0].exact == other[0].exact


# ── folders ──────────────────────────────────────────────────────────────────────────────────


def test_a_folder_is_a_table_and_key_value_folders_are_its_columns(tmp_path: Path) -> None:
    for file in ("q1/part-0", "q2/year=2025/k=a%2Fb/part-0",
                 "q2/year=2026/k=__HIVE_DEFAULT_PARTITION__/part-0", "q2/_year=1/part-0",
                 "q2/_temporary/0/part-0", "q2/.hidden/part-0"):  # fmt: skip
        (tmp_path / file).parent.mkdir(parents=True)
        write_people(tmp_path / file, PEOPLE)
    for name in ("_SUCCESS", ".part-0.parquet.crc", "_metadata", "x.crc"):
        (tmp_path / "q1" / name).write_text("to be passed over")
    (tmp_path / "q2" / "_SUCCESS").touch()
    first, second = digest_outputs(tmp_path)
    assert (first.name, first.rows) == ("q1", len(PEOPLE))
    assert first.columns == {"id": "integer", "name": "string", "score": "float64"}
    assert (second.name, second.rows) == ("q2", 3 * len(PEOPLE))
    assert {"year", "k", "_year"} <= second.columns.keys()
    (tmp_path / "q2/year=2025").rename(tmp_path / "q2/year=2024")
    (difference,) = compare((first, second), digest_outputs(tmp_path))
    assert difference.text == "q2: column year differs"


def test_rows_that_lie_in_another_partition_are_found(people: Writer, tmp_path: Path) -> None:
    for name, order in (("a", PEOPLE), ("b", PEOPLE[::-1])):
        for i, row in enumerate(order):
            (tmp_path / name / f"k={i % 2}").mkdir(parents=True, exist_ok=True)
            people(tmp_path / name / f"k={i % 2}" / f"part-{i}", [row])
    before, after = digest_outputs(tmp_path / "a"), digest_outputs(tmp_path / "b")
    assert compare(before, after)
    assert before[0].name == ""


def test_a_single_file_is_a_table(tmp_path: Path) -> None:
    write_people(tmp_path / "x", PEOPLE)
    (alone,) = digest_outputs(tmp_path / "x.parquet")
    assert compare((alone,), digest_outputs(tmp_path)) == ()


def test_two_formats_in_one_folder_are_two_tables(tmp_path: Path) -> None:
    write_people(tmp_path / "x", PEOPLE)
    write_csv(tmp_path / "x", PEOPLE)
    assert [table.name for table in digest_outputs(tmp_path)] == ["(csv)", "(parquet)"]


def test_a_folder_that_spark_finished_without_rows_is_an_empty_table(tmp_path: Path) -> None:
    before = written(tmp_path / "a", write_text)
    after = written(tmp_path / "b", write_text, [], [])
    assert [table.rows for table in (*before, *after)] == [0, 0]
    assert compare(before, after) == ()
    assert compare(before, written(tmp_path / "c", write_text, PEOPLE))
    (tmp_path / "d").mkdir()
    assert digest_outputs(tmp_path / "d") == ()


def test_an_empty_table_still_has_its_columns(tmp_path: Path) -> None:
    for name, kind in (("parquet", write_people), ("orc", write_people_orc)):
        (empty,) = written(tmp_path / name, kind, [])
        assert empty.rows == 0
        assert list(empty.columns) == ["id", "name", "score"]


# ── text ─────────────────────────────────────────────────────────────────────────────────────


def test_a_header_counts_once_whatever_the_number_of_files(tmp_path: Path) -> None:
    one = written(tmp_path / "a", write_with_header, PEOPLE)
    many = written(tmp_path / "b", write_with_header, *([row] for row in PEOPLE), [])
    assert compare(one, many) == ()
    assert one[0].head_text == "id,name,score"
    (difference,) = compare(one, written(tmp_path / "c", write_with_header, changed(0, name="x")))
    assert difference.text == "the output: column _c1 (name) differs"


def test_without_a_header_no_line_is_lost(tmp_path: Path) -> None:
    rows = [{"name": name, "n": n} for name, n in (("x", 1), ("y", 2), ("x", 1), ("z", 3))]
    one = written(tmp_path / "a", write_csv, rows)
    assert compare(one, written(tmp_path / "b", write_csv, rows[::-1])) == ()
    assert compare(one, written(tmp_path / "c", write_csv, rows[1:], rows[:1])) == ()
    assert compare(one, written(tmp_path / "d", write_csv, rows[:2], rows[2:])) == ()
    assert compare(one, written(tmp_path / "e", write_csv, rows[1:]))
    assert compare(one, written(tmp_path / "f", write_csv, [*rows, rows[1]]))


def test_lines_of_numbers_are_no_header(tmp_path: Path) -> None:
    (digest,) = written(tmp_path / "a", write_csv, [{"a": 1, "b": 2.5}], [{"a": 1, "b": 2.5}])
    assert digest.head is None
    assert digest.rows == 2


def test_a_header_in_partition_folders(tmp_path: Path) -> None:
    for name, sizes in (("a", (1, 5)), ("b", (1, 2, 3))):
        rows = iter(PEOPLE)
        for i, size in enumerate(sizes):
            folder = tmp_path / name / f"k={min(i, 1)}"
            folder.mkdir(parents=True, exist_ok=True)
            write_with_header(folder / f"{i}", [next(rows) for _ in range(size)])
    assert compare(digest_outputs(tmp_path / "a"), digest_outputs(tmp_path / "b")) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a;b\n", "a|b\n"),
        ("a,b\n", "a\tb\n"),
        ('1,""\n', "1,\n"),
        ("1,12e4\n", "1,12e5\n"),
        ('1,"a\nb"\n2,"c\nd"\n', '1,"a\nd"\n2,"c\nb"\n'),
        ('1,"say \\"hi\\", twice"\n', '1,"say \\"hi\\", thrice"\n'),
        ("x,1.5\n\n", "x,1.5\n"),
        ("1;2.5;c\n", "1;2.6;c\n"),
        ("a,b,c\n", "a,b\n"),
    ],
)
def test_details_of_csv(before: str, after: str, tmp_path: Path) -> None:
    for name, text in (("a.csv", before), ("b.csv", after)):
        (tmp_path / name).write_text(text)
    one, other = (digest_outputs(tmp_path / name) for name in ("a.csv", "b.csv"))
    assert compare(one, one) == ()
    assert compare(one, other)


def test_records_over_several_lines_are_one_row_each(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('1,"a\n\nb, \\"c\\"\n",2\n3,"plain",4\n')
    (tmp_path / "b.csv").write_text('3,"plain",4\n1,"a\n\nb, \\"c\\"\n",2\n')
    one, other = (digest_outputs(tmp_path / name) for name in ("a.csv", "b.csv"))
    assert one[0].whole.rows == 2
    assert compare(one, other) == ()


def test_a_quote_that_never_ends_loses_nothing(tmp_path: Path) -> None:
    lines = ['1,"open', *(f"{i},x" for i in range(2500))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    (digest,) = digest_outputs(tmp_path / "a.csv")
    assert digest.rows == len(lines)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_noise_in_numbers_passes_whatever_divides_them(mark: str, tmp_path: Path) -> None:
    for name, x in (("a", "0.1"), ("b", "0.10000000000000002"), ("c", '"1.0E-1"'), ("d", "0.11")):
        (tmp_path / f"{name}.csv").write_text(f"k{mark}{x}{mark}Hello world\n")
    one, same, quoted, other = (digest_outputs(tmp_path / f"{name}.csv") for name in "abcd")
    assert compare(one, same) == compare(one, quoted) == ()
    assert compare(one, other)


def test_a_key_that_is_not_there_is_a_null(tmp_path: Path) -> None:
    with_nulls = written(tmp_path / "a", write_json, [{"a": 1, "b": None, "c": {"d": None}}])
    without = written(tmp_path / "b", write_json, [{"c": {}, "a": 1}])
    assert compare(with_nulls, without) == ()
    assert compare(with_nulls, written(tmp_path / "c", write_json, [{"a": 1}]))
    assert compare(with_nulls, written(tmp_path / "d", write_json, [{"a": "1", "c": {}}]))


def test_a_json_document_over_many_lines(tmp_path: Path) -> None:
    document = {"auc": 0.75, "by_class": [{"n": 1, "f1": 0.5}]}
    for name, auc in (("a", 0.75), ("b", 0.75 + 1e-12), ("c", 0.76)):
        text = json.dumps({**document, "auc": auc}, indent=2)
        (tmp_path / f"{name}.json").write_text(text)
    one, same, other = (digest_outputs(tmp_path / f"{name}.json") for name in "abc")
    assert compare(one, same) == ()
    (difference,) = compare(one, other)
    assert difference.column == "auc"


def test_lines_of_text_are_exact(tmp_path: Path) -> None:
    for name, text in (
        ("a", b"x\ny \xff\n0.1"),
        ("b", b"0.1\r\ny \xff\r\nx\r\n"),
        ("c", b"x\ny\n0.1"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part-00000").write_bytes(text)
    one, same, other = (digest_outputs(tmp_path / name) for name in "abc")
    assert compare(one, same) == ()
    assert compare(one, other)


PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": lambda data: gzip.compress(data[:20]) + gzip.compress(data[20:]),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".deflate": zlib.compress,
    ".zst": lambda data: bytes(pa.Codec("zstd").compress(data)),
    ".lz4": lambda data: bytes(pa.Codec("lz4").compress(data)),
}


@pytest.mark.parametrize("ending", list(PACK))
@pytest.mark.parametrize("kind", ["x.csv", "x.json", "x.txt", "part-00000"])
def test_packed_text(kind: str, ending: str, tmp_path: Path) -> None:
    data = b"".join(b'{"a": %d, "b": 1.5}\n' % i for i in range(50))
    for name in "abc":
        (tmp_path / name).mkdir()
    (tmp_path / "a" / kind).write_bytes(data)
    packed = tmp_path / "b" / (kind + ending)
    packed.write_bytes(PACK[ending](data))
    one = digest_outputs(tmp_path / "a")
    assert compare(one, digest_outputs(tmp_path / "b")) == ()
    packed.write_bytes(PACK[ending](data)[:-9])
    with pytest.raises(InputError, match="can't be read"):
        digest_outputs(tmp_path / "b")


# ── what is no table ─────────────────────────────────────────────────────────────────────────


def test_files_of_unknown_kinds_must_have_the_same_contents(tmp_path: Path) -> None:
    for name, contents in (
        ("a", (b"\0one", b"two")),
        ("b", (b"two", b"\0one")),
        ("c", (b"\0one",)),
    ):
        (tmp_path / name).mkdir()
        for i, content in enumerate(contents):
            (tmp_path / name / f"{i}.bin").write_bytes(content)
    one, same, other = (digest_outputs(tmp_path / name) for name in "abc")
    assert compare(one, same) == ()
    assert [difference.text for difference in compare(one, other)] == [
        "the output: 1 row instead of 2"
    ]


def test_files_without_an_ending_go_by_their_first_bytes(tmp_path: Path) -> None:
    write_people(tmp_path / "x", PEOPLE)
    (tmp_path / "x.parquet").rename(tmp_path / "x")
    assert digest_outputs(tmp_path)[0].columns["id"] == "integer"
    (tmp_path / "x").write_bytes(b"SEQ\6\0\0")
    assert digest_outputs(tmp_path)[0].columns == {"content": "file"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.parquet", b"PAR1 and nothing else"),
        ("x.orc", b"ORC and nothing else"),
        ("x.json", b'{"a": 1}\n{"a": \n'),
        ("x.json", b"no JSON at all\n"),
        ("x.json", b"[" * 100_000),
        ("x.csv.gz", b"not packed"),
        ("x.txt.zst", b"not packed"),
        ("x.csv.snappy", b"not understood"),
        ("x.json.xz", b"not packed"),
        ("x.json.deflate", b"not packed"),
    ],
)
def test_a_file_that_can_not_be_read_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as error:
        digest_outputs(tmp_path)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


def test_nothing_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        digest_outputs(tmp_path / "nothing")


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines_module, "MAX_LINE_BYTES", 1 << 20)
    with (tmp_path / "x.txt").open("wb") as file:
        file.truncate(8 << 20)
    with pytest.raises(InputError, match="a line of more than 1 MiB"):
        digest_outputs(tmp_path)


def test_json_with_ever_new_keys_is_refused(tmp_path: Path) -> None:
    written_rows = [{f"k{i}": i} for i in range(10_001)]
    with pytest.raises(InputError, match="10,000 different keys"):
        written(
            tmp_path / "a",
            write_json,
            [dict(pair for row in written_rows for pair in row.items())],
        )


def test_a_job_with_an_own_clock_is_still_compared(tmp_path: Path) -> None:
    def run(name: str, rows: Sequence[Row]) -> tuple[TableDigest, ...]:
        stamped = [{**row, "at": f"{name} {row['id']}"} for row in rows]
        return written(tmp_path / name, write_people_json, stamped)

    baseline = [run("a", PEOPLE), run("b", PEOPLE[::-1])]
    unstable = unstable_parts(baseline)
    assert {part.column for part in unstable if part.column} == {"at"}
    assert compare(baseline[0], run("c", PEOPLE[2:] + PEOPLE[:2]), unstable=unstable) == ()
    (difference,) = compare(baseline[0], run("d", changed(0, name="x")), unstable=unstable)
    assert difference.column == "name"
    (difference,) = compare(baseline[0], run("e", changed(0, score=2.0)), unstable=unstable)
    assert difference.column == "score"
    (difference,) = compare(baseline[0], run("f", PEOPLE[1:]), unstable=unstable)
    assert difference.text == "the output: 5 rows instead of 6"


def test_time_zones_are_one_instant(tmp_path: Path) -> None:
    for name, zone in (("a", "UTC"), ("b", "Europe/Berlin")):
        at = pa.array([datetime(2026, 7, 1, 12, tzinfo=UTC)], pa.timestamp("us", zone))
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"t": at}), tmp_path / name / "x.parquet")
    assert compare(digest_outputs(tmp_path / "a"), digest_outputs(tmp_path / "b")) == ()
