"""The checks of `loyalty doctor`: each ends in one line, whatever is wrong, and nothing is changed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from contracts.counting import counted
from contracts.events import DLQ_SUFFIX, TOPICS_IN
from db.migrate import applied, migrations, schema_version
from worker.cli.acl_checks import writers
from worker.cli.checks import WAIT_SECONDS, Check, Result
from worker.cli.kafka_checks import gaps, out_settings
from worker.cli.topics import wanted_topics
from worker.persist import key_check
from worker.programs.terms_file import shipped
from worker.runtime.build import VERSION, the_fold_is
from worker.runtime.clocks import FarClock, differs
from worker.settings import TLS_TO_DO, KafkaSettings, Settings, SettingsError, load

if TYPE_CHECKING:
    from db.migrate import Connection

UNKNOWN_TOPIC: Final = 3
OVERDUE: Final = timedelta(hours=1)
"""So long after its time an erasure is late: messages of the account have to be published first."""
RIGHTS: Final = (
    ("fact", "INSERT"),
    ("entry", "INSERT"),
    ("account", "UPDATE"),
    ("lot", "DELETE"),
    ("outbox", "DELETE"),
    ("position", "UPDATE"),
)
NO_RIGHTS: Final = (
    ("fact", "UPDATE"),
    ("fact", "DELETE"),
    ("entry", "UPDATE"),
    ("entry", "DELETE"),
    ("program_terms", "INSERT"),
    ("terms_approval", "INSERT"),
)


async def examine() -> list[Check]:
    """Everything that a worker needs, in the order in which to repair it."""
    try:
        settings = load()
    except SettingsError as error:
        return [
            Check("settings", "fail", mistake, "correct it in the environment or the settings file") for mistake in error.mistakes
        ]
    checks = [Check("settings", "ok", "complete"), Check("release", "ok", VERSION), Check("fold", "ok", the_fold_is())]
    if hosts := settings.plain_text_to():
        checks.append(Check("tls", "warn", f"plain text to {', '.join(hosts)}", TLS_TO_DO))
    else:
        checks.append(Check("tls", "ok", "no plain text leaves this machine"))
    checks.append(_ceilings(settings))
    needed = ", ".join(f"{topic} ({len(types)})" for topic, types in settings.signatures.types_by_topic().items())
    checks.append(Check("signatures", "ok", f"needed on {needed}" if needed else "none is needed"))
    for found in await asyncio.gather(_kafka(settings.kafka), _postgres(settings), gaps(settings)):
        checks += found
    return checks


async def _kafka(settings: KafkaSettings) -> list[Check]:
    admin = AIOKafkaAdminClient(**settings.client_options("loyalty-doctor"))
    to_do = "start Kafka, or correct LOYALTY_KAFKA_BOOTSTRAP and its TLS and SASL settings"
    said: list[str] = []
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            with _overheard(said):
                await admin.start()
            wanted = wanted_topics(settings, 1)
            described = {each["topic"]: each for each in await admin.describe_topics(list(wanted))}
            meant = [*await out_settings(admin, settings), *await writers(admin, settings)]
    except (KafkaError, OSError, TimeoutError) as error:
        return [Check("kafka", "fail", f"{settings.bootstrap}: {said[-1] if said else _words(error)}", to_do)]
    finally:
        await admin.close()
    counts = {name: len(each["partitions"]) for name, each in described.items() if each["error_code"] == 0}
    return [Check("kafka", "ok", f"{settings.bootstrap} answers"), *_topics(settings, list(wanted), counts), *meant]


@contextmanager
def _overheard(said: list[str]) -> Iterator[None]:
    """Why aiokafka cannot connect it says to its log only: a certificate, a password, nobody there."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(" ".join(record.getMessage().split()))

    ear, log = Ear(), logging.getLogger("aiokafka")
    level, passed_on = log.level, log.propagate
    log.addHandler(ear)
    log.setLevel(logging.ERROR)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(ear)
        log.setLevel(level)
        log.propagate = passed_on


