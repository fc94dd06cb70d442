"""An app with OpenTelemetry and a database, as their documentation shows it."""

import os
import sqlite3
import time

from fastapi import FastAPI, HTTPException, Request
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=100))
    trace.set_tracer_provider(provider)
    SQLite3Instrumentor().instrument()

app = FastAPI()


@app.get("/orders/{order_id}")
def read(order_id: int):
    with sqlite3.connect(":memory:") as database:
        cursor = database.cursor()
        cursor.execute("SELECT ? * 2", (order_id,))
        return cursor.fetchone()[0]


@app.get("/headers")
def headers(request: Request):
    return dict(request.headers)


@app.get("/teapot")
def teapot():
    raise HTTPException(418)


@app.get("/broken")
def broken():
    raise RuntimeError("an error of the app")


@app.get("/slow")
def slow():
    time.sleep(60)


if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
    FastAPIInstrumentor.instrument_app(app)
