"""gradio: functions with an interface in the browser, called over HTTP, with a queue and events."""

import os
import time

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

import gradio as gr
from fastapi import FastAPI


def greet(name: str, times: float) -> str:
    return " ".join([f"Hello {name}!"] * int(times))


def count(to: float):
    for number in range(int(to)):
        yield number


def measure(file: str) -> int:
    with open(file, "rb") as opened:
        return len(opened.read())


def hold(file: str) -> str:
    while not os.path.exists(file):
        time.sleep(0.01)
    return "held"


def fail(text: str) -> str:
    raise gr.Error(f"not {text}")


with gr.Blocks() as blocks:
    gr.Interface(greet, ["text", "number"], "text", api_name="greet")
    gr.Interface(count, "number", "number", api_name="count")
    gr.Interface(measure, gr.File(), "number", api_name="measure")
    gr.Interface(hold, "text", "text", api_name="hold")
    gr.Interface(fail, "text", "text", api_name="fail")

app = gr.mount_gradio_app(FastAPI(), blocks, path="/")
