"""ChromaDB's own tests of its interface, by its own client, against a server elsewhere."""

import json
import os
import sys
from urllib.parse import urlsplit

address = urlsplit(sys.argv[1])
os.environ.update(
    CHROMA_INTEGRATION_TEST="1",
    CHROMA_INTEGRATION_TEST_ONLY="1",
    CHROMA_SERVER_HOST=address.hostname,
    CHROMA_SERVER_HTTP_PORT=str(address.port),
    ALLOW_RESET="TRUE",
    ANONYMIZED_TELEMETRY="False",
)

import chromadb
import pytest

# Those that need a network, another server or a file of its own fail everywhere. Both clients speak alike: one is enough.
LEFT_OUT = ["async_integration", "local_persist", "ssl", "default_embedding", "query_id_filtering", "cow", "multithreaded"]


class Outcomes:
    def __init__(self):
        self.of = {}

    def pytest_runtest_logreport(self, report):
        if report.when == "call" or report.outcome == "failed":
            self.of[report.nodeid.rpartition("/")[2]] = report.outcome


outcomes = Outcomes()
os.chdir(os.path.dirname(os.path.dirname(chromadb.__file__)))
files = sys.argv[2:] or ["chromadb/test/test_api.py"]
out = os.dup(1)
os.dup2(2, 1)
pytest.main(
    ["-q", "-p", "no:cacheprovider", "--tb=no", "-k", " and ".join(f"not {name}" for name in LEFT_OUT), *files],
    plugins=[outcomes],
)
os.dup2(out, 1)
print(json.dumps(outcomes.of, sort_keys=True))
