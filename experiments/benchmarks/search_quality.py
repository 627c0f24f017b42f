"""How many executions a search needs, on simulated surfaces whose best is known.

Prints, for our own proposals and for plain Optuna (random, TPE with its defaults, both given the
baseline first), the executions until a config within 5 % of the best known was measured, and how
far the best config of a budget is from it. Failed executions count.

    python experiments/benchmarks/search_quality.py --surfaces 5 --seeds 5 --trials 60
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path

import optuna

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from autotune import noise  # noqa: E402
from autotune.distributions import distributions  # noqa: E402
from autotune.domain import Config, Limits, Objective  # noqa: E402
from autotune.experiment import Sampler  # noqa: E402
from autotune.record import Execution, Origin, Purpose, Trial  # noqa: E402
from autotune.search import propose  # noqa: E402
from autotune.space import BoundSpace  # noqa: E402
from surfaces import WORKLOAD, Surface, bound_space  # noqa: E402

NEAR = 1.05
BUDGETS = (15, 30, 60)
LIMITS = Limits(time_s=135)
Searching = Iterator[tuple[Config, Callable[[Execution], None]]]


def ours(sampler: Sampler, bound: BoundSpace, seed: int) -> Searching:
    """Propose as `autotune tune` does, without its repeats."""
    trials: list[Trial] = []

    def record(config: Config, execution: Execution) -> None:
        trials.append(
            Trial(
                number=len(trials),
                purpose=Purpose.SEARCH,
                origin=Origin.SAMPLER,
                config=config,
                limits=LIMITS,
                execution=execution,
            )
        )

    yield bound.baseline, partial(record, bound.baseline)
    while True:
        known = noise.candidates(trials, Objective.DURATION_S)
        config = propose(known, bound, sampler=sampler, seed=seed, number=len(trials))
        if config is None:
            return
        yield config, partial(record, config)


def plain(
    make: Callable[[int], optuna.samplers.BaseSampler], bound: BoundSpace, seed: int
) -> Searching:
    """Use Optuna as its tutorial does: ask, tell, and FAIL for what failed."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=make(seed))
    described = distributions(bound.dimensions)
    study.enqueue_trial(bound.encode(bound.baseline))
    while True:
        trial = study.ask(described)

        def record(execution: Execution, trial: optuna.Trial = trial) -> None:
            if execution.duration_s is None:
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            else:
                study.tell(trial, execution.duration_s)

        yield bound.decode(trial.params), record


METHODS: dict[str, Callable[[BoundSpace, int], Searching]] = {
    "autotune tpe": partial(ours, Sampler.TPE),
    "autotune qmc": partial(ours, Sampler.QMC),
    "autotune random": partial(ours, Sampler.RANDOM),
    "optuna tpe": partial(plain, lambda seed: optuna.samplers.TPESampler(seed=seed)),
    "optuna random": partial(plain, lambda seed: optuna.samplers.RandomSampler(seed=seed)),
}


def study(
    method: str, trials: int, noise_level: float, case: tuple[int, int]
) -> tuple[list[float], float, int]:
    """Return regret after each execution (true time over best known), our seconds, failures."""
    surface_seed, seed = case
    bound = bound_space()
    surface = Surface(bound, seed=surface_seed, noise=noise_level)
    best, regrets, failed, spent_s = float("inf"), [], 0, 0.0
    searching = METHODS[method](bound, seed)
    for _ in range(trials):
        began = time.process_time()
        config, record = next(searching)
        execution = surface(WORKLOAD, config, LIMITS, lambda checkpoint: False)
        record(execution)
        spent_s += time.process_time() - began
        if execution.duration_s is None:
            failed += 1
        else:
            best = min(best, surface.true_s(config) / surface.best_s)
        regrets.append(best)
    return regrets, spent_s / trials, failed


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--surfaces", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=max(BUDGETS))
    parser.add_argument("--noise", type=float, default=0.06)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    options = parser.parse_args()
    budgets = [count for count in BUDGETS if count <= options.trials]
    cases = list(product(range(options.surfaces), range(options.seeds)))
    print(
        f"{len(cases)} studies a method, noise {options.noise:.0%};"
        f" near: within {NEAR - 1:.0%} of the best known"
    )
    columns = "".join(f"{f'regret@{count}':>11}" for count in budgets)
    print(f"{'method':<17}{'to near':>9}{'never':>7}{columns}{'failed':>8}{'ms/trial':>10}")
    with ProcessPoolExecutor(max_workers=2) as pool:
        for method in options.methods:
            run = partial(study, method, options.trials, options.noise)
            found = list(pool.map(run, cases))
            near = [
                next((i + 1 for i, regret in enumerate(regrets) if regret <= NEAR), None)
                for regrets, _, _ in found
            ]
            reached = [count if count is not None else options.trials + 1 for count in near]
            middle = statistics.median(reached)
            shown = f"{middle:.0f}" if middle <= options.trials else f">{options.trials}"
            regret = "".join(
                f"{statistics.median(regrets[count - 1] for regrets, _, _ in found):>11.3f}"
                for count in budgets
            )
            failed = sum(failures for _, _, failures in found) / (len(cases) * options.trials)
            ms = 1000 * statistics.median(seconds for _, seconds, _ in found)
            print(
                f"{method:<17}{shown:>9}{near.count(None):>7}{regret}{failed:>8.1%}{ms:>10.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
