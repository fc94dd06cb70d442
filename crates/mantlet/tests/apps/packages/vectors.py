"""ChromaDB: a vector database, in memory."""

import os

os.environ.update(ALLOW_RESET="TRUE", IS_PERSISTENT="FALSE", ANONYMIZED_TELEMETRY="False")

from chromadb.app import app
