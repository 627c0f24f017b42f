"""The durable record of studies, in an Optuna storage: the one truth about what was measured.

One Optuna study per experiment, one Optuna trial per execution, with the whole
:class:`~autotune.record.Trial` as one attribute that is set before the trial is told. Values are
raw and never edited. ``optuna-dashboard`` opens the same storage.
"""

from __future__ import annotations

from autotune.study.listing import StudyInfo, StudyRecord, list_studies, load_study
from autotune.study.writing import Study, open_study

__all__ = ["Study", "StudyInfo", "StudyRecord", "list_studies", "load_study", "open_study"]
