"""The worker on servers that want TLS, certificates and passwords: everything that the settings offer, tried on real ones."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.flows.secured import (
    KEY_PASSWORD,
    PASSWORD,
    Authority,
    grant,
    let_in,
    right,
    rights_of_a_worker,
    secure,
    secured_kafka,
    take_back,
)
from tests.flows.system import System, until
from tests.parts.missing import cannot_run
from worker.cli.examination import examine
from worker.local import LocalKafka, LocalPostgres, find_binaries
from worker.local.kafka_jars import missing as jars_missing
from worker.local.sql import execute
from worker.settings import load

WAIT_SECONDS = 60.0
GROUP = "group"
EXAMPLE = Path(__file__).parents[2] / "contracts" / "examples" / "in" / "points.adjusted--grant.json"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        cannot_run("servers with TLS", "no openssl to make certificates with", "install Debian's package openssl")
    authority = Authority(tmp_path_factory.mktemp("secured") / "authority")
    authority.begin()
    return authority


@pytest.fixture(scope="module")
def kafka(authority: Authority) -> Iterator[LocalKafka]:
    """A Kafka of its own, where a worker named `points` is let in, with the rights that it needs and no others."""
    if why := jars_missing():
        cannot_run("a Kafka with TLS", why, "install Java 17 and Maven")
    kafka = secured_kafka(authority.directory.parent / "kafka", authority)
    try:
        kafka.start()
        let_in(kafka, authority, "points")
        grant(kafka, authority, *rights_of_a_worker("points", GROUP))
        yield kafka
    finally:
        kafka.stop()
        kafka.remove_data()


@pytest.fixture(scope="module")
def secured(authority: Authority, kafka: LocalKafka) -> Iterator[System]:
    """A service on that Kafka and a Postgres of its own; the settings are those of a worker that is let in."""
    if (programs := find_binaries(15)) is None:  # the embedded Postgres 18 is built without TLS
        cannot_run("a Postgres with TLS", "no server programs of version 15", "install Debian's package postgresql-15")
    directory = authority.directory.parent
    postgres = LocalPostgres(directory / "postgres", programs)
    system = System("", "", "", directory)
    try:
        postgres.start()
        execute(postgres.dsn(), "CREATE DATABASE loyalty")
        secure(postgres, authority, {"postgres": False, "points_worker": True})
        system.bootstrap = kafka.bootstrap
        system.dsn = f"postgresql://points_worker@127.0.0.1:{postgres.port}/loyalty"
        system.settings = _settings(authority, directory)
        yield system
    finally:
        system.stop_workers()
        postgres.stop()
        postgres.remove_data()


def _settings(authority: Authority, directory: Path) -> dict[str, str]:
    kafka_certificate, kafka_key = authority.issue("client", "points", KEY_PASSWORD)
    postgres_certificate, postgres_key = authority.issue("postgres-client", "points_worker")
    password = directory / "password"
    password.write_text(f"{PASSWORD}\n")
    return {
        "LOYALTY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "LOYALTY_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "LOYALTY_KAFKA_SASL_USER": "points",
        "LOYALTY_KAFKA_SASL_PASSWORD_FILE": str(password),
        "LOYALTY_KAFKA_TLS_CA_FILE": str(authority.certificate),
        "LOYALTY_KAFKA_TLS_CERT_FILE": str(kafka_certificate),
        "LOYALTY_KAFKA_TLS_KEY_FILE": str(kafka_key),
        "LOYALTY_KAFKA_TLS_KEY_PASSWORD": KEY_PASSWORD,
        "LOYALTY_POSTGRES_PASSWORD_FILE": str(password),
        "LOYALTY_POSTGRES_TLS_MODE": "verify-full",
        "LOYALTY_POSTGRES_TLS_CA_FILE": str(authority.certificate),
        "LOYALTY_POSTGRES_TLS_CERT_FILE": str(postgres_certificate),
        "LOYALTY_POSTGRES_TLS_KEY_FILE": str(postgres_key),
    }


async def _wrong() -> dict[str, str]:
    """What the doctor finds wrong, by what it looked at."""
    return {check.what: check.found for check in await examine() if check.result != "ok"}


async def test_an_event_goes_through_servers_that_want_certificates_and_passwords(
    secured: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = secured.dsn.replace("points_worker@", "postgres@")
    await secured.command("migrate", LOYALTY_POSTGRES_DSN=owner)
    await secured.command(
        "topics", "create", "--partitions", "1", LOYALTY_KAFKA_SASL_MECHANISM="PLAIN", LOYALTY_KAFKA_SASL_USER="broker"
    )
    for name, value in secured.environment.items():
        if name.startswith("LOYALTY_"):
            monkeypatch.setenv(name, value)
    with monkeypatch.context() as change:
        change.setenv("LOYALTY_POSTGRES_DSN", owner)
        await asyncio.to_thread(execute, load().postgres.full_dsn(), "GRANT loyalty_worker TO points_worker")
    assert await _wrong() == {}
    for mechanism, user in (("SCRAM-SHA-256", "points"), ("PLAIN", "broker")):
        with monkeypatch.context() as change:
            change.setenv("LOYALTY_KAFKA_SASL_MECHANISM", mechanism)
            change.setenv("LOYALTY_KAFKA_SASL_USER", user)
            assert await _wrong() == {}

    with monkeypatch.context() as change:
        _be_the_broker(change)
        options = load().kafka.client_options("test")
    async with asyncio.timeout(WAIT_SECONDS), AIOKafkaProducer(**options) as producer:
        await producer.send_and_wait("loyalty.command", EXAMPLE.read_bytes())
    worker = secured.start_worker("w1")
    consumer = AIOKafkaConsumer("loyalty.balance-changed", auto_offset_reset="earliest", **options)
    async with asyncio.timeout(WAIT_SECONDS), consumer:
        told = json.loads((await consumer.getone()).value)
    assert (told["member_id"], told["available"]) == ("M-506", 500)
    statement = json.loads(await secured.command("member", "statement", "belle-maison", "M-506", "--output", "json"))
    assert statement["available"] == 500
    worker.ask_to_stop()

    async def ended() -> bool:
        return not worker.alive

    await until(ended, WAIT_SECONDS, "the worker ends")
    assert worker.stop_signal is signal.SIGTERM
    assert worker.stop() == 0


def _be_the_broker(change: pytest.MonkeyPatch) -> None:
    """Who may do everything."""
    change.setenv("LOYALTY_KAFKA_SASL_MECHANISM", "PLAIN")
    change.setenv("LOYALTY_KAFKA_SASL_USER", "broker")


async def _writers(change: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the doctor says of who may write, to a user who may see ACLs."""
    _be_the_broker(change)
    return [(check.result, check.found) for check in await examine() if check.what == "who may write"]


