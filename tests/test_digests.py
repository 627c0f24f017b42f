"""Digests add up, survive JSON, and differ exactly where the answers do."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.digests import (
    BUCKETS,
    Difference,
    FloatColumn,
    FloatFamily,
    Part,
    PartKind,
    TableDigest,
    compare,
    merged,
    unstable_parts,
)


def exact_of(number: int) -> str:
    return f"{number:016x}{number * 7:016x}"


def floats(name: str = "x", *values: float, **more: object) -> FloatColumn:
    """Number i is in bucket i."""
    sums = (*values, *[0.0] * (BUCKETS - len(values)))
    return FloatColumn.model_validate(
        {
            "name": name,
            "finite": len(values),
            "sums": sums,
            "absolute_sums": tuple(map(abs, sums)),
            "weighted_sums": tuple(value / 2 for value in sums),
            "minimum": min(values, default=None),
            "maximum": max(values, default=None),
            **more,
        }
    )


def table(
    name: str = "q05",
    rows: int = 3,
    exact: int = 1,
    columns: Sequence[tuple[str, int]] = (("k", 1),),
    numbers: Sequence[FloatColumn] = (),
    head_text: str | None = None,
) -> TableDigest:
    head = TableDigest(name=name, rows=1, exact=exact_of(5), columns={"k": "integer"})
    return TableDigest(
        name=name,
        rows=rows,
        columns={
            **{column: "integer" for column, _ in columns},
            **{number.name: number.family.value for number in numbers},
        },
        exact=exact_of(exact),
        column_digests={column: exact_of(digest) for column, digest in columns},
        floats=tuple(numbers),
        head=head if head_text else None,
        head_text=head_text,
    )


def said(differences: Sequence[Difference]) -> list[str]:
    return [difference.text for difference in differences]


def test_the_same_answer_has_no_difference() -> None:
    tables = (table("a"), table("b", numbers=[floats("x", 1, 2)]))
    assert compare(tables, tables) == ()
    assert compare(tables, tables[::-1]) == ()
    assert compare((), ()) == ()


def test_a_missing_and_a_new_table_are_named() -> None:
    assert said(compare((table("q07"),), ())) == ["table q07 is missing"]
    assert said(compare((), (table("q07"),))) == ["table q07 was not there before"]
    (missing,) = compare((table(""),), ())
    assert missing.text == "the output's own table is missing"
    assert missing.part == Part(table="", kind=PartKind.TABLE)


def test_rows_are_named_first_and_alone() -> None:
    other = table(rows=10_000, exact=2, columns=[("k", 2)])
    (difference,) = compare((table(rows=12),), (other,))
    assert difference.text == "q05: 10,000 rows instead of 12"
    assert difference.table == "q05"
    assert difference.column is None


def test_the_columns_that_differ_are_named() -> None:
    one = table(exact=1, columns=[("a", 1), ("b", 2), ("c", 3)])
    other = table(exact=2, columns=[("a", 1), ("b", 9), ("d", 3)])
    assert said(compare((one,), (other,))) == [
        "q05: column b differs",
        "q05: column c is missing",
        "q05: column d was not there before",
    ]


def test_another_type_is_another_answer() -> None:
    one = table()
    other = one.model_copy(update={"columns": {"k": "string"}})
    assert said(compare((one,), (other,))) == ["q05: column k is string instead of integer"]


def test_values_that_changed_rows_are_found() -> None:
    (difference,) = compare((table(exact=1),), (table(exact=2),))
    assert difference.part.kind is PartKind.PAIRING
    assert "together in other rows" in difference.text


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (floats("revenue", 5, 7.7), "(sum 12.5 → 12.7, tolerance 1e-06)"),
        (floats("revenue", 5, 7.5, nulls=1), "(nulls 0 → 1)"),
        (floats("revenue", 5, 7.5, nans=2), "(NaN 0 → 2)"),
        (floats("revenue", 5, 7.5, negative_infinities=1), "(-Infinity 0 → 1)"),
        (floats("revenue", 5, 7.5, finite=3), "(numbers 2 → 3)"),
        (floats("revenue", 5, 7.5, minimum=4.9), "(smallest 5 → 4.9, tolerance 1e-06)"),
        (floats("revenue", 5, 7.5, maximum=8), "(largest 7.5 → 8, tolerance 1e-06)"),
        (
            floats("revenue", 7.5, 5, minimum=5, maximum=7.5),
            "(the same sum, but of other values, tolerance 1e-06)",
        ),
        (
            floats("revenue", 5, 7.5, weighted_sums=(2.6, *[0.0] * 7)),
            "(the same sum, but of other values, tolerance 1e-06)",
        ),
    ],
)
def test_what_differs_in_numbers_is_said(changed: FloatColumn, text: str) -> None:
    before, after = (table(numbers=[c]) for c in (floats("revenue", 5, 7.5), changed))
    assert said(compare((before,), (after,))) == [f"q05: column revenue differs {text}"]


@given(st.lists(st.floats(-1e12, 1e12), min_size=BUCKETS, max_size=BUCKETS))
def test_noise_of_rounding_passes(values: list[float]) -> None:
    before = table(numbers=[floats("x", *values)])
    after = table(numbers=[floats("x", *(value * (1 + 1e-9) for value in values))])
    assert compare((before,), (after,)) == ()


def test_the_tolerance_is_adjustable_and_wider_for_single_precision() -> None:
    before, after = (table(numbers=[floats("x", value)]) for value in (1.0, 1.000005))
    assert compare((before,), (after,))
    assert compare((before,), (after,), tolerance=1e-5) == ()
    single = {"family": FloatFamily.FLOAT32}
    pair = [table(numbers=[floats("x", value, **single)]) for value in (1.0, 1.000005)]
    assert compare(pair[:1], pair[1:]) == ()
    wrong = table(numbers=[floats("x", 1.001, **single)])
    assert "tolerance 1e-05" in compare(pair[:1], (wrong,))[0].text


def test_sums_that_overflow_are_still_compared() -> None:
    huge = floats("x", *[sys.float_info.max] * BUCKETS)
    twice = merged(table(numbers=[huge]), table(numbers=[huge]))
    assert compare((twice,), (twice,)) == ()
    assert TableDigest.model_validate_json(twice.model_dump_json()) == twice


# ── pieces ───────────────────────────────────────────────────────────────────────────────────


def test_pieces_add_up_in_any_order() -> None:
    pieces = [
        table(rows=i, exact=2**63 + i, columns=[("k", i), (f"only{i}", i)],
              numbers=[floats("x", i), floats(f"y{i}", 1)])
        for i in (1, 2, 3)
    ]  # fmt: skip
    left = merged(merged(pieces[0], pieces[1]), pieces[2])
    right = merged(pieces[2], merged(pieces[1], pieces[0]))
    assert left == right
    assert left.rows == 6
    assert left.floats[0].sums[0] == 6
    assert (left.floats[0].minimum, left.floats[0].maximum) == (1, 3)
    nothing = TableDigest(name="q05")
    assert merged(nothing, left) == merged(left, nothing) == left


def test_pieces_of_two_types_say_so() -> None:
    one = table()
    other = one.model_copy(update={"columns": {"k": "string"}})
    both = merged(one, other)
    assert both.columns == {"k": "integer or string"}
    assert merged(both, other).columns == both.columns


def test_a_digest_survives_json() -> None:
    digest = table(numbers=[floats("x", 1.5)], head_text="a,b")
    assert TableDigest.model_validate_json(digest.model_dump_json()) == digest


# ── lines that may be a header ───────────────────────────────────────────────────────────────


def test_lines_that_all_pieces_share_stay_aside() -> None:
    both = merged(table(head_text="a,b"), table(head_text="a,b"))
    assert (both.head_text, both.rows) == ("a,b", 6)
    assert both.head is not None
    assert both.head.rows == 2
    mixed = merged(both, table(head_text="c,d"))
    assert (mixed.head, mixed.head_text, mixed.rows) == (None, None, 9 + 3)
    assert mixed == merged(table(head_text="c,d"), both)
    assert both.whole.rows == 8
    empty = TableDigest(name="q05")
    assert merged(merged(empty, table(head_text="a,b")), empty).head_text == "a,b"
    assert merged(table(head_text="a,b"), table()).rows == 7


def test_one_file_with_a_header_is_five_with_it() -> None:
    head = "_k,revenue"
    one = table(rows=10, head_text=head)
    five = merged(table(rows=10, head_text=head), table(rows=0, exact=0, columns=[("k", 0)],
                                                        head_text=head))  # fmt: skip
    assert compare((one,), (five,)) == ()


def test_one_file_without_a_header_is_several_without() -> None:
    one = table(rows=10, head_text="first,row")
    several = one.whole
    assert several.head is None
    assert compare((one,), (several,)) == compare((several,), (one,)) == ()


def test_the_header_names_the_columns() -> None:
    before, after = (
        table(columns=[("_c0", 1), ("_c1", digest)], head_text='"id",revenue') for digest in (1, 2)
    )
    assert said(compare((before,), (after,))) == ["q05: column _c1 (revenue) differs"]


# ── jobs that are not deterministic ──────────────────────────────────────────────────────────


def test_repeats_that_agree_leave_nothing_unstable() -> None:
    repeats = [(table("a"), table("b", numbers=[floats("x", 1 + i * 1e-9)])) for i in range(3)]
    assert unstable_parts(repeats) == frozenset()
    assert unstable_parts(repeats[:1]) == unstable_parts([]) == frozenset()


def test_what_differs_between_repeats_is_unstable() -> None:
    repeats = [
        (table("a", exact=i, columns=[("id", i), ("k", 1)], numbers=[floats("x", i)]),
         table("b", rows=i), *([table("c")] if i else []))
        for i in range(2)
    ]  # fmt: skip
    assert unstable_parts(repeats) == {
        Part(table="a", kind=PartKind.COLUMN, column="id"),
        Part(table="a", kind=PartKind.FLOATS, column="x"),
        Part(table="a", kind=PartKind.PAIRING),
        Part(table="b", kind=PartKind.ROWS),
        Part(table="c", kind=PartKind.TABLE),
    }
    for other in repeats:
        assert compare(repeats[0], other, unstable=unstable_parts(repeats)) == ()


def unstable_id(
    draw: int, *, k: int = 1, rows: int = 3, x: Sequence[float] = (1, 2)
) -> TableDigest:
    return table(exact=draw, columns=[("id", draw), ("k", k)], rows=rows,
                 numbers=[floats("x", *x)])  # fmt: skip


def test_beside_an_unstable_column_the_others_are_still_compared() -> None:
    unstable = unstable_parts([(unstable_id(1),), (unstable_id(2),)])
    before = (unstable_id(1),)

    def texts(after: TableDigest) -> list[str]:
        return said(compare(before, (after,), unstable=unstable))

    assert texts(unstable_id(3)) == []
    assert texts(unstable_id(3, x=(2, 1))) == []  # other buckets, the same total
    assert texts(unstable_id(3, rows=4)) == ["q05: 4 rows instead of 3"]
    assert texts(unstable_id(3, k=2)) == ["q05: column k differs"]
    assert texts(unstable_id(3, x=(1, 3))) == [
        "q05: column x differs (sum 3 → 4, tolerance 1e-06)"
    ]


def test_where_the_rows_are_unstable_nothing_of_them_is_blamed() -> None:
    repeats = [(table(rows=i, exact=i, columns=[("k", i)], numbers=[floats("x", i)]),)
               for i in (1, 2)]  # fmt: skip
    other = table(rows=7, exact=7, columns=[("k", 7)], numbers=[floats("x", 7)])
    assert compare(repeats[0], (other,), unstable=unstable_parts(repeats)) == ()


def test_an_unstable_float_column_leaves_the_rows_comparable() -> None:
    repeats = [(table(numbers=[floats("x", i), floats("y", 1, 2)]),) for i in (1, 2)]
    unstable = unstable_parts(repeats)
    assert unstable == {Part(table="q05", kind=PartKind.FLOATS, column="x")}
    moved = table(numbers=[floats("x", 9), floats("y", 2, 1)])
    assert said(compare(repeats[0], (moved,), unstable=unstable)) == [
        "q05: column y differs (the same sum, but of other values, tolerance 1e-06)"
    ]
    paired = table(exact=4, numbers=[floats("x", 9), floats("y", 1, 2)])
    (difference,) = compare(repeats[0], (paired,), unstable=unstable)
    assert difference.part.kind is PartKind.PAIRING
