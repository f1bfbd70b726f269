"""The check of `loyalty doctor` for who may write to which topic, as far as the broker tells.

Spoken in the protocol's own requests: aiokafka has them, and no method of its admin client for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import ClusterAuthorizationFailedError, SecurityDisabled
from aiokafka.protocol.admin import DescribeAclsRequest

from contracts.events import DLQ_SUFFIX, TOPICS_IN, TOPICS_OUT
from worker.cli.checks import Check
from worker.settings import KafkaSettings

WHAT: Final = "who may write"
TO_DO: Final = "give rights by topic (deploy/README.md, who may write and read which topic)"
ANY, TOPIC, LITERAL, PREFIXED = 1, 2, 3, 4
"""Numbers of the protocol (KIP-140, KIP-290): any value of a filter, the type of resource, and how its name is meant."""
WRITING: Final = frozenset({2, 4})  # ALL, WRITE
DENY, ALLOW = 2, 3
EVERYBODY: Final = "User:*"


class Right(NamedTuple):
    """Somebody may, or may not, write to topics of this name (or this beginning, or `*`)."""

    topic: str
    pattern: int
    principal: str
    allowed: bool

    def covers(self, name: str) -> bool:
        """Whether it is about a topic."""
        return name.startswith(self.topic) if self.pattern == PREFIXED else self.topic in (name, "*")


async def writers(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> list[Check]:
    """Who may write what only some should. One line says so where the broker has no rights at all, or does not show them."""
    request = DescribeAclsRequest(TOPIC, None, ANY, None, None, ANY, ANY)
    answer = await admin._client.send(admin._client.get_random_node(), request)
    if answer.error_code == SecurityDisabled.errno:
        if settings.far_host() is None:
            return [Check(WHAT, "ok", "everybody on this machine: its Kafka has no ACLs")]
        found = "the broker has no ACLs: whoever reaches it may grant points and publish balances"
        return [Check(WHAT, "warn", found, f"give it an authorizer, and {TO_DO}")]
    if answer.error_code == ClusterAuthorizationFailedError.errno:
        return [Check(WHAT, "ok", "not known: this user may not see ACLs", "look with `kafka-acls --list`")]
    if answer.error_code:
        return [Check(WHAT, "warn", f"the broker does not say: {answer.error_message}", "look with `kafka-acls --list`")]
    return judged(settings, list(_rights(answer.resources)))


def _rights(resources: Iterable[Any]) -> Iterator[Right]:
    for entry in resources:
        name, pattern, rights = (entry[1], *entry[2:]) if len(entry) > 3 else (entry[1], LITERAL, entry[2])
        for principal, _, operation, permission in rights:
            if operation in WRITING:
                yield Right(name, pattern, principal, permission == ALLOW)


def judged(settings: KafkaSettings, rights: list[Right]) -> list[Check]:
    """What is wrong with these rights: a topic that everybody may write to, and one out that several may."""
    names = [settings.topic(name) for name in TOPICS_IN]
    ours = [*(settings.topic(name) for name in TOPICS_OUT), *(name + DLQ_SUFFIX for name in names)]
    may = {name: _may(rights, name) for name in (*names, *ours)}
    checks = []
    if to_all := [name for name, who in may.items() if EVERYBODY in who]:
        checks.append(Check(WHAT, "warn", f"everybody may write to {', '.join(to_all)}", TO_DO))
    several = {name: may[name] for name in ours if len(may[name]) > 1 and EVERYBODY not in may[name]}
    if several:
        found = "; ".join(f"{name}: {', '.join(sorted(who))}" for name, who in several.items())
        checks.append(Check(WHAT, "warn", f"not only the worker publishes: {found}", TO_DO))
    if not checks:
        checks.append(Check(WHAT, "ok", _told({name: may[name] for name in names})))
    return checks


def _may(rights: Iterable[Right], name: str) -> set[str]:
    about = [each for each in rights if each.covers(name)]
    denied = {each.principal for each in about if not each.allowed}
    return set() if EVERYBODY in denied else {each.principal for each in about if each.allowed} - denied


def _told(may: Mapping[str, set[str]]) -> str:
    return "; ".join(f"{name}: {', '.join(sorted(who)) or 'superusers alone'}" for name, who in may.items())
