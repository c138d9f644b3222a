"""Models-from-code: MLflow runs this file to bring a model back from its data. So no model needs a pickle."""

import importlib
import json
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc import PythonModel, PythonModelContext


class Served(PythonModel):
    """A model whose module in jobs/models makes it `from_data`."""

    def load_context(self, context: PythonModelContext) -> None:
        """Read the model's data."""
        module = context.model_config["module"]
        if not module.startswith("jobs.models."):
            raise ValueError(f"{module} is no model module")
        data = json.loads(Path(context.artifacts["data"]).read_text(encoding="utf-8"))
        self.model = importlib.import_module(module).from_data(data)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """What the model predicts."""
        predicted: pd.DataFrame = self.model.predict(model_input)
        return predicted


mlflow.models.set_model(Served())