def _topics(settings: KafkaSettings, wanted: list[str], counts: dict[str, int]) -> Iterator[Check]:
    missing = [name for name in wanted if name not in counts]
    dead = [name for name in missing if name.endswith(DLQ_SUFFIX)]
    if missing:
        severe: Result = "warn" if missing == dead else "fail"
        yield Check("topics", severe, f"not there: {', '.join(missing)}", "create them: loyalty topics create")
    else:
        yield Check("topics", "ok", f"all {len(wanted)} are there")
    read = {settings.topic(name): counts[settings.topic(name)] for name in TOPICS_IN if settings.topic(name) in counts}
    if len(set(read.values())) > 1:
        numbers = ", ".join(f"{name} {count}" for name, count in read.items())
        to_do = "as right, but slower with several workers: give all topics in the same number, and key them by member id"
        yield Check("partitions", "warn", numbers, to_do)
    elif read:
        yield Check("partitions", "ok", f"{next(iter(read.values()))} of every topic in")


async def _postgres(settings: Settings) -> list[Check]:
    to_do = "start Postgres, or correct LOYALTY_POSTGRES_DSN"
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            connection = await asyncpg.connect(settings.postgres.full_dsn(), timeout=WAIT_SECONDS)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        return [Check("postgres", "fail", _words(error), to_do)]
    try:
        version = connection.get_server_version()
        checks = [Check("postgres", "ok", f"Postgres {version.major}.{version.minor} answers")]
        if settings.postgres.role is not None:
            await connection.execute(f'SET ROLE "{settings.postgres.role}"')
        checks.append(await _clock(connection, settings))
        return checks + await _ledger(connection, settings)
    except asyncpg.PostgresError as error:
        return [Check("postgres", "fail", _words(error), "see db/roles.sql for the rights that are needed")]
    finally:
        await connection.close()


async def _clock(connection: Connection, settings: Settings) -> Check:
    database, asked = FarClock(), time.monotonic()
    database.heard(asked, await connection.fetchval("SELECT clock_timestamp()"))
    offset = database.behind(datetime.now(UTC)) or 0.0
    found = differs("database", offset)
    if abs(offset) > settings.clock.offset_seconds_max:
        to_do = f"set the clock that is wrong (NTP): this machine says {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
        return Check("clock", "fail", found, to_do)
    return Check("clock", "ok", found)


async def _ledger(connection: Connection, settings: Settings) -> list[Check]:
    try:
        there = await applied(connection)
    except asyncpg.InsufficientPrivilegeError as error:
        return [Check("rights", "fail", _words(error), "make this user a member of loyalty_worker (db/roles.sql)")]
    missing = [name for name, path in migrations().items() if name not in there and "_before_" in path.name]
    if missing:
        return [Check("schema", "fail", f"lacks {', '.join(missing)}", "run `loyalty migrate` as the owner of the database")]
    unknown = sorted(there - set(migrations()))
    if unknown:
        to_do = "fine while a newer release is rolled out; else start that release"
        checks = [Check("schema", "warn", f"newer than this release: {', '.join(unknown)}", to_do)]
    else:
        checks = [Check("schema", "ok", schema_version())]
    checks.append(await _rights(connection))
    checks.append(await _key(connection, settings))
    checks.append(await _terms(connection))
    checks.append(await _fenced(connection))
    checks.append(await _held(connection))
    checks.append(await _erasures(connection, settings))
    return checks


async def _rights(connection: Connection) -> Check:
    async def has(pairs: tuple[tuple[str, str], ...]) -> list[str]:
        found: list[str] = []
        for table, right in pairs:
            # Some rights are given by column; whole rows alone are deleted.
            of = "table" if right == "DELETE" else "any_column"
            if await connection.fetchval(f"SELECT has_{of}_privilege($1, $2)", table, right):
                found.append(f"{right} on {table}")
        return found

    lacking = [f"{right} on {table}" for table, right in RIGHTS if f"{right} on {table}" not in await has(RIGHTS)]
    if lacking:
        return Check("rights", "fail", f"lacks {', '.join(lacking)}", "make this user a member of loyalty_worker (db/roles.sql)")
    if too_many := await has(NO_RIGHTS):
        to_do = "give the worker a user in loyalty_worker alone, or set LOYALTY_POSTGRES_ROLE=loyalty_worker"
        return Check("rights", "warn", f"more than a worker needs: {', '.join(too_many)}", to_do)
    return Check("rights", "ok", "those of a worker: it can add to the ledger and change nothing in it")


