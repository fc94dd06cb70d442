"""Verdicts of the real `packaging` on random versions, specifiers and ranges; one JSON value for each line.

Arguments: a seed and how many cases of each kind.
"""

import json
import random
import sys

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version


def version(dice: random.Random, *, spelled: bool = True) -> str:
    """A version near others, so that ties and neighbours are frequent."""
    text = dice.choice(["", "", "", "", "1!", "2!"])
    text += ".".join(str(dice.choice([0, 0, 1, 1, 2, 10])) for _ in range(dice.randint(1, 4)))
    if dice.random() < 0.3:
        text += dice.choice(["a", "b", "rc", ".alpha", "-beta", "_c", "pre"]) + dice.choice(
            ["", "0", "1", "2"]
        )
    if dice.random() < 0.25:
        text += dice.choice([".post1", "-1", ".post", "post2", ".rev0", "-r1"])
    if dice.random() < 0.25:
        text += dice.choice([".dev0", ".dev1", "dev", "-dev2"])
    if dice.random() < 0.2:
        text += dice.choice(["+local", "+ubuntu.1", "+1", "+1.2", "+a-b", "+10"])
    if spelled and dice.random() < 0.05:
        text = "v" + text
    if dice.random() < 0.02:
        text += dice.choice(["x", "..", " 1", "+", "!"])
    return text


def respelled(dice: random.Random, text: str) -> str:
    """The same version, written in another way; not always one."""
    one, _, local = text.partition("+")
    if dice.random() < 0.5:
        one = "v" + one
    if one[-1:].isdigit() and all(
        letter.isdigit() or letter == "." for letter in one.split("!")[-1].lstrip("v")
    ):
        one += ".0"
    one = one.replace("rc", "c").replace(".post", "-post").upper()
    return one + ("+" + local.replace(".", "-") if local else "")


def specifiers(dice: random.Random) -> str:
    """One to three specifiers."""
    parts = []
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        operator = dice.choice(["==", "!=", "<=", ">=", "<", ">", "~=", "===", "==*", "!=*"])
        text = version(dice, spelled=False)
        if operator.endswith("*"):
            text = text.split("+")[0] + ".*"
            operator = operator[:2]
        parts.append(operator + text)
    return ",".join(parts)


def is_in(events: list[tuple[str, str]], subject: Version) -> bool:
    """The algorithm of the OSV schema, with `packaging` for the order."""
    limits = [text for kind, text in events if kind == "limit"]
    if limits and not any(text == "*" or subject < Version(text) for text in limits):
        return False
    state = False
    others = [
        (kind, None if (kind, text) == ("introduced", "0") else Version(text))
        for kind, text in events
        if kind != "limit"
    ]
    for kind, at in sorted(others, key=lambda event: (event[1] is not None, event[1] or Version("0"))):
        if kind == "introduced" and (at is None or subject >= at):
            state = True
        elif at is not None and kind == "fixed" and subject >= at or at is not None and kind == "last_affected" and subject > at:
            state = False
    return state


def events(dice: random.Random) -> list[tuple[str, str]]:
    """One to three pairs of events, in any order."""
    found: list[tuple[str, str]] = []
    for _ in range(dice.choice([1, 1, 2, 3])):
        found.append(("introduced", "0" if dice.random() < 0.3 else version(dice)))
        if dice.random() < 0.8:
            found.append((dice.choice(["fixed", "fixed", "last_affected"]), version(dice)))
    if dice.random() < 0.2:
        found.append(("limit", dice.choice(["*", version(dice)])))
    dice.shuffle(found)
    return found


def main() -> None:
    dice = random.Random(sys.argv[1])
    for _ in range(int(sys.argv[2])):
        one, other = version(dice), version(dice)
        if dice.random() < 0.2:
            other = respelled(dice, one)
        try:
            left, right = Version(one), Version(other)
            order = (left > right) - (left < right)
        except InvalidVersion:
            order = None
        print(json.dumps({"kind": "order", "one": one, "other": other, "verdict": order}))

        history, subject = events(dice), version(dice)
        try:
            # Two events at one version have no order of their own.
            keys = [
                Version(text)
                for event, text in history
                if (event, text) not in {("introduced", "0"), ("limit", "*")}
            ]
            verdict = is_in(history, Version(subject)) if len(set(keys)) == len(keys) else "skip"
        except InvalidVersion:
            verdict = None
        if verdict != "skip":
            print(json.dumps({"kind": "range", "events": history, "other": subject, "verdict": verdict}))

        asked, subject = specifiers(dice), version(dice)
        try:
            # `===` compares texts. A text that is not written as versions are is not judged by us.
            texts = [part[3:] for part in asked.split(",") if part.startswith("===")]
            if any(str(Version(text)) != text for text in texts):
                continue
            verdict = SpecifierSet(asked).contains(Version(subject), prereleases=True)
        except (InvalidSpecifier, InvalidVersion):
            verdict = None
        print(json.dumps({"kind": "specifiers", "one": asked, "other": subject, "verdict": verdict}))


main()
