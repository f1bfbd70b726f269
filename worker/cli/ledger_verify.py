"""`loyalty ledger verify`: the whole ledger or a part of it, verified by processes that only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.output import Format, Output, Pace, show_json, show_lines, tell
from worker.cli.resuming import Cursor

if TYPE_CHECKING:
    from worker.persist import StoreOptions, Violation
    from worker.settings import Settings


def verify(
    account: Annotated[
        list[str] | None, typer.Option(metavar="ID|PROGRAM:MEMBER", help="Only this account; may be given again.")
    ] = None,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only accounts that were written since then.")] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many processes look at once.")] = 1,
    resume: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the progress in this file, and go on from there next time.")
    ] = None,
    against_kafka: Annotated[
        bool, typer.Option("--against-kafka", help="Compare facts with the records that Kafka still has, and nothing else.")
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Compare chains with what `ledger seal --export` wrote, and nothing else."),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Check every invariant, and that each account's facts, folded anew, give its state and what was posted. Only reads.

    With --against-kafka: that every fact is what its record says, and every record came to something.

    With --against: that every chain of facts goes on from what was sealed.

    Exits with 1 if anything is found.
    """
    from worker.cli.opening import finish

    if against_kafka and (account or since or resume or workers > 1):
        raise Failure(Exit.USAGE, "--against-kafka: looks at the whole ledger, in one process; leave the other options out")
    if against is not None and (against_kafka or account or since or resume or workers > 1):
        raise Failure(Exit.USAGE, "--against: looks at the whole ledger, in one process; leave the other options out")
    if against is not None:
        count = finish(_against(against, output))
    else:
        count = finish(_compare(output) if against_kafka else _verify(account, since, workers, resume, output))
    raise typer.Exit(Exit.FINDING if count else Exit.OK)


async def _verify(names: list[str] | None, since: str | None, workers: int, resume: Path | None, output: Format) -> int:
    from worker.cli.arguments import instant
    from worker.cli.opening import accounts_of
    from worker.persist import StoreOptions
    from worker.settings import load
    from worker.upkeep.audit import AuditRequest, verified

    if resume is not None and names:
        raise Failure(Exit.USAGE, "--resume: is for looking at the whole ledger, not with --account")
    settings = load()
    asked_since = instant(since, "--since") if since is not None else None
    cursor = Cursor(resume, "ledger verify", {"since": since})
    accounts = accounts_of(settings, names)
    if accounts and names:
        await _are_there(settings, dict(zip(accounts, names, strict=True)))
    asked = AuditRequest(asked_since, accounts, cursor.after, workers)
    options = StoreOptions(connections_max=2, role=settings.postgres.role, read_only=True)
    pace = Pace("account looked at", "accounts looked at", done=cursor.accounts)
    found: list[dict[str, Any]] = []
    async for looked in verified(settings.postgres.full_dsn(), options, asked):
        for violation in looked.found:
            found.append(_told(violation, pace, output))
        cursor.move(looked.after, looked.accounts, len(looked.found))
        pace.add(looked.accounts)
    pace.end()
    cursor.end()
    await _tell_taken_over(settings, options)
    if output is Format.JSON:
        show_json(found)
    elif output is Format.TABLE and not cursor.found:
        # What was found before the stop was told then, and is counted on.
        print("The ledger is sound: every invariant holds, and every account is what its facts say.")  # noqa: T201 - the answer
    if cursor.found:
        tell(f"loyalty: {counted(cursor.found, 'violation')}")
    return cursor.found


async def _tell_taken_over(settings: Settings, options: StoreOptions) -> None:
    """What was taken over though it could not be proven is no finding, and is never silent."""
    from worker.persist import PostgresStore
    from worker.persist.link import Link

    async with await PostgresStore.open(settings.postgres.full_dsn(), options) as store, store.connection() as connection:
        for row in await Link(connection).fetch("taken_over"):
            accounts = counted(row["accounts"], "account goes", "accounts go")
            when = f"{row['first_at']:%Y-%m-%d} to {row['last_at']:%Y-%m-%d}"
            tell(f"loyalty: {accounts} on from facts that {row['begun_by']} took over unproven ({when}): {row['reason']}")


