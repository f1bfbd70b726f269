"""Settings as the options of each part: the only place where a setting's name meets a part's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.events import TOPICS_IN
from worker.consume.intake import IntakeOptions
from worker.consume.subscription import SubscriptionOptions
from worker.decode import Admission, Limits, Signatures
from worker.due import DueOptions
from worker.persist.postgres import StoreOptions
from worker.processing.ceilings import Ceilings
from worker.processing.pipeline import PipelineOptions
from worker.publish.relay import RelayOptions
from worker.runtime.sampling import SamplerOptions
from worker.runtime.timekeeping import TimekeeperOptions
from worker.settings import Settings

HEARTBEAT_MS_MAX: Final = 1_000


def of_store(settings: Settings) -> StoreOptions:
    """How the store is to use Postgres."""
    postgres = settings.postgres
    return StoreOptions(
        connections_max=postgres.connections_max,
        connect_seconds=postgres.connect_seconds,
        acquire_seconds=postgres.acquire_seconds,
        statement_seconds=postgres.statement_seconds,
        lock_seconds=postgres.lock_seconds,
        settle_seconds=postgres.settle_seconds,
        statement_cache_size=postgres.statement_cache_size,
        role=postgres.role,
    )


def of_pipeline(settings: Settings) -> PipelineOptions:
    """Bounds of records, ceilings over commands, the key of account ids, and how far the clock stays behind the watermark."""
    limits = settings.limits
    return PipelineOptions(
        account_key=settings.account_key.get_secret_value().encode(),
        limits=Limits(
            value_bytes_max=limits.value_bytes_max,
            headers_max=limits.headers_max,
            header_bytes_max=limits.header_bytes_max,
            depth_max=limits.depth_max,
            containers_max=limits.containers_max,
            skew_seconds_max=limits.skew_seconds_max,
        ),
        admission=Admission(
            types={settings.kafka.topic(topic): frozenset(types) for topic, types in TOPICS_IN.items()},
            sources=settings.kafka.sources_by_topic(),
            points_max=limits.points_max,
            signatures=_signatures(settings),
        ),
        ceilings=Ceilings(
            command=settings.ceilings.command_points,
            member=settings.ceilings.member_points_per_day,
            operator=settings.ceilings.operator_points_per_day,
            program=settings.ceilings.program_points_per_day,
        ),
        grace_seconds=settings.watermark.grace_seconds,
        topic=settings.kafka.topic,
    )


def _signatures(settings: Settings) -> Signatures | None:
    needed = settings.signatures.types_by_topic()
    if not needed:
        return None
    by_topic = {settings.kafka.topic(topic): types for topic, types in needed.items()}
    return Signatures(by_topic, settings.signatures.public_keys())


def of_intake(settings: Settings) -> IntakeOptions:
    """Bounds of batches and buffers."""
    batch = settings.batch
    return IntakeOptions(
        batch_bytes_max=batch.bytes_max,
        buffer_records_max=batch.buffer_records_max,
        buffer_bytes_max=batch.buffer_bytes_max,
        total_bytes_max=batch.buffers_bytes_max,
        step_tolerance_seconds=settings.step.tolerance_seconds,
        step_wait_seconds=settings.step.wait_seconds,
        gap_policy=settings.kafka.gap_policy,
    )


def of_subscription(settings: Settings, topics: tuple[str, ...], client: Mapping[str, Any]) -> SubscriptionOptions:
    """Which topics are read, and how the group is kept."""
    kafka = settings.kafka
    return SubscriptionOptions(
        topics=topics,
        group=kafka.group,
        client=client,
        poll_records_max=settings.batch.records_max,
        session_timeout_ms=kafka.session_timeout_seconds * 1000,
        # However long a session lasts, a worker hears soon that partitions are to be dealt anew.
        heartbeat_ms=min(kafka.session_timeout_seconds * 1000 // 3, HEARTBEAT_MS_MAX),
        stall_seconds=kafka.stall_seconds,
    )


def of_relay(settings: Settings) -> RelayOptions:
    """How messages are published."""
    relay = settings.relay
    return RelayOptions(
        groups=relay.groups,
        read_rows_max=relay.read_rows_max,
        lease_seconds=relay.lease_seconds,
        idle_seconds_max=relay.idle_seconds_max,
    )


def of_due(settings: Settings) -> DueOptions:
    """How accounts are woken whose time has come."""
    due = settings.due
    return DueOptions(
        grace_seconds=settings.watermark.grace_seconds,
        accounts_max=due.accounts_max,
        share_max=due.share_max,
        idle_seconds=due.idle_seconds,
    )


def of_timekeeper(settings: Settings) -> TimekeeperOptions:
    """How the watermark is kept, and how long anything is waited for."""
    return TimekeeperOptions(
        holder=settings.worker_id,
        period_seconds=settings.watermark.report_seconds,
        longest_wait_seconds=settings.watermark.longest_wait_seconds,
    )


def of_sampler(settings: Settings) -> SamplerOptions:
    """How many accounts are checked beside the work, and how many of them may be fenced."""
    return SamplerOptions(settings.verify.accounts_per_minute, settings.verify.fences_per_hour_max)
