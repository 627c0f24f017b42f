"""How long a job will take with a configuration, relative to the one it has: scikit-learn.

What is learned is log(time ÷ time of the baseline on the same data), from studies of any job, on
features that are relative to the machine and the data.
"""

from __future__ import annotations

from autotune.predict.card import ModelCard, Regret, RuleScore, Score
from autotune.predict.fitting import fit, left_out_regrets
from autotune.predict.predictor import Prediction, Predictor, shipped_files
from autotune.predict.scoring import regrets

__all__ = [
    "ModelCard",
    "Prediction",
    "Predictor",
    "Regret",
    "RuleScore",
    "Score",
    "fit",
    "left_out_regrets",
    "regrets",
    "shipped_files",
]