async def test_whoever_may_write_where_only_the_worker_or_the_back_office_should_is_named(
    secured: System, kafka: LocalKafka, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in secured.environment.items():
        if name.startswith("LOYALTY_"):
            monkeypatch.setenv(name, value)
    assert [check.found for check in await examine() if check.what == "who may write"] == [
        "not known: this user may not see ACLs"
    ]
    grant(kafka, authority, right("desk", "write", "loyalty.command"))
    ((result, found),) = await _writers(monkeypatch)
    assert result == "ok"
    assert "loyalty.command: User:desk" in found
    assert "commerce.order: superusers alone" in found
    open_doors = [right("*", "write", "commerce.order"), right("desk", "all", "loyalty.balance-changed")]
    grant(kafka, authority, *open_doors)
    assert await _writers(monkeypatch) == [
        ("warn", "everybody may write to commerce.order"),
        ("warn", "not only the worker publishes: loyalty.balance-changed: User:desk, User:points"),
    ]
    take_back(kafka, authority, *open_doors)
    assert [result for result, _ in await _writers(monkeypatch)] == ["ok"]


async def test_a_wrong_authority_certificate_or_password_is_told_in_words(
    secured: System, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other")
    other.begin()
    certificate, _ = other.issue("client", "points_worker")
    for name, value in secured.environment.items():
        if name.startswith("LOYALTY_"):
            monkeypatch.setenv(name, value)
    garbage = tmp_path / "garbage"
    garbage.write_text("no certificate")
    for name, given, kafka, postgres in (
        ("TLS_CA_FILE", other.certificate, "CERTIFICATE_VERIFY_FAILED", "CERTIFICATE_VERIFY_FAILED"),
        ("TLS_CERT_FILE", certificate, "", "KEY_VALUES_MISMATCH"),
        ("TLS_CA_FILE", garbage, "", "NO_CERTIFICATE_OR_CRL_FOUND"),
        ("SASL_PASSWORD_FILE", garbage, "Authentication failed", ""),
        ("PASSWORD_FILE", garbage, "", "password authentication failed"),
        # What needs no server to be seen stops every command.
        ("TLS_CERT_FILE", certificate, "LOYALTY_KAFKA_…: tls_cert_file, tls_key_file and tls_key_password should be", ""),
        ("TLS_CA_FILE", garbage, "LOYALTY_KAFKA_…: tls_ca_file should hold certificates in PEM: no certificate or crl", ""),
        ("TLS_KEY_PASSWORD", "", "should be a certificate and its key in PEM", ""),
    ):
        with monkeypatch.context() as change:
            for group, words in (("KAFKA", kafka), ("POSTGRES", postgres)):
                if words:
                    change.setenv(f"LOYALTY_{group}_{name}", str(given))
            found = await _wrong()
        wanted = {"kafka": kafka, "postgres": postgres} if "settings" not in found else {"settings": kafka}
        assert found.keys() == {what for what, words in wanted.items() if words}, found
        for what, said in found.items():
            assert wanted[what] in said, found
