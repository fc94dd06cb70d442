"""gradio_client against an interface."""

import json
import pathlib
import sys
import tempfile
import time

from gradio_client import Client, handle_file

url, said = sys.argv[1], {}
with tempfile.TemporaryDirectory() as folder:
    client = Client(url, verbose=False, download_files=folder)
    said["api"] = client.view_api(return_format="dict", print_info=False)
    # As long as an event is open, its stream is. Else gradio closes it between two events, and where the client has not read
    # that yet, it cancels the second one.
    done = pathlib.Path(folder) / "done"
    held = client.submit(str(done), api_name="/hold")
    said["greet"] = client.predict("Ann", 2, api_name="/greet")
    job = client.submit(5, api_name="/count")
    said["count"] = [job.result(), job.outputs()]
    said["many"] = [one.result() for one in [client.submit(f"n{n}", 1, api_name="/greet") for n in range(10)]]
    file = pathlib.Path(folder) / "a file (1) \u00e9.bin"
    file.write_bytes(bytes(range(256)) * 8000)
    said["measure"] = client.predict(handle_file(str(file)), api_name="/measure")
    try:
        client.predict("now", api_name="/fail")
    except Exception as error:
        said["fail"] = [type(error).__name__, str(error)]
    done.touch()
    said["hold"] = held.result()
    while client.stream_open:
        time.sleep(0.01)
    client.reset_session()
    said["again"] = client.predict("Bob", 1, api_name="/greet")
print(json.dumps(said, default=str).replace(url, "URL"))
