"""A collector of logs over HTTP, which can fail in the ways that collectors do.

Keeps every body that it takes in `taken.jsonl`, in its folder, before it responds. How it behaves says the file `mode`
there, read anew for each request:

    take           takes everything (also without the file)
    500, 429, ...  responds with this status; 429 with `Retry-After: 1`
    limit N        responds with 413 to more than N lines
    refuse TEXT    responds with 400 if a line has this text
    hang           does not respond
    die            takes it, and ends without a response
    cut            ends the connection in the midst of the request

With the argument `otlp` it takes what OpenTelemetry's own Python types can parse, keeps the bodies of the log records
in `taken.jsonl`, and everything else of them in `records.jsonl`.
"""

import gzip
import json
import os
import pathlib
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

folder = pathlib.Path(sys.argv[1])
is_otlp = sys.argv[3:] == ["otlp"]


def mode() -> list[str]:
    try:
        return (folder / "mode").read_text().split(" ", 1)
    except FileNotFoundError:
        return ["take"]


def otlp_lines(content_type: str, body: bytes) -> bytes:
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    assert content_type == "application/x-protobuf", content_type
    request = ExportLogsServiceRequest.FromString(body)
    lines = b""
    with (folder / "records.jsonl").open("a") as records:
        for of_resource in request.resource_logs:
            resource = MessageToDict(of_resource.resource)
            for of_scope in of_resource.scope_logs:
                for record in of_scope.log_records:
                    lines += record.body.string_value.encode() + b"\n"
                    fields = MessageToDict(record)
                    del fields["body"]
                    whole = {"resource": resource, "scope": of_scope.scope.name, **fields}
                    records.write(json.dumps(whole) + "\n")
    return lines


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        what, *rest = mode()
        with (folder / "asked").open("a") as asked:
            asked.write(f"{what} {self.path} {self.headers.get('authorization', '-')}\n")
        length = int(self.headers["content-length"])
        if what == "cut":
            self.rfile.read(min(length, 100))
            self.close_connection = True
            self.connection.close()
            return
        body = self.rfile.read(length)
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        if what == "hang":
            time.sleep(60)
            return
        status = 200
        if what.isdigit():
            status = int(what)
        elif what == "limit" and body.count(b"\n") > int(rest[0]):
            status = 413
        elif what == "refuse" and rest[0].encode() in body:
            status = 400
        if status == 200:
            if is_otlp:
                body = otlp_lines(self.headers["content-type"], body)
            with (folder / "taken.jsonl").open("ab") as taken:
                taken.write(body)
        if what == "die":
            os._exit(1)
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "1")
        # An empty message of protobuf has no bytes.
        self.send_header("Content-Type", "application/x-protobuf" if is_otlp else "text/plain")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Collector)
    port = folder / "port.new"
    port.write_text(str(server.server_address[1]))
    port.rename(folder / "port")
    server.serve_forever()


main()
