"""Hands the candidates to the gate."""

from __future__ import annotations

import base64
import json
import socket
from pathlib import Path
from typing import Any

from mantlet_inspector.candidates.collect import candidates

PATIENCE = 0.2  # seconds, for a gate that is busy


def offer(path: str, app: Any, root: Path, module: str) -> None:
    """Returns when the gate has them. If nothing listens, the app is served without."""
    found = [
        {"name": name, "key": is_key, "value": base64.b64encode(value).decode()}
        for name, is_key, value in candidates(app, root, module)
    ]
    document = json.dumps({"candidates": found}).encode()
    with socket.socket(socket.AF_UNIX) as gate:
        gate.settimeout(PATIENCE)
        gate.connect(path)
        gate.sendall(document)
        gate.shutdown(socket.SHUT_WR)
        gate.recv(1)  # it closes the connection when it has understood them
