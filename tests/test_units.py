from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotune.errors import InputError
from autotune.units import format_bytes, format_duration, parse_duration_s, parse_size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1.5h", 5400), (30, 30), ("250ms", 0.25)],
)
def test_reads_durations(text: str | float, seconds: float) -> None:
    assert parse_duration_s(text, where="--timeout") == seconds


@pytest.mark.parametrize("text", ["", "fast", "-3s", "0s", "2 weeks", "s", "1h30"])
def test_refuses_what_is_no_duration(text: str) -> None:
    with pytest.raises(InputError, match=r"^--timeout: .*90s, 15m or 2h$"):
        parse_duration_s(text, where="--timeout")


@pytest.mark.parametrize(
    ("text", "size"),
    [("512m", 512 << 20), ("8g", 8 << 30), ("1.5 GiB", 3 << 29), ("4KB", 4096), (77, 77)],
)
def test_reads_sizes(text: str | int, size: int) -> None:
    assert parse_size_bytes(text, where="--execution-memory") == size


@pytest.mark.parametrize("text", ["", "much", "-3g", "0", "0.1", "1e9", "8x", "nan", "9" * 99])
def test_refuses_what_is_no_size(text: str) -> None:
    with pytest.raises(InputError, match=r"^budget: execution_disk: .*512m or 8g$"):
        parse_size_bytes(text, where="budget: execution_disk")


@given(st.floats(min_value=0.01, max_value=1e6))
def test_a_number_of_seconds_reads_back(seconds: float) -> None:
    assert parse_duration_s(f"{seconds:.3f}s", where="x") == pytest.approx(seconds, abs=0.001)


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.34, "8.3 s"), (125, "2 min 05 s"), (4200, "1 h 10 min")]
)
def test_writes_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(512, "512 B"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB")]
)
def test_writes_sizes(count: int, text: str) -> None:
    assert format_bytes(count) == text
