"""The predictor as MLflow serves it: a table of profiles in, a table of configurations out.

MLflow runs this file when the model is loaded (``mlflow models serve``, ``pyfunc.load_model``),
so nothing of the model is code in a pickle; autotune must be installed there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from autotune.predict import Predictor
from autotune.recommendation.table import answers


class Configurations(PythonModel):
    """Answers questions, a row each; see :func:`autotune.recommendation.table.answers`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the files that were registered."""
        folder = Path(context.artifacts["predictor"])
        self._predictor = Predictor.from_files(
            {file.name: file.read_bytes() for file in folder.iterdir()}
        )

    def predict(
        self,
        context: PythonModelContext,
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Recommend a configuration for each row of *model_input*."""
        return answers(self._predictor, model_input)


set_model(Configurations())
