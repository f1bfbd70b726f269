"""The published terms that a file carries out: its rules, and the questions that they leave open."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import model_validator

from contracts.terms.values import Name, Part, RuleId, Text


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

    `document`, `section`: in both languages, or as they are called in the one that they are written in.
    """

    id: RuleId
    document: Text | str
    section: Text | str
    says: Text
    parameters: tuple[str, ...] = ()
    no_effect: str | None = None

    @model_validator(mode="after")
    def _effect(self) -> Self:
        if bool(self.parameters) == bool(self.no_effect):
            raise ValueError("a rule names the parameters that carry it out, or says why it has no effect on the ledger")
        return self

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
