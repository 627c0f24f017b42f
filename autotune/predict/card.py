"""Everything about a predictor but its weights: what it was taught, and how good it was."""

from __future__ import annotations

from pydantic import Field

from autotune.domain import Value, WorkloadProfile
from autotune.predict.features import Setting
from autotune.predict.jobs import Knowledge, knowledge_of
from autotune.predict.reach import Reach

CARD_VERSION = 2
"""One more whenever the card means something else: an older autotune then leaves it alone."""


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
    """How far from the truth predictions of left-out studies were, in units of ``doubt``."""

    low: float
    high: float
    """10th and 90th percentile of log(time) − prediction."""
    sure: float
    """What is predicted to be faster by more than this was hardly ever slower."""
    high_if_sure: float
    """As ``high``, where so much is predicted."""


class ModelCard(Value):
    """Everything about a predictor but its weights."""

    schema_version: int = CARD_VERSION
    settings: tuple[Setting, ...]
    columns: tuple[str, ...]
    models: dict[Knowledge, str]
    """What answers, by what is known of the job, most first; always for ``nothing``."""
    scores: dict[Knowledge, dict[str, Score]]
    """Of every model that competed."""
    grouped_by: str
    """What was left out as a whole: ``workload``, or ``study`` where there was one workload."""
    margins: dict[Knowledge, Margins]
    failure_prior: float
    ranges: dict[str, tuple[float, float]]
    """Context feature → smallest and largest value seen in training."""
    reach: dict[Knowledge, Reach]
    rules: RuleScore | None = None
    """``None``: no study tried them."""
    workloads: tuple[str, ...]
    studies: int = Field(ge=1)
    configs: int
    study_regrets: dict[str, Regret]
    """``Lessons.key`` of a study → what it costs there to follow a model that had not seen it."""
    training_hash: str

    def known(self, job: WorkloadProfile | None) -> Knowledge:
        """Return as what a question about *job* is answered."""
        knowledge = knowledge_of(job)
        return knowledge if knowledge in self.models else Knowledge.NOTHING

    @property
    def most(self) -> Knowledge:
        """The most that was known of the jobs it was learned from."""
        return next(knowledge for knowledge in Knowledge if knowledge in self.models)

    @property
    def model(self) -> str:
        """What answers where most is known."""
        return self.models[self.most]

    @property
    def score(self) -> Score:
        """That of :attr:`model`."""
        return self.scores[self.most][self.model]
