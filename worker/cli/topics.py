"""`loyalty topics`: the topics that a worker reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from contracts.counting import counted
from worker.cli.examples import example
from worker.cli.output import tell

if TYPE_CHECKING:
    from worker.settings import KafkaSettings

app = typer.Typer(no_args_is_help=True, help="Topics on Kafka.")

PARTITIONS = 12
"""As many workers as this can share the work; the same number for all topics in, so that members stay with one worker."""


@app.callback()
def topics() -> None:
    """Topics on Kafka."""


@app.command(epilog=example("topics create"))
def create(
    partitions: Annotated[
        int, typer.Option(min=1, max=10_000, help="Partitions of each topic; a dead-letter topic has one.")
    ] = PARTITIONS,
    replicas: Annotated[int, typer.Option(min=-1, max=100, help="Copies of each; -1 leaves it to the cluster.")] = -1,
) -> None:
    """Create the topics in, out and for dead letters that are not there yet."""
    from worker.cli.opening import finish
    from worker.local.topics import create_topics
    from worker.settings import load

    kafka = load().kafka
    client = kafka.client_options("loyalty-cli")
    bootstrap = client.pop("bootstrap_servers")
    wanted = wanted_topics(kafka, partitions)
    finish(create_topics(bootstrap, wanted, replicas=replicas, client=client))
    tell(f"{counted(len(wanted), 'topic is', 'topics are')} there: {', '.join(wanted)}")


def wanted_topics(kafka: KafkaSettings, partitions: int) -> dict[str, int]:
    """Every topic that a worker reads or writes, and its number of partitions."""
    from contracts.events import DLQ_SUFFIX, TOPICS_IN, TOPICS_OUT

    names = [*TOPICS_IN, *TOPICS_OUT]
    return {kafka.topic(name): partitions for name in names} | {kafka.topic(name) + DLQ_SUFFIX: 1 for name in TOPICS_IN}
