"""Atheris drives records and terms files by what code they reach: `python -m tests.hostile.guided SECONDS DIRECTORY`.

A case is bytes: the first says what it is (a record in structured or binary mode, a terms file), the rest is its content. What is
found is kept in the directory; what is worth replaying goes to `corpus/`, which the ordinary suite replays. The case being played
stands in a file all the time, so that it is known however the process ends; `python -m tests.hostile.guided FILE` plays it again.
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).parent / "corpus"
STRUCTURED, BINARY, TERMS = 0, 1, 2
CASE_BYTES_MAX: Final = 4_096
_PLAYED: Final = "playing"
_LENGTH_BYTES: Final = 4


def play(case: bytes) -> None:
    """One case; raises what must not happen."""
    from tests.hostile.terms_files import judge_text
    from tests.hostile.verdict import judge
    from worker.decode import Record

    if not case:
        return
    kind, content = case[0] % 3, case[1:]
    if kind == TERMS:
        judge_text(content.decode("utf-8", "replace"))
        return
    headers: tuple[tuple[str, bytes | None], ...] = ()
    value = content
    if kind == BINARY:
        head, _, value = content.partition(b"\n\n")
        pairs = (line.partition(b"=") for line in head.split(b"\n"))
        headers = tuple((name.decode("utf-8", "backslashreplace"), None if text == b"-" else text) for name, _, text in pairs)
    judge(Record("commerce.order", 0, 0, 0, None, value, headers))


class Playing:
    """The case that is being played, in a file that outlives whoever plays it."""

    def __init__(self, directory: Path) -> None:
        file = directory / _PLAYED
        file.write_bytes(bytes(_LENGTH_BYTES + CASE_BYTES_MAX))
        with file.open("r+b") as opened:
            self._page = mmap.mmap(opened.fileno(), 0)

    def play(self, case: bytes) -> None:
        """One case; raises what must not happen."""
        self._page[: _LENGTH_BYTES + len(case)] = len(case).to_bytes(_LENGTH_BYTES) + case
        play(case)


def played_last(directory: Path) -> bytes:
    """The case that was being played when the process ended."""
    content = (directory / _PLAYED).read_bytes() if (directory / _PLAYED).exists() else b""
    return content[_LENGTH_BYTES:][: int.from_bytes(content[:_LENGTH_BYTES])]


def beginnings() -> dict[str, bytes]:
    """A case of each example of the contract in both modes, and pieces of terms: what the corpus begins with."""
    import json

    from tests.hostile.records import examples

    found: dict[str, bytes] = {}
    for number, event in enumerate(examples()):
        attributes = {f"ce_{name}": value for name, value in event.items() if name != "data"}
        head = "\n".join(f"{name}={value}" for name, value in attributes.items())
        found[f"structured-{number}"] = bytes([STRUCTURED]) + json.dumps(event).encode()
        found[f"binary-{number}"] = bytes([BINARY]) + f"{head}\n\n".encode() + json.dumps(event["data"]).encode()
    found["terms"] = bytes([TERMS]) + b"program: x\nname: {ja: x, en: x}\neffective_from: '2024-01-01T00:00:00+09:00'\n"
    return {name: case for name, case in found.items() if len(case) <= CASE_BYTES_MAX}


def main(seconds: int, found: Path) -> None:
    """Fuzz; leaves the process."""
    import atheris

    with atheris.instrument_imports(include=["worker.decode", "contracts", "worker.programs.terms_file", "json"]):
        import tests.hostile.verdict  # noqa: F401 - imported here so that its code is watched
        import worker.programs.terms_file  # noqa: F401 - imported to be instrumented

    begin = found / "begin"
    begin.mkdir(parents=True, exist_ok=True)
    for name, case in beginnings().items():
        (begin / name).write_bytes(case)
    (found / "reached").mkdir(exist_ok=True)
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={CASE_BYTES_MAX}",
        "-timeout=5",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
    ]
    directories = [str(found / "reached"), str(begin), str(CORPUS)]
    atheris.Setup([sys.argv[0], *options, f"-artifact_prefix={found}/", *directories], Playing(found).play)
    atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) == 2:  # a case, not how long and where
        play(Path(sys.argv[1]).read_bytes())
    else:
        main(int(sys.argv[1]), Path(sys.argv[2]))
