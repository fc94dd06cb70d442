"""Reads the reports in this folder as others read them, and says what it saw."""

import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from jsonschema import Draft7Validator

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Counts what is in a page, and what is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def sarif() -> object:
    """What the schema says, and what is in it."""
    schema = json.loads(Path("schema.json").read_text())
    report = json.loads(Path("r.sarif").read_text())
    Draft7Validator.check_schema(schema)
    mistakes = [f"{error.json_path}: {error.message}" for error in Draft7Validator(schema).iter_errors(report)]
    results = report["runs"][0]["results"]
    prints = {result["partialFingerprints"]["primaryLocationLineHash"] for result in results}
    return {"mistakes": mistakes, "results": len(results), "fingerprints": len(prints)}


def junit() -> object:
    """What the file says of itself, and what is counted."""
    root = ElementTree.parse("r.xml").getroot()
    cases = root.findall(".//testcase")
    failed, skipped = len(root.findall(".//failure")), len(root.findall(".//skipped"))
    said = [int(root.get(name, "-1")) for name in ("tests", "failures", "skipped")]
    suites = root.findall("testsuite")
    summed = [sum(int(suite.get(name, "-1")) for suite in suites) for name in ("tests", "failures", "skipped")]
    assert said == summed
    return {"suites": len(suites), "said": said, "counted": [len(cases), failed, skipped], "failed": failed}


def html() -> object:
    """What is in the page."""
    page = Page()
    page.feed(Path("r.html").read_text())
    page.close()
    bodies = page.tags.count("tr") - page.tags.count("table")
    return {"unclosed": page.open + page.wrong, "scripts": page.tags.count("script"), "rows": bodies}


print(json.dumps({"sarif": sarif(), "junit": junit(), "html": html()}))
