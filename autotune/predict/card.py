"""Everything about a predictor but its weights: what it was taught, and how good it was."""

from __future__ import annotations

from pydantic import Field

from autotune.domain import Value
from autotune.predict.features import Setting
from autotune.predict.jobs import Knowledge
from autotune.predict.reach import Reach

CARD_VERSION = 2
"""One more whenever the card means something else: an older autotune then leaves it alone."""
SMALLEST_GAIN = 0.03
"""Less than this can't be told from noise on any machine, and is never recommended."""


class Score(Value):
    """How well one kind of model did on what it had not seen."""

    told_regret: float
    """As ``regret``, the default being kept where no gain is sure."""
    regret: float
    """Mean over studies: time of the configuration it would pick ÷ time of the best − 1."""
    rank_correlation: float
    """Mean over studies, Spearman."""
    mae_log_time: float


class Regret(Value):
    """What it costs in one study to follow a model: time ÷ time of the best − 1."""

    told: float
    """The default being kept where no gain is sure."""
    pick: float
    """Whether it is sure or not."""


class RuleScore(Value):
    """How the expert's rules did in the studies that tried them: time ÷ baseline time."""

    studies: int
    median: float
    low: float
    high: float
    """10th and 90th percentile of the studies."""


class Margins(Value):
    """How far from the truth predictions of left-out studies were, in units of :func:`doubt`."""

    low: float
    high: float
    """10th and 90th percentile of log(time) − prediction."""
    sure: float
    """What is predicted to be faster by more than this was hardly ever slower."""


class ModelCard(Value):
    """Everything about a predictor but its weights."""

    schema_version: int = CARD_VERSION
    settings: tuple[Setting, ...]
    columns: tuple[str, ...]
    model: str
    scores: dict[str, Score]
    """Of every model that competed."""
    grouped_by: str
    """What was left out as a whole: ``workload``, or ``study`` where there was one workload."""
    margins: dict[Knowledge, Margins]
    """By what is known of the job; always for ``nothing``."""
    failure_prior: float
    ranges: dict[str, tuple[float, float]]
    """Context feature → smallest and largest value seen in training."""
    reach: dict[Knowledge, Reach]
    """As ``margins``."""
    rules: RuleScore | None = None
    """``None``: no study tried them."""
    workloads: tuple[str, ...]
    studies: int = Field(ge=1)
    configs: int
    study_regrets: dict[str, Regret]
    """Workload/study → what it costs there to follow a model that had not seen it."""
    training_hash: str

    @property
    def score(self) -> Score:
        """That of the model which was chosen."""
        return self.scores[self.model]
