"""Draws the pictures of the top README: what the demo prints, a member's explanation page, and how it works.

    python docs/pictures/make.py            # all of them
    python docs/pictures/make.py flow       # one: demo, explanation or flow

Needs Graphviz (`dot`) for the flow and Chromium for the page. The demo runs for real; the page is that of one of its members.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

HERE: Final = Path(__file__).parent
TOP: Final = HERE.parents[1]
LOYALTY: Final = str(Path(sys.executable).parent / "loyalty")
COLUMNS: Final = 142
FIRST_LINE: Final = "Members"
PAGE_SIZE: Final = "1000,725"
"""Of the explanation page: up to the end of its second posting."""
DOT: Final = "/usr/bin/dot"
BROWSER: Final = (
    "/usr/bin/chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
)


def demo() -> None:
    """What the demo prints, from the balances on; longer lines are cut."""
    ran = subprocess.run([LOYALTY, "demo"], cwd=TOP, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text("$ make demo", style="bold green"))
    lines = [line.rstrip() for line in ran.stdout.rstrip().splitlines()]
    shown = lines[lines.index(FIRST_LINE) :]
    console.print(Text.from_ansi("\n".join(["...", *shown])), no_wrap=True, overflow="ellipsis")
    # Without the web font: a picture in a README fetches nothing.
    without_font = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    console.save_svg(str(HERE / "demo.svg"), title="make demo", code_format=without_font)


def explanation() -> None:
    """The page of a member of the demo, which is left running for it."""
    with tempfile.TemporaryDirectory() as scratch:
        state = os.environ | {"XDG_STATE_HOME": scratch}
        subprocess.run([LOYALTY, "demo", "--keep"], cwd=TOP, env=state, check=True, stdout=subprocess.DEVNULL)
        try:
            environment = next(Path(scratch).rglob("*.env"))
            explain = f". {shlex.quote(str(environment))} && loyalty member explain lenovo-pro LP-101 --lang en -o html"
            page = subprocess.run(["/bin/bash", "-c", explain], cwd=TOP, check=True, text=True, stdout=subprocess.PIPE).stdout
        finally:
            subprocess.run([LOYALTY, "demo", "--stop"], cwd=TOP, env=state, check=True, stdout=subprocess.DEVNULL)
        html = Path(scratch) / "page.html"
        html.write_text(page, encoding="utf-8")
        picture = [f"--screenshot={HERE / 'explanation.png'}", f"--window-size={PAGE_SIZE}", f"--user-data-dir={scratch}/profile"]
        subprocess.run([*BROWSER, *picture, html.as_uri()], check=True, stderr=subprocess.DEVNULL)


def flow() -> None:
    """The way of a record."""
    subprocess.run([DOT, "-Tsvg", "-o", str(HERE / "flow.svg"), str(HERE / "flow.dot")], check=True)


PICTURES: Final[dict[str, Callable[[], None]]] = {"demo": demo, "explanation": explanation, "flow": flow}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
