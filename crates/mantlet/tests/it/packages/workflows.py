"""prefect's client against its server, and a flow that reports to it."""

import asyncio
import json
import os
import sys
import tempfile

url, said = sys.argv[1], {}
home = tempfile.TemporaryDirectory()
os.environ.update(
    PREFECT_HOME=home.name,
    PREFECT_API_URL=f"{url}/api",
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="false",
    PREFECT_LOGGING_LEVEL="ERROR",
)

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName, FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import WorkPool
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.states import Completed, Running, Scheduled
from prefect.variables import Variable
from uuid import UUID


@task(retries=1)
def double(number: int) -> int:
    get_run_logger().error("doubling %s", number)
    return 2 * number


@flow(name="doubling")
def doubling(count: int) -> int:
    create_markdown_artifact("# Doubled", key="doubled")
    return sum(double.map(range(count)).result())


@flow(name="failing")
def failing() -> None:
    raise ValueError("on purpose")


async def scenario() -> None:
    async with get_client() as client:
        said["healthy"] = await client.api_healthcheck() is None
        id = await client.create_flow_from_name("by hand")
        run = await client.create_flow_run(failing, name="run-1", state=Scheduled(), tags=["a", "b"])
        said["state"] = (await client.set_flow_run_state(run.id, Running())).status.value
        said["completed"] = (await client.set_flow_run_state(run.id, Completed(message="done"))).state.type.value
        named = FlowRunFilter(name=FlowRunFilterName(any_=["run-1"]))
        said["runs"] = [[one.name, one.state.type.value, sorted(one.tags)] for one in await client.read_flow_runs(flow_run_filter=named)]
        flows = await client.read_flows(flow_filter=FlowFilter(name=FlowFilterName(like_="hand")), limit=5)
        said["flows"] = [one.name for one in flows]
        deployment = await client.create_deployment(flow_id=id, name="deployed", parameters={"count": 3}, enforce_parameter_schema=False)
        await client.create_flow_run_from_deployment(deployment, parameters={"count": 4})
        said["deployment"] = (await client.read_deployment_by_name("by hand/deployed")).parameters
        await client.create_work_pool(WorkPoolCreate(name="pool", type="process", base_job_template={}))
        said["pools"] = [one.name for one in await client.read_work_pools()]
        await client.send_worker_heartbeat("pool", "worker-1")
        said["workers"] = [one.name for one in await client.read_workers_for_work_pool("pool")]
        await client.create_concurrency_limit("tag", 3)
        said["limit"] = (await client.read_concurrency_limit_by_tag("tag")).concurrency_limit
        said["types"] = len(await client.read_block_types())
        await client.delete_deployment(deployment)
        for ask in (client.read_deployment(deployment), client.read_flow(UUID(int=1)), client.read_work_pool("none")):
            try:
                await ask
            except (ObjectNotFound, PrefectHTTPStatusError) as error:
                said.setdefault("missing", []).append(type(error).__name__)


said["flow"] = doubling(5)
try:
    failing()
except ValueError as error:
    said["failed"] = str(error)
Variable.set("color", {"name": "red", "rgb": [255, 0, 0]})
said["variable"] = Variable.get("color")
asyncio.run(scenario())
print(json.dumps(said))
