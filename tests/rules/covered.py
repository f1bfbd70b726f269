"""What the published terms hold, counted by hand once: rules, open questions, and the other readings of each. The terms files are
held to these lists, so that nothing falls out of them unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

RULES: Final = {
    "lenovo-pro": ("LEN", 33),
    "ansage": ("ANS", 28),
    "puppy": ("PUP", 26),
    "scolar": ("SCO", 29),
    "belle-maison": ("BEL", 23),
}
"""Prefix of a program's rule ids, and how many its published terms have."""
RULES_IN_ALL: Final = 139
QUESTIONS: Final = {"lenovo-pro": 17, "ansage": 13, "puppy": 13, "scolar": 18, "belle-maison": 8}
"""How many questions the published terms of each leave open."""
QUESTIONS_IN_ALL: Final = 80
"""Of all programs, with those that they share."""
COMMON_QUESTIONS: Final = (
    *("COM-C2", "COM-C5", "COM-C6", "COM-C7"),
    *("COM-Q1", "COM-Q2", "COM-Q3", "COM-Q4", "COM-Q5", "COM-Q6", "COM-Q7"),
)
"""Questions that all programs share, because no published terms answer them."""

_OTHER_READINGS: Final = """
COM-C2 roll-forward | COM-C5 refuse | COM-C6 clip | COM-C7 shipment | COM-Q1 half-up ceil per-line | COM-Q2 exact
COM-Q3 oldest newest | COM-Q4 ex-tax with-shipping cash-first points-first | COM-Q5 fresh grace | COM-Q6 write-off
COM-Q7 returned-share
puppy COM-Q1 per-line
belle-maison COM-C2 | belle-maison COM-Q1 | belle-maison COM-Q2
LEN-Q1 other-rate | LEN-Q2 net | LEN-Q3 day-25 day-35 manual | LEN-Q4 last-shipment | LEN-Q5 grant-date | LEN-Q6 full
LEN-Q7 not-freed | LEN-Q8 purchases-only all-refused | LEN-Q9 kept | LEN-Q10 at-once day-7 | LEN-Q11 rolling
LEN-Q12 inclusive | LEN-Q13 at-order at-payment falls | LEN-Q14 refuse | LEN-Q15 goods | LEN-Q16 after-24-hours
LEN-Q17 ineligible
ANS-Q1 other-table | ANS-Q2 include-current monthly previous-calendar-year at-shipment | ANS-Q3 net-of-points ex-tax
ANS-Q4 ex-tax | ANS-Q5 spread | ANS-Q6 days-later | ANS-Q7 cancels-at-once ten-days twenty-days | ANS-Q8 twelve-months
ANS-Q9 goods-only | ANS-Q10 next-delivery | ANS-Q11 at-shipment | ANS-Q12 back-if-unshipped | ANS-Q13 at-shipment at-cut-off
PUP-Q1 one-day two-days payment-only shipment-only | PUP-Q2 ten-percent per-line | PUP-Q3 spread | PUP-Q4 strictly-below
PUP-Q5 shop-reasons-back returns-back both-back | PUP-Q6 kept clamped | PUP-Q7 day-before exact first-of-march
PUP-Q8 order-date | PUP-Q9 per-shipment | PUP-Q10 per-line half-up | PUP-Q11 payment-time | PUP-Q12 two-yen
PUP-Q13 credit-date
SCO-Q1 rolling | SCO-Q2 january-only | SCO-Q3 sets | SCO-Q4 | SCO-Q5 once on-review | SCO-Q6 ignored at-order | SCO-Q7 shipment
SCO-Q8 net | SCO-Q9 per-hundred per-line | SCO-Q10 with-tax with-shipping order-amount | SCO-Q11 delivery | SCO-Q12 validity
SCO-Q13 forfeited delayed | SCO-Q14 at-validity | SCO-Q15 kept clamped | SCO-Q16 stays any-product per-order after-approval
SCO-Q17 day-before | SCO-Q18 allowed
BEL-Q1 per-shipment per-line | BEL-Q2 net | BEL-Q3 inclusive by-shipment returns-stay | BEL-Q4 shipment | BEL-Q5 forfeited
BEL-Q6 part-only goods | BEL-Q7 requested | BEL-Q8 granted
"""


def other_readings(code: str, question: str) -> tuple[str, ...]:
    """The other readings of a question that a program must offer, its own list before the common one."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in _OTHER_READINGS.replace("\n", "|").split("|"):
        words = entry.split()
        if question in words[:2]:
            at = words.index(question)
            found[words[0] if at else ""] = tuple(words[at + 1 :])
    return found[code] if code in found else found[""]


@dataclass(slots=True)
class Covered:
    """What was found in the terms files and in the stories, by program; told at the end of a test run."""

    lines: list[str] = field(default_factory=list)
    rules: int = 0
    without_effect: int = 0
    questions: set[str] = field(default_factory=set)
    readings: int = 0

    def add(self, code: str, rules: int, without_effect: int, questions: set[str], readings: int) -> None:
        """Count a program's rules, those of them without effect on the ledger, its questions, and their other readings."""
        self.rules += rules
        self.without_effect += without_effect
        self.questions |= questions
        self.readings += readings
        self.lines.append(self._line(code, rules, without_effect, len(questions), readings))

    @staticmethod
    def _line(name: str, rules: int, without_effect: int, questions: int, readings: int) -> str:
        acts = rules - without_effect
        return (
            f"{name:<13} {rules:>3} rules: {acts:>3} with a test that switching them off fails, {without_effect} without effect, "
            f"with the reason; {questions:>3} questions, {readings:>3} other readings, each with its own numbers"
        )

    def told(self) -> list[str]:
        """The counts by program and in all; nothing if they were not taken."""
        total = self._line("in all", self.rules, self.without_effect, len(self.questions), self.readings)
        return [*self.lines, total] if self.lines else []