async def _key(connection: Connection, settings: Settings) -> Check:
    kept: Any = await connection.fetchval("SELECT key_check FROM ledger_state")
    if kept is None:
        return Check("account key", "ok", "not bound yet: the first worker's key becomes the ledger's")
    if kept != key_check(settings.account_key.get_secret_value().encode()):
        return Check("account key", "fail", "not the key that this ledger was begun with", "correct LOYALTY_ACCOUNT_KEY")
    return Check("account key", "ok", "that of this ledger")


async def _terms(connection: Connection) -> Check:
    codes = [row["program"] for row in await connection.fetch("SELECT DISTINCT program FROM program_terms ORDER BY program")]
    if not codes:
        return Check("terms", "fail", "none are registered", "run `loyalty migrate`, or `loyalty program apply FILE`")
    missing = [code for code in shipped() if code not in codes]
    if missing:
        to_do = "if it should run here: `loyalty program apply FILE`"
        return Check("terms", "ok", f"{', '.join(codes)}; shipped and not registered: {', '.join(missing)}", to_do)
    return Check("terms", "ok", ", ".join(codes))


async def _fenced(connection: Connection) -> Check:
    count = await connection.fetchval("SELECT count(*) FROM account WHERE fenced IS NOT NULL")
    if count:
        mend = "`loyalty ledger rebuild --fenced`, or `loyalty ledger refold` for those that await one"
        to_do = f"`loyalty ledger verify` tells why; then {mend} (deploy/runbook.md)"
        fenced = counted(count, "is fenced: it keeps its events", "are fenced: they keep their events")
        return Check("accounts", "warn", f"{fenced}, and nothing is posted", to_do)
    return Check("accounts", "ok", "none is fenced")


def _ceilings(settings: Settings) -> Check:
    """What bounds whoever may send commands. On a broker of this machine nobody else sends any."""
    ceilings = settings.ceilings
    lacking = [name for name in ("command_points", "program_points_per_day") if getattr(ceilings, name) is None]
    if not lacking:
        return Check("ceilings", "ok", f"one command {ceilings.command_points:,}, a day {ceilings.program_points_per_day:,}")
    if settings.kafka.far_host() is None:
        return Check("ceilings", "ok", "none: commands are bounded by what one event may give alone")
    names = " and ".join(f"LOYALTY_CEILINGS_{name.upper()}" for name in lacking)
    found = f"{names} not set: whoever may send commands gives any number of points, without a second person"
    return Check("ceilings", "warn", found, f"set {names} (worker/processing/README.md)")


async def _held(connection: Connection) -> Check:
    count = await connection.fetchval("""
        SELECT count(*) FROM held_command h
        LEFT JOIN command_verdict v ON v.account_id = h.account_id AND v.source = h.source AND v.id = h.id
        WHERE v.account_id IS NULL""")
    if count:
        held = counted(count, "is above a ceiling and waits", "are above a ceiling and wait")
        return Check("commands", "warn", f"{held} for another person", "`loyalty command list`, then approve or reject")
    return Check("commands", "ok", "none is held")


async def _erasures(connection: Connection, settings: Settings) -> Check:
    late = timedelta(seconds=settings.erasure.wait_seconds) + OVERDUE
    count = await connection.fetchval(
        "SELECT count(*) FROM erasure WHERE (done_until IS NULL OR done_until < asked_until) "
        "AND asked_until <= $1",
        await connection.fetchval("SELECT value - $1::interval FROM watermark", late),
    )
    if count:
        overdue = counted(count, "person has", "people have")
        to_do = "a worker that may erase, or `loyalty ledger erase` with a login in loyalty_eraser (db/README.md, roles)"
        return Check("erasures", "warn", f"{overdue} waited to be forgotten for longer than is set", to_do)
    return Check("erasures", "ok", "nobody waits for longer than is set")


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or ("no answer in time" if isinstance(error, TimeoutError) else type(error).__name__)
