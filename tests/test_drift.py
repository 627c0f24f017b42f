from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autotune.drift import USUAL_NOISE, levels


def study(random: np.random.Generator, executions: int = 40, drift: float = 0.1):
    """Return when, which and what of a study on a machine that drifts; and the true levels."""
    group = np.arange(executions)
    group[[0, 1, 2, *range(5, executions, 5)]] = 0
    _, group = np.unique(group, return_inverse=True)
    at_s = 60.0 * np.arange(executions)
    true = 0.3 * random.standard_normal(group.max() + 1)
    wave = drift * np.sin(at_s / 400 + random.uniform(0, 6))
    return at_s, group, true[group] + wave + 0.02 * random.standard_normal(executions), true


def errors(estimate: np.ndarray, true: np.ndarray) -> float:
    return float(np.median(np.abs((estimate - estimate[0]) - (true - true[0]))))


def test_drift_is_taken_out_of_what_was_measured_once() -> None:
    random = np.random.default_rng(1)
    raw, corrected = [], []
    for _ in range(20):
        at_s, group, logs, true = study(random)
        naive = np.array([logs[group == g].mean() for g in range(len(true))])
        raw.append(errors(naive, true))
        corrected.append(errors(levels(at_s, group, logs).level, true))
    assert np.mean(corrected) < 0.6 * np.mean(raw)


def test_a_steady_machine_is_left_alone() -> None:
    at_s, group, logs, _ = study(np.random.default_rng(2), drift=0.0)
    found = levels(at_s, group, logs)
    assert np.abs(found.drift).max() < 0.02
    assert found.noise < USUAL_NOISE


def test_a_burst_hardly_moves_a_level() -> None:
    random = np.random.default_rng(3)
    logs = 0.03 * random.standard_normal(9)
    logs[4] = np.log(2.0)
    group = np.zeros(9, dtype=np.int64)
    found = levels(60.0 * np.arange(9), group, logs)
    assert abs(found.level[0]) < abs(logs.mean()) / 2


def test_without_repeats_it_is_what_was_measured() -> None:
    found = levels(np.arange(3.0), np.arange(3), np.log([10.0, 11.0, 12.0]))
    assert np.exp(found.level) == pytest.approx([10, 11, 12])
    assert found.error == pytest.approx([USUAL_NOISE] * 3)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-1e9, 1e9), st.integers(0, 3), st.floats(-20, 20)),
        min_size=1,
        max_size=12,
    ),
    st.floats(-5, 5),
)
@example([(0.0, 0, 0.0), (0.0, 0, 1.0), (0.5, 1, 0.0), (42236.0, 1, 2.5)], 3.0)
def test_another_unit_moves_all_levels_alike(
    rows: list[tuple[float, int, float]], shift: float
) -> None:
    at_s = np.array([row[0] for row in rows])
    _, group = np.unique([row[1] for row in rows], return_inverse=True)
    logs = np.array([row[2] for row in rows])
    found, moved = levels(at_s, group, logs), levels(at_s, group, logs + shift)
    assert np.isfinite(found.level).all()
    assert (found.error > 0).all()
    assert moved.level - shift == pytest.approx(found.level, abs=1e-5)
