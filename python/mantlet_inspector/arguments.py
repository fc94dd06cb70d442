"""The arguments that both of the package's programs take."""

from __future__ import annotations

import argparse


def parser(program: str, contract_is_needed: bool) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=program)
    made.add_argument("app", nargs="?", metavar="APP")
    made.add_argument(
        "--contract",
        required=contract_is_needed,
        metavar="FILE",
        help="where to write what the app accepts, as JSON",
    )
    made.add_argument("--memory", metavar="FILE", help="what is remembered of the app's code")
    made.add_argument(
        "--read-timeout",
        type=float,
        metavar="SECONDS",
        help="how long the app's code may be read; 0: as long as it takes",
    )
    made.add_argument("--status", metavar="FILE", help="where to write what was found, or why not, as JSON")
    return made
