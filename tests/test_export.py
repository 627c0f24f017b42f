"""What is exported can be read back, says what it leaves out, and can be undone."""

from __future__ import annotations

import json
import subprocess
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.domain import Config
from autotune.errors import InputError
from autotune.export import (
    Choice,
    Meta,
    Target,
    escape_key,
    escape_value,
    render,
    rollback,
    withheld,
)

META = Meta(
    study="taxi", date=date(2026, 1, 2), version="0.1.0", gain="1.43× (95 % interval 1.31–1.55)"
)
CHOICE = Choice(
    was=Config(
        properties={
            "spark.driver.memory": "1g",
            "spark.sql.shuffle.partitions": None,
            "spark.memory.fraction": "0.8",
            "spark.io.compression.codec": "lz4",
        },
        arguments={"level": "NONE"},
    ),
    now=Config(
        properties={
            "spark.driver.memory": "4g",
            "spark.sql.shuffle.partitions": "16",
            "spark.memory.fraction": None,
            "spark.io.compression.codec": "lz4",
        },
        arguments={"level": "DISK"},
    ),
    today={
        "spark.driver.memory": "1g",
        "spark.memory.fraction": "0.8",
        "spark.io.compression.codec": "lz4",
        "spark.app.id": "local-17",
        "spark.app.startTime": "1",
        "spark.driver.host": "here",
        "spark.driver.port": "1234",
        "spark.executor.id": "driver",
        "spark.hadoop.fs.s3a.secret.key": "hush-hush",
        "spark.hadoop.fs.s3a.access.key": "who-am-i",
        "spark.jdbc.url": "jdbc://me:open-sesame@host/db",
        "spark.executor.extraJavaOptions": '-Dx="a b" -Dy=$HOME \\n',
    },
    reasons={"spark.sql.shuffle.partitions": "Too many drown short tasks."},
)


def read_properties(text: str) -> dict[str, str]:
    """Read a Java properties file as ``java.util.Properties.load`` describes it."""
    found = {}
    for line in text.split("\n"):
        line = line.lstrip(" \t\f")
        if not line or line[0] in "#!":
            continue
        at = 0
        while at < len(line) and line[at] not in " \t\f=:":
            at += 2 if line[at] == "\\" else 1
        key, rest = line[:at], line[at:].lstrip(" \t\f")
        if rest[:1] in ("=", ":"):
            rest = rest[1:].lstrip(" \t\f")
        found[_unescape(key)] = _unescape(rest)
    return found


def _unescape(text: str) -> str:
    units, at = "", 0
    while at < len(text):
        if text[at] != "\\":
            units, at = units + text[at], at + 1
        elif text[at + 1] == "u":
            units, at = units + chr(int(text[at + 2 : at + 6], 16)), at + 6
        else:
            units, at = (
                units
                + {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}.get(text[at + 1], text[at + 1]),
                at + 2,
            )
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_key_and_value_can_be_read_back(key: str, value: str) -> None:
    line = f"{escape_key(key)}{' ' if value else '='}{escape_value(value)}"
    assert read_properties(line) == {key: value}


def test_conf_has_what_changes_and_nothing_else() -> None:
    text = render(Target.CONF, CHOICE, META)
    assert read_properties(text) == {
        "spark.driver.memory": "4g",
        "spark.sql.shuffle.partitions": "16",
    }
    assert "# Remove spark.memory.fraction (was 0.8)" in text
    assert "# Argument of the job: level = DISK (was NONE)" in text
    for told in ("taxi", "2026-01-02", "0.1.0", "1.43×", "--properties-file"):
        assert told in text


def test_full_conf_has_everything_but_secrets_and_identifiers() -> None:
    text = render(Target.CONF, CHOICE, META, full=True)
    assert read_properties(text) == {
        "spark.driver.memory": "4g",
        "spark.sql.shuffle.partitions": "16",
        "spark.io.compression.codec": "lz4",
        "spark.executor.extraJavaOptions": '-Dx="a b" -Dy=$HOME \\n',
    }
    assert withheld(CHOICE, full=True) == 8
    assert withheld(CHOICE) == 0
    assert "Left out: 8" in text


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize("back", [True, False])
def test_secrets_are_in_no_form(target: Target, back: bool) -> None:
    choice = CHOICE.rolled_back() if back else CHOICE
    text = render(target, choice, META, full=True)
    for secret in ("hush-hush", "who-am-i", "open-sesame", "local-17"):
        assert secret not in text


def test_a_person_names_more_secrets() -> None:
    today = {**CHOICE.today, "spark.redaction.regex": "(?i)codec"}
    choice = CHOICE.model_copy(update={"today": today})
    assert "spark.io.compression.codec" not in render(Target.JSON, choice, META, full=True)
    broken = CHOICE.model_copy(update={"today": {"spark.redaction.regex": "("}})
    with pytest.raises(InputError, match=r"spark\.redaction\.regex"):
        render(Target.CONF, broken, META)


def test_submit_is_what_a_shell_reads() -> None:
    text = render(Target.SUBMIT, CHOICE, META, full=True)
    options = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    shown = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {text[text.index('--driver') :]}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.split("\0")[:-1] == [
        "--driver-memory",
        "4g",
        "--conf",
        'spark.executor.extraJavaOptions=-Dx="a b" -Dy=$HOME \\n',
        "--conf",
        "spark.io.compression.codec=lz4",
        "--conf",
        "spark.sql.shuffle.partitions=16",
    ]
    assert all(line.endswith(" \\") for line in options.splitlines()[:-1])


def test_json_has_old_new_reason_and_source() -> None:
    data = json.loads(render(Target.JSON, CHOICE, META))
    assert list(data) == [
        "spark.driver.memory",
        "spark.memory.fraction",
        "spark.sql.shuffle.partitions",
        "level",
    ]
    assert data["spark.sql.shuffle.partitions"] == {
        "old": None,
        "new": "16",
        "reason": "Too many drown short tasks.",
        "source": "autotune 0.1.0, study taxi, 2026-01-02",
    }
    assert data["spark.memory.fraction"]["new"] is None
    assert data["level"]["argument"] is True


def test_rollback_gives_the_old_values() -> None:
    text = rollback(Target.CONF, CHOICE, META)
    assert read_properties(text) == {"spark.driver.memory": "1g", "spark.memory.fraction": "0.8"}
    assert "# Remove spark.sql.shuffle.partitions (was 16)" in text
    assert "rollback" in text


def test_nothing_changes() -> None:
    kept = CHOICE.model_copy(update={"now": CHOICE.was})
    meta = META.model_copy(update={"gain": None})
    assert read_properties(render(Target.CONF, kept, meta)) == {}
    assert "No gain was confirmed" in render(Target.CONF, kept, meta)
    assert json.loads(render(Target.JSON, kept, meta)) == {}


def test_a_comment_stays_a_comment() -> None:
    meta = META.model_copy(update={"study": "taxi\nspark.evil true"})
    assert "spark.evil" not in read_properties(render(Target.CONF, CHOICE, meta))
    old = CHOICE.was.model_copy(update={"arguments": {"level": "a\nspark.evil true"}})
    choice = CHOICE.model_copy(update={"was": old})
    assert "spark.evil" not in read_properties(render(Target.CONF, choice, meta))
