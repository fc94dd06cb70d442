"""Settings, from the environment or as they are here."""

import os

DATABASE_URL = os.getenv("DATABASE_URL", "sqlite:///./workspace.db")
ATTACHMENTS = os.getenv("ATTACHMENTS", "attachments")
SECRET_KEY = os.getenv("SECRET_KEY", "5f1b7c0f6d2c4e0c9a77e4a1d3b8265fb7f6f0b1c28e4f7d")
ALGORITHM = "HS256"
ACCESS_TOKEN_EXPIRE_MINUTES = 60 * 8
