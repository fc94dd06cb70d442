"""Hands the candidates to the gate."""

from __future__ import annotations

import base64
import json
import socket
from pathlib import Path
from typing import Any

from mantlet_inspector.candidates.collect import candidates

PATIENCE = 0.2  # seconds, for a gate that is busy


def offer(path: str, app: Any, root: Path, module: str, is_whole: bool, workers: int) -> None:
    """Returns when the gate has them. If nothing listens, the app is served without. An app is not
    whole if it is made later."""
    found, proof = candidates(app, root, module)
    sent = [
        {
            "name": one.name,
            "key": one.is_key,
            "verifies": one.verifies,
            "value": base64.b64encode(one.value).decode(),
        }
        for one in found
    ]
    is_complete = is_whole and proof.is_complete() and (workers == 1 or proof.is_the_same_in_workers())
    document = json.dumps({"candidates": sent, "complete": is_complete}).encode()
    with socket.socket(socket.AF_UNIX) as gate:
        gate.settimeout(PATIENCE)
        gate.connect(path)
        gate.sendall(document)
        gate.shutdown(socket.SHUT_WR)
        gate.recv(1)  # it closes the connection when it has understood them
