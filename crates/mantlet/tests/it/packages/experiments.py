"""MLflow's own client: experiments, runs, tables, files, registered models."""

import json
import os
import sys
import tempfile

os.environ.update(MLFLOW_TRACKING_URI=sys.argv[1], MLFLOW_HTTP_REQUEST_MAX_RETRIES="0", MLFLOW_DISABLE_TELEMETRY="true")

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

said, client = {}, MlflowClient()
mlflow.set_experiment("siege; a/b %2F")
with mlflow.start_run(run_name="first") as run:
    mlflow.log_params({"arrows": 3, "password": "kept"})
    mlflow.log_metrics({"hits": 0.5, "misses": 1.5})
    for step in range(5):
        mlflow.log_metric("distance", step * 1.5, step=step)
    mlflow.set_tag("token", "kept")
    mlflow.log_dict({"secret": "kept", "list": [1, 2]}, "notes/dict é.json")
    mlflow.log_text("a text", "notes/text.txt")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "weights.bin")
        with open(path, "wb") as file:
            file.write(os.urandom(3 << 20))
        mlflow.log_artifact(path)
id = run.info.run_id
said["params"] = client.get_run(id).data.params
said["metrics"] = client.get_run(id).data.metrics
said["tags"] = {key: value for key, value in client.get_run(id).data.tags.items() if not key.startswith("mlflow.")}
said["history"] = [one.value for one in client.get_metric_history(id, "distance")]
said["files"] = sorted(one.path for one in client.list_artifacts(id, "notes")) + sorted(one.path for one in client.list_artifacts(id))
said["dict"] = mlflow.artifacts.load_dict(f"runs:/{id}/notes/dict é.json")
said["size"] = os.path.getsize(client.download_artifacts(id, "weights.bin"))
said["found"] = [one.info.run_name for one in client.search_runs([run.info.experiment_id], "metrics.hits > 0.1")]
client.create_registered_model("catapult", tags={"api_key": "kept"})
version = client.create_model_version("catapult", f"runs:/{id}/notes", id)
client.set_registered_model_alias("catapult", "best", version.version)
said["model"] = [client.get_model_version_by_alias("catapult", "best").version, client.get_registered_model("catapult").tags]
for name, ask in {
    "missing run": lambda: client.get_run("none"),
    "missing model": lambda: client.get_registered_model("none"),
    "twice": lambda: client.create_registered_model("catapult"),
    "bad filter": lambda: client.search_runs(["0"], "metrics.hits >"),
}.items():
    try:
        ask()
    except MlflowException as error:
        said[name] = error.error_code
print(json.dumps(said, sort_keys=True))
