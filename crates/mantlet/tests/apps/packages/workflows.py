"""prefect: the server of a workflow engine, its database in memory."""

import os
import tempfile

os.environ.update(
    PREFECT_HOME=tempfile.mkdtemp(),
    PREFECT_API_DATABASE_CONNECTION_URL="sqlite+aiosqlite:///:memory:",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    PREFECT_LOGGING_SERVER_LEVEL="ERROR",
    PREFECT_API_BLOCKS_REGISTER_ON_START="false",
    PREFECT_UI_ENABLED="false",
)

from prefect.server.api.server import create_app

app = create_app(webserver_only=True)
