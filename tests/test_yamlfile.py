"""Files from outside: safe, small, flat, and one clear line when they are not."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.domain import Limits, Machine
from autotune.draft import WorkloadDraft
from autotune.errors import InputError
from autotune.yamlfile import parse_yaml, read_yaml, validate


def laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, levels):
        one = f"*a{level - 1}"
        lines.append(f"a{level}: &a{level} [{', '.join([one] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2", "line 2: 'a' is given twice"),
        ("a:\n  b: 1\n  b: 2", "line 3: 'b' is given twice"),
        (laughs(12), "too many aliases"),
        ("[" * 60 + "]" * 60, "nested too deeply"),
        ("a: [1", "line 1: "),
        ("a: !!python/name:os.system", "could not determine a constructor"),
        ("? [a, b]\n: 1", "a key is not plain text"),
        ("b: &b {x: 1}\na:\n  <<: *b", "merge keys (<<) are not supported"),
        ("a: 1\n---\nb: 2", "but found another document"),
        ("a: \x00", "x.yaml: "),
        ("a: 2026-13-45", "x.yaml: "),
    ],
)
def test_what_is_wrong_is_told_in_one_line(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, where="x.yaml")
    assert str(caught.value).startswith("x.yaml: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InputError):
        parse_yaml(text, where="x.yaml")


def test_plain_values_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text("\ufeffa: 1\nb: [x, null, true, 1.5]\nc: &c {d: e}\nf: *c\n")
    assert read_yaml(path) == {
        "a": 1,
        "b": ["x", None, True, 1.5],
        "c": {"d": "e"},
        "f": {"d": "e"},
    }


def test_unreadable_files(tmp_path: Path) -> None:
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * 1_000_001)
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    for path, told in [
        (big, "larger than 1 MB"),
        (binary, "not UTF-8"),
        (tmp_path, "is a directory"),
        (tmp_path / "none.yaml", "no such file"),
    ]:
        with pytest.raises(InputError, match=told):
            read_yaml(path)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"time_s": -1}, "f.yaml: time_s: input should be greater than 0, not -1"),
        ({"time": 1}, "f.yaml: time: unknown key; known: time_s"),
        ([], "f.yaml: input should be a valid dictionary"),
    ],
)
def test_models_name_file_and_key(data: object, told: str) -> None:
    with pytest.raises(InputError) as caught:
        validate(Limits, data, where="f.yaml")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_counts_the_rest() -> None:
    with pytest.raises(InputError, match=r"f: master: is missing; add it \(and 3 more\)"):
        validate(Machine, {}, where="f")


SMALL_BOMB = "\n".join(
    ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 11)]
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SMALL_BOMB, "too many aliases"),
        ("a: &a [1, *a]", "an alias inside of what it stands for"),
        ("- a\n" * 30_000, "too many values"),
        ("a: &a '" + "x" * 200_000 + "'\nb: [" + "*a, " * 9 + "]", "too many aliases"),
        ("a: " + "1:" * 200 + "00", "a number that is too long"),
        ("a: !!bool perhaps", "does not fit its tag"),
        ("a: !!float x", "could not convert"),
        ('a: "\\ud800"', "half a character"),
        ('"a\\nb\\e[31m": 1\n"a\\nb\\e[31m": 2', "is given twice"),
    ],
)
def test_what_would_grow_or_confuse_is_refused_in_one_line(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_yaml(text, where="x.yaml")
    assert told in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_a_message_does_not_quote_what_should_be_secret() -> None:
    for data in (
        {"builtin": ["hunter2"], "conf": {"spark.my.password": ["hunter2"]}},
        {"conf": [{"spark.my.password": "hunter2"}]},
        {"sql": ["jdbc:x://h?user=u&password=hunter2"]},
    ):
        with pytest.raises(InputError) as caught:
            validate(WorkloadDraft, {**data, "builtin": "taxi"}, where="x.yaml: workload")
        assert "hunter2" not in str(caught.value)


def test_a_large_file_is_refused_by_its_size(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as out:
        out.truncate(100 << 20)
    with pytest.raises(InputError, match="larger than 1 MB"):
        read_yaml(path)
