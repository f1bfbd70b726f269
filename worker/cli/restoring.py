"""`loyalty ledger restored`: makes a database good that was restored to an earlier moment."""

from __future__ import annotations

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.output import Pace, tell


def restored() -> None:
    """After a restore of the database, before workers start: read announced verdicts back from Kafka and begin a new epoch.

    The workers then read again what came since the moment of the backup, and the ledger is what it would have been.
    """
    from worker.cli.opening import finish

    finish(_restored())


async def _restored() -> None:
    from worker.cli.opening import key_of, ledger
    from worker.cli.rebuilding import checked
    from worker.settings import load
    from worker.upkeep.restore import WorkersRunError, read_back

    settings = load()
    kafka = settings.kafka
    async with ledger(settings) as store:
        await checked(store, settings)
        before, pace = (await store.state()).epoch, Pace("message read back", "messages read back")
        client = kafka.client_options("loyalty-restored")
        try:
            found = await read_back(store, client, kafka.topic, kafka.group, key_of(settings), pace.add)
        except WorkersRunError as error:
            raise Failure(Exit.USAGE, str(error)) from None
        pace.end()
    what = counted(found.verdicts, "announced verdict") + (f" and {counted(found.paid, 'payment')}" if found.paid else "")
    tell(f"{what} read back, {found.new:,} of them not known to the database")
    if found.unreadable:
        silent = counted(found.unreadable, "message does", "messages do")
        tell(f"{silent} not say which event asked: what is said there is decided anew")
    tell(f"the database stood at epoch {before}, published was up to {found.highest}: epoch {found.epoch} begins")
    tell("start the workers: they read again what came since the moment of the backup")
