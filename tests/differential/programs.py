"""Programs to compare under: shipped ones, those of the tests, and other choices of mechanisms, also such as no file makes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.fold.variants import CHOICES
from worker.decide.program import Program
from worker.programs.terms_file import TermsError, changed, read, shipped, versions

_OWN: Final = Path(__file__).parents[1] / "rules" / "programs"
_LEVELS: Final = [{"name": "one", "threshold": 0}, {"name": "two", "threshold": 20_000}]
_LAST_YEAR: Final = {"on": {"yearly": "01-10"}, "over": "previous_calendar_year"}
_SOON: Final = "2024-09-20T00:00:00+09:00"


def _amended(**changes: Any) -> list[dict[str, Any]]:
    return [{"effective_from": _SOON, "set": changes}]


def _tiers(window: str, *judgements: dict[str, Any]) -> dict[str, Any]:
    return {"rule": "XX-12", "levels": _LEVELS, "window": {"type": window}, "judgements": list(judgements)}


MORE: Final[dict[str, tuple[Any, ...]]] = {
    "pay_out": (
        {"rule": "XX-17", "day": 15, "minimum": 1000},
        {"rule": "XX-17", "day": 1},
        {"rule": "XX-17", "day": 28, "minimum": 200},
    ),
    "expiry": (
        *CHOICES["expiry"],
        {"terms": [{"rule": "XX-11", "months": 1}]},
        {"terms": [{"rule": "XX-11", "months": 1, "to": "month_end"}]},
        {"pool": {"rule": "XX-08", "months": 1, "prolonged_by": ["order"]}},
    ),
    "tiers": (
        *CHOICES["tiers"],
        _tiers("rolling_months", {"on": "change", "falls": "one_level"}),
        _tiers("whole_months", {"on": {"monthly": 15}, "falls": "one_level"}),
        _tiers("rolling_months", {"on": "change"}, {**_LAST_YEAR, "rises": False, "falls": "one_level"}),
        _tiers("calendar_year", {**_LAST_YEAR, "on": "change", "falls": "any"}),
    ),
    "amendments": (
        *CHOICES["amendments"],
        _amended(tiers=_tiers("calendar_year", {"on": "change"})),
        _amended(tiers=None),
        _amended(pay_out={"rule": "XX-17", "day": 15}),
        _amended(expiry={"terms": [{"rule": "XX-11", "months": 1}]}),
        _amended(**{"maturity.after": [{"event": "order", "days": 3}]}),
        _amended(**{"redemption.uncovered": "clipped", "redemption.taken_at": "shipment"}),
    ),
}
"""More values for the mechanisms than the properties of the fold try."""
_CHOICES: Final = {**CHOICES, **MORE}


@dataclass(frozen=True, slots=True)
class Choice:
    """A terms file and what was set in it."""

    code: str
    changes: tuple[tuple[str, Any], ...]

    @property
    def as_shipped(self) -> bool:
        """Nothing was set."""
        return not self.changes

    def __str__(self) -> str:
        return f"{self.code} {dict(self.changes)}" if self.changes else self.code


@lru_cache(maxsize=1)
def files() -> dict[str, Path]:
    """The terms files, by program code."""
    return {**shipped(), **{path.stem: path for path in sorted(_OWN.glob("*.yaml"))}}


@lru_cache
def _values(code: str) -> dict[str, Any]:
    """The values of a file. One of all stores has some here: there are programs beside it, and each store is of one."""
    values = read(files()[code].read_text(encoding="utf-8"), code)
    stores = values["membership"]["stores"]
    if stores["eligible"] == "all":
        in_groups = [store for group in stores.get("groups", {}).values() for store in group]
        stores["eligible"] = [*in_groups, f"{code}_one", f"{code}_two"]
    return values


@lru_cache(maxsize=256)
def _as_in_file(code: str, name: str) -> Program:
    return made(Choice(code, ()), name)


def made(choice: Choice, name: str) -> Program:
    """The program of a choice, under a code of its own. Raises TermsError where its parts do not go together."""
    return Program(versions(changed(_values(choice.code), {**dict(choice.changes), "program": name}), choice.code))


def choose(rng: Random, number: int) -> tuple[Choice, Program]:
    """A program, the one of this number among others: one time in three as it is in its file."""
    code = rng.choice(sorted(files()))
    name = f"{code}-{number}"
    if rng.random() < 0.33:
        return Choice(code, ()), _as_in_file(code, name)
    while True:
        paths = rng.sample(sorted(_CHOICES), rng.choice([1, 1, 2, 3, 6]))
        choice = Choice(code, tuple((path, rng.choice(_CHOICES[path])) for path in paths))
        try:
            return choice, made(choice, name)
        except TermsError:
            continue  # choices that do not go together
