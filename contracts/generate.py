"""Writes what is made from the models: JSON Schemas of events and terms, the AsyncAPI document, the reference of
the terms, and what a release is held to.

python -m contracts.generate                   writes
python -m contracts.generate --check           exit 1 and names the files that are not as they should be
python -m contracts.generate --release 0.1.0   keeps schemas and examples of today under released/; never overwrites
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.asyncapi import asyncapi_document
from contracts.currencies import MINOR_DIGITS
from contracts.schemas import all_schemas
from contracts.terms_reference import reference_page
from contracts.terms_schema import terms_schema

VERSION: Final = "0.1.0"
ROOT: Final = Path(__file__).parent
SCHEMAS: Final = Path("events/schemas")
TERMS_SCHEMA: Final = Path("programs/schema.json")
TERMS_PAGE: Final = Path("terms.md")
_CURRENCIES: Final = '''"""How many digits the minor unit of each currency has, by ISO 4217.

Made by `python -m contracts.generate` from the list of the package `iso4217`; do not edit. A currency that leaves the standard
stays here: orders of its time still come. What has no minor unit (gold, test codes) is no currency of an order.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

MINOR_DIGITS: Final[Mapping[str, int]] = MappingProxyType(
    {
%s
    }
)
'''


class _Dumper(yaml.SafeDumper):
    """Writes equal parts out again instead of YAML anchors, which few AsyncAPI tools follow, and long texts as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_str(self, data: str) -> yaml.ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Dumper.add_representer(str, _Dumper.represent_str)


def currencies() -> str:
    """The module of currencies: what it has, and what the standard has by now."""
    # Only whoever makes the table has the package: the worker reads what was made.
    from iso4217 import Currency

    digits = {**MINOR_DIGITS, **{each.code: each.exponent for each in Currency if each.exponent is not None}}
    codes = [f'"{code}": {digits[code]},' for code in sorted(digits)]
    rows = [" " * 8 + " ".join(codes[start : start + 10]) for start in range(0, len(codes), 10)]
    return _CURRENCIES % "\n".join(rows)


def generated() -> dict[Path, str]:
    """Path below contracts/ → content, for every generated file."""
    files = {
        SCHEMAS / f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in all_schemas().items()
    }
    files[TERMS_SCHEMA] = json.dumps(terms_schema(), indent=2, ensure_ascii=False) + "\n"
    files[TERMS_PAGE] = reference_page(terms_schema())
    files[Path("currencies.py")] = currencies()
    document = yaml.dump(asyncapi_document(VERSION), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    files[Path("asyncapi.yaml")] = "# Made by `python -m contracts.generate` from the models; do not edit.\n" + document
    return files


def stale(root: Path) -> list[Path]:
    """Generated files that are missing, differ, or belong to nothing any more."""
    files = generated()
    wrong = [path for path, content in files.items() if not (root / path).is_file() or (root / path).read_text() != content]
    left = [SCHEMAS / path.name for path in (root / SCHEMAS).glob("*.json") if SCHEMAS / path.name not in files]
    return sorted(wrong + left)


def write(root: Path) -> list[Path]:
    """Makes all generated files right; returns those that were not."""
    changed = stale(root)
    files = generated()
    for path in changed:
        if path in files:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(files[path])
        else:
            (root / path).unlink()
    return changed


def release(root: Path, version: str) -> Path:
    """Keeps today's schemas and examples as those of `version`. Raises FileExistsError if it was released before."""
    target = root / "released" / version
    target.mkdir(parents=True)
    shutil.copytree(root / SCHEMAS, target / "schemas")
    shutil.copytree(root / "examples", target / "examples")
    return target


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 if --check finds something stale or a release exists already."""
    parser = argparse.ArgumentParser(prog="python -m contracts.generate", description="Files made from the models")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="write nothing, say what is stale")
    what.add_argument("--release", metavar="VERSION", help="keep today's schemas and examples as those of VERSION")
    options = parser.parse_args(arguments)
    if options.check:
        names = [str(path) for path in stale(ROOT)]
        sys.stderr.writelines(f"contracts/{name} is stale: run python -m contracts.generate\n" for name in names)
        return 1 if names else 0
    sys.stderr.writelines(f"contracts/{path}\n" for path in write(ROOT))
    if options.release:
        try:
            target = release(ROOT, options.release)
        except FileExistsError:
            sys.stderr.write(f"{options.release} is released already; what was released does not change\n")
            return 1
        sys.stderr.write(f"contracts/{target.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
