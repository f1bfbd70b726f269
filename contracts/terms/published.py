"""The published terms that a file carries out: its rules, and the questions that they leave open."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from contracts.terms.values import Name, Part, RuleId, Text

RuleStatus = Literal["carried_out", "in_part", "not_carried_out", "no_effect"]


class ShopWords(Part):
    """What the shop calls things, where explanations should not use the usual words.

    What points are called that are `pending` (granted, not usable yet), `available`, `held` (set aside), `spent`, `lapsed`,
    `forfeited` (used, and not given back) and `revoked` (taken back); what a `tier` is called; and asking for a `reward` item.
    """

    pending: Text | None = None
    available: Text | None = None
    held: Text | None = None
    spent: Text | None = None
    lapsed: Text | None = None
    forfeited: Text | None = None
    revoked: Text | None = None
    tier: Text | None = None
    reward: Text | None = None


class Rule(Part):
    """One rule of the published terms: where it stands, what it says in our words, and which parameters carry it out.

    `document`, `section`: in both languages, or as they are called in the one that they are written in. `in_part`: what is
    missing where the parameters carry out a part of it; `not_carried_out`: why nothing does, though it is about points;
    `no_effect`: why it has none on the ledger.
    """

    id: RuleId
    document: Text | str
    section: Text | str
    says: Text
    parameters: tuple[str, ...] = ()
    no_effect: str | None = None
    in_part: str | None = None
    not_carried_out: str | None = None

    @model_validator(mode="after")
    def _effect(self) -> Self:
        if bool(self.parameters) + bool(self.no_effect) + bool(self.not_carried_out) != 1:
            raise ValueError(
                "a rule names the parameters that carry it out, or says why nothing does (not_carried_out), or why it has no "
                "effect on the ledger (no_effect)"
            )
        if self.in_part and not self.parameters:
            raise ValueError("what is carried out in part names the parameters that do it: write not_carried_out if none does")
        return self

    @property
    def status(self) -> RuleStatus:
        """Whether it is carried out."""
        if self.parameters:
            return "in_part" if self.in_part else "carried_out"
        return "not_carried_out" if self.not_carried_out else "no_effect"

    @property
    def gap(self) -> str | None:
        """What is missing, or why it is not carried out or has no effect; None: it is carried out."""
        return self.in_part or self.not_carried_out or self.no_effect

    def place(self, language: Literal["ja", "en"]) -> tuple[str, str]:
        """Document and section, as far as the file has them in this language."""
        document, section = (each.told(language) if isinstance(each, Text) else each for each in (self.document, self.section))
        return document, section


class Alternative(Part):
    """Another reading of an open question: the values, by dotted path, that make the program follow it."""

    id: Name
    says: Text
    set: dict[str, Any]


class Question(Part):
    """An open question of the published terms, the reading taken, and the other ones that can be chosen.

    `no_alternative`: why there is none to choose, or why one that other programs have changes nothing here.
    """

    id: RuleId
    asks: Text
    default: Text
    alternatives: tuple[Alternative, ...] = ()
    no_alternative: str | None = None

    @model_validator(mode="after")
    def _answered(self) -> Self:
        if not self.alternatives and not self.no_alternative:
            raise ValueError("a question names the alternatives that can be chosen, or says why there are none (no_alternative)")
        return self


class Case(Part):
    """Something that neither the published terms nor a question about them decides: what is done, and under which rule."""

    id: Name
    rule: RuleId
    says: Text
