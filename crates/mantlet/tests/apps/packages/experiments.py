"""MLflow: a server of experiments, models and their files, most of it Flask behind FastAPI."""

import os
import tempfile

folder = tempfile.mkdtemp()
os.environ.update(
    _MLFLOW_SERVER_FILE_STORE=f"sqlite:///{folder}/mlflow.db",
    _MLFLOW_SERVER_REGISTRY_STORE=f"sqlite:///{folder}/mlflow.db",
    _MLFLOW_SERVER_ARTIFACT_ROOT="mlflow-artifacts:/",
    _MLFLOW_SERVER_ARTIFACT_DESTINATION=f"{folder}/artifacts",
    _MLFLOW_SERVER_SERVE_ARTIFACTS="true",
    MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false",
    MLFLOW_DISABLE_TELEMETRY="true",
)

from mlflow.server.fastapi_app import app
