"""Writes what the real Starlette and python-multipart make of random forms, a line each.

Arguments: the seed, the number of forms. Half of them are as clients write them, the others are those with something changed.
"""

import asyncio
import json
import logging
import random
import sys

import httpx
from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser

NAMES = ["a", "file", "user name", "größe", "a[b]", "x;y", 'q"q', "back\\slash", "%22", "名前", "", "a=b", "C:\\x"]
FILES = ["x.png", "", "größe.txt", 'a"b.png', "C:\\fakepath\\x.png", "dir/x.png", "名.pdf", "a;b.txt", "a%22b", "a\\b", "\\\\host\\x", "a=b;c"]
CONTENTS = [b"", b"1", b"some text", b"a\r\nb", b"\r\n", b"\r", b"--", b"\r\n--", b"\xff\xfe\x00", "größe".encode(), b"x" * 5000, b"\r\n--b", b"-\r\n-\r\n\r\n--"]
BOUNDARIES = ["b", "----WebKitFormBoundary7MA4YWxkTrZu0gW", "boundary", "a'()+_,-./:=?x", "x" * 70, "------------------------d74496d66958873e"]
PIECES = [b"\r\n", b"\n", b"\r", b"--", b"-", b";", b'"', b" ", b":", b"\\", b"\x00", b"\t", b"=", b"\r\n\r\n", b"\r\n--b", b"--b", b"X: y\r\n", b"\xc3", b"*", b" filename=z;"]


class Forms:
    def __init__(self, r):
        self.r = r

    def quote(self, name):
        style = self.r.randrange(3)
        if style == 0:  # browsers, curl, urllib3
            name = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        elif style == 1:  # older curl
            name = name.replace("\\", "\\\\").replace('"', '\\"')
        else:
            name = name.replace('"', "'")
        return f'"{name}"'

    def part(self):
        name = self.r.choice(NAMES)
        disposition = self.r.choice(["Content-Disposition", "content-disposition"])
        lines = [f"{disposition}: form-data; name={self.quote(name)}"]
        if self.r.random() < 0.5:
            lines[0] += f"; filename={self.quote(self.r.choice(FILES))}"
            if self.r.random() < 0.1:  # .NET
                lines[0] = f"{disposition}: form-data; name={self.quote(name)}; filename=\"a b.txt\"; filename*=utf-8''a%20b.txt"
            if self.r.random() < 0.8:
                lines.append("Content-Type: " + self.r.choice(["image/png", "text/plain; charset=utf-8", "application/octet-stream"]))
        if self.r.random() < 0.1:
            lines.append("Content-Length: 5")
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + self.r.choice(CONTENTS)

    def written(self):
        boundary = self.r.choice(BOUNDARIES)
        quoted = f'"{boundary}"' if self.r.random() < 0.3 or not boundary.replace("-", "").isalnum() else boundary
        content_type = self.r.choice([f"multipart/form-data; boundary={quoted}"] * 5 + [f"multipart/form-data;boundary={quoted};charset=latin-1", f"Multipart/Form-Data; charset=utf-8; Boundary={quoted}"])
        mark = b"--" + boundary.encode()
        body = self.r.choice([b""] * 9 + [b"\r\n"])
        for _ in range(self.r.randint(0, 4)):
            # A boundary never stands in what it bounds.
            body += mark + b"\r\n" + self.part().replace(mark, b"") + b"\r\n"
        return content_type, body + mark + b"--" + self.r.choice([b"\r\n"] * 3 + [b""])

    def by_client(self):
        """As httpx writes it."""
        fields = {self.r.choice(NAMES): self.r.choice(["", "a", "größe", "a\r\nb"]) for _ in range(self.r.randint(0, 2))}
        files = [
            (self.r.choice(NAMES), (self.r.choice(FILES) or "f", self.r.choice(CONTENTS), "image/png"))
            for _ in range(self.r.randint(1, 3))
        ]
        request = httpx.Request("POST", "http://localhost", data=fields, files=files)
        return request.headers["content-type"], request.read()

    def changed(self, content_type, body):
        for _ in range(self.r.randint(1, 3)):
            # Where something is: near a line end, a quote, a hyphen.
            marks = [at for at, byte in enumerate(body) if byte in b'\r\n"-:;=']
            at = self.r.choice(marks) + self.r.randint(-1, 1) if marks else 0
            at = max(at, 0)
            body = body[:at] + self.r.choice(PIECES) * self.r.randint(0, 1) + body[at + self.r.randint(0, 2) :]
        chance = self.r.random()
        if chance < 0.05:
            body = body[: self.r.randint(0, len(body))]
        elif chance < 0.1:
            content_type = self.r.choice(["multipart/form-data", "multipart/form-data; boundary=", content_type + "; boundary=z", content_type + ";", "multipart/form-data; boundary=" + "x" * 257, content_type + "; charset=klingon"])
        return content_type, body

    def chunks(self, body):
        whole = self.r.random()
        if whole < 0.3:
            return [body]
        cuts = sorted(self.r.randint(0, len(body)) for _ in range(self.r.randint(1, 6)))
        return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)])]


async def read(content_type, chunks):
    async def stream():
        for chunk in chunks:
            yield chunk

    parser = MultiPartParser(Headers({"content-type": content_type}), stream())
    try:
        form = await parser.parse()
    except MultiPartException:
        return None
    items = []
    for name, value in form.multi_items():
        if isinstance(value, str):
            items.append([name, None, value])
        else:
            items.append([name, value.filename, (await value.read()).hex()])
    return items


async def main():
    r = random.Random(int(sys.argv[1]))
    forms = Forms(r)
    for _ in range(int(sys.argv[2])):
        content_type, body = forms.by_client() if r.random() < 0.2 else forms.written()
        honest = r.random() < 0.4
        if not honest:
            content_type, body = forms.changed(content_type, body)
        items = await read(content_type, forms.chunks(body))
        print(json.dumps({"honest": honest, "type": content_type, "body": body.hex(), "items": items}))


logging.disable()
asyncio.run(main())