async def _compare(output: Format) -> int:
    from worker.consume.replay import RecordsRemovedError, replay
    from worker.persist import PostgresStore, StoreOptions
    from worker.persist.link import Link
    from worker.programs.catalogue import Catalogue
    from worker.programs.registry import programs
    from worker.runtime.options import of_pipeline
    from worker.settings import load
    from worker.upkeep.against_kafka import AgainstKafka

    settings = load()
    options = of_pipeline(settings)
    found: list[dict[str, Any]] = []
    pace = Pace("record compared", "records compared")
    reading = StoreOptions(connections_max=2, role=settings.postgres.role, read_only=True)
    async with await PostgresStore.open(settings.postgres.full_dsn(), reading) as store, store.connection() as connection:
        catalogue = Catalogue(await programs(store))
        ends = {place: each.next_offset for place, each in (await store.positions()).items()}
        link = Link(connection)
        try:
            async with replay(settings.kafka.client_options("loyalty-verify"), ends) as read:
                compared = AgainstKafka(catalogue, options.account_key, options.limits, options.admission, read.bounds)
                async for records in read.records:
                    for violation in await compared.take(link, records):
                        found.append(_told(violation, pace, output))
                    pace.add(len(records))
        except RecordsRemovedError as error:
            raise Failure(Exit.AWAY, f"Kafka: {error}") from None
        async for violation in compared.unfounded(link):
            found.append(_told(violation, pace, output))
    pace.end()
    if output is Format.JSON:
        show_json(found)
    elif output is Format.TABLE and not found:
        facts, read_again = counted(compared.facts, "fact"), counted(compared.records, "record")
        beyond = f"; of {counted(compared.beyond, 'fact')} Kafka has the record no more" if compared.beyond else ""
        print(f"The ledger is what Kafka says: {facts}, {read_again}{beyond}.")  # noqa: T201 - the answer
    if found:
        tell(f"loyalty: {counted(len(found), 'violation')}")
    return len(found)


async def _against(path: Path, output: Format) -> int:
    from worker.persist import PostgresStore, StoreOptions
    from worker.settings import load
    from worker.upkeep.sealing import AgainstFile, SealFileError

    settings = load()
    found: list[dict[str, Any]] = []
    pace = Pace("violation")
    reading = StoreOptions(connections_max=2, role=settings.postgres.role, read_only=True)

    def lines() -> Iterator[bytes]:
        with path.open("rb") as file:
            yield from file

    compared = AgainstFile(lines)
    try:
        compared.read()
    except OSError as error:
        raise Failure(Exit.USAGE, f"{path}: {error.strerror}") from None
    except SealFileError as error:
        raise Failure(Exit.USAGE, f"{path}: {error}") from None
    async with await PostgresStore.open(settings.postgres.full_dsn(), reading) as store, store.connection() as connection:
        async for violation in compared.compare(connection):
            found.append(_told(violation, pace, output))
    pace.end()
    if output is Format.JSON:
        show_json(found)
    elif output is Format.TABLE and not found:
        sealed = ", ".join(f"seal {each.number} of {each.program}" for each in compared.seals)
        print(f"The ledger goes on from what was sealed: {counted(compared.chains, 'chain')}, {sealed}.")  # noqa: T201 - the answer
    if compared.erased:
        tell(f"{counted(compared.erased, 'chain is', 'chains are')} of people who were forgotten since")
    if found:
        tell(f"loyalty: {counted(len(found), 'violation')}")
    return len(found)


def _told(violation: Violation, pace: Pace, output: Format) -> dict[str, Any]:
    """The violation as a row, shown at once if rows are."""
    row = _row(violation)
    if output is not Format.JSON:
        pace.end()
        _show(row, output)
    return row


async def _are_there(settings: Settings, names: Mapping[UUID, str]) -> None:
    """Raises Failure if an account that is asked for is not there: nothing would be found wrong with it."""
    from worker.cli.opening import ledger

    async with ledger(settings) as store:
        there = {each.account_id async for each in store.dossiers(list(names)) if each.row is not None or each.facts}
    if lines := [f"--account {name}: there is no such account" for account, name in names.items() if account not in there]:
        raise Failure(Exit.FINDING, *lines, "(or LOYALTY_ACCOUNT_KEY is not the key of this ledger)")


def _row(violation: Violation) -> dict[str, Any]:
    from worker.upkeep.verify import cure_of

    return {
        "invariant": violation.invariant,
        "account_id": str(violation.account_id) if violation.account_id is not None else None,
        "detail": violation.detail,
        "cure": cure_of(violation),
    }


def _show(row: Mapping[str, Any], output: Format) -> None:
    if output is Format.NDJSON:
        show_lines([row])
    else:
        whose = f"account {row['account_id']}" if row["account_id"] is not None else "the ledger"
        print(f"{whose}: {row['invariant']}: {row['detail']}; cure: {row['cure']}")  # noqa: T201 - the answer
