"""Reads a page of metrics with Prometheus' own parser and says what it saw: the format, a file."""

import json
import sys
from pathlib import Path

from prometheus_client import parser as text
from prometheus_client.openmetrics import parser as openmetrics

READERS = {
    "text": text.text_string_to_metric_families,
    "openmetrics": openmetrics.text_string_to_metric_families,
}

kind, file = sys.argv[1:]
families = list(READERS[kind](Path(file).read_text(encoding="utf-8")))
names = [family.name for family in families]
if len(names) != len(set(names)):
    raise SystemExit(f"a metric stands twice: {names}")
for family in families:
    if not family.documentation or family.type not in ("counter", "gauge", "histogram"):
        raise SystemExit(f"not described: {family}")
samples = [
    {"name": sample.name, "labels": sample.labels, "value": sample.value}
    for family in families
    for sample in family.samples
]
keys = [(sample["name"], tuple(sorted(sample["labels"].items()))) for sample in samples]
if len(keys) != len(set(keys)):
    raise SystemExit("a series stands twice")
json.dump({"types": {family.name: family.type for family in families}, "samples": samples}, sys.stdout)
