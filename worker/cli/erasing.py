"""`loyalty ledger erase`: people who asked for it are forgotten, under a login of its own."""

from __future__ import annotations

from contracts.counting import counted
from worker.cli.failures import Exit, Failure
from worker.cli.output import tell


def erase() -> None:
    """Forget the people whose time has come, as a worker does that may.

    On a cluster no worker may: run it from time to time with a login in `loyalty_eraser`, from a machine that runs no worker.
    Workers may run beside it. What cannot be done yet (messages of the account wait to be published) is done the next time.
    """
    from worker.cli.opening import finish

    tell(f"{counted(finish(_erase()), 'person was', 'people were')} forgotten")


async def _erase() -> int:
    from worker.cli.opening import ledger
    from worker.processing.pipeline import Pipeline
    from worker.runtime.app import NotReadyError, check
    from worker.runtime.erasing import Eraser
    from worker.runtime.options import of_pipeline
    from worker.settings import load

    settings = load()
    async with ledger(settings) as store:
        try:
            catalogue = await check(store, settings.account_key.get_secret_value().encode())
        except NotReadyError as error:
            raise Failure(Exit.USAGE, str(error)) from None
        if not await store.may_erase():
            raise Failure(Exit.USAGE, "this login may not erase: log in as one in loyalty_eraser (db/roles.sql)")
        pipeline = Pipeline(store, catalogue, of_pipeline(settings), (await store.state()).epoch)
        watermark = await store.watermark()
        if watermark is not None:
            pipeline.know(watermark)
        eraser = Eraser(store, pipeline.erase, settings.erasure.wait_seconds)
        forgotten = 0
        while done := await eraser.turn():
            forgotten += done
        return forgotten
