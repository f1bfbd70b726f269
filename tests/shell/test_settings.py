"""A wrong setting stops the start with one clear line; values come from four places."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.runtime.options import of_pipeline
from worker.settings import SettingsError, load
from worker.settings.loading import every_setting
from worker.settings.table import table

GOOD = {
    "LOYALTY_KAFKA_BOOTSTRAP": "kafka:9092",
    "LOYALTY_POSTGRES_DSN": "postgresql://loyalty@db:5432/ledger",
    "LOYALTY_ACCOUNT_KEY": "0123456789abcdef",
}
Environment = Callable[..., None]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Makes these the only settings in the environment: `environment(GOOD, LOYALTY_PROBE_PORT="1")`."""

    def use(base: dict[str, str], **more: str) -> None:
        import os

        for name in [name for name in os.environ if name.startswith("LOYALTY_")]:
            monkeypatch.delenv(name)
        for name, value in {**base, **more}.items():
            monkeypatch.setenv(name, value)

    return use


def mistakes() -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load()
    return caught.value.mistakes


def test_three_settings_suffice(environment: Environment) -> None:
    environment(GOOD)
    settings = load()
    assert settings.kafka.bootstrap == "kafka:9092"
    assert settings.batch.records_max == 4_000
    assert settings.kafka.topic("commerce.order") == "commerce.order"
    assert "0123456789abcdef" not in repr(settings)


def test_what_is_missing_is_named_with_what_would_be_right(environment: Environment) -> None:
    environment({})
    assert mistakes() == [
        "LOYALTY_ACCOUNT_KEY must be set: the secret that account ids are made with, 16 characters or more",
        "LOYALTY_KAFKA_BOOTSTRAP must be set: host:port, several with commas",
        "LOYALTY_POSTGRES_DSN must be set: postgresql://user@host:port/database",
    ]


def test_the_page_of_all_settings_is_current_and_explains_each() -> None:
    page = (Path(__file__).parents[2] / "deploy" / "settings.md").read_text()
    assert page == table(), "python -m worker.settings.table > deploy/settings.md"
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `LOYALTY_")]
    assert len(rows) == len(list(every_setting()))
    assert all(meaning.removeprefix("**secret**: ").removesuffix(" |") for _, _, meaning in rows)


@pytest.mark.parametrize(
    ("name", "value", "wrong", "right"),
    [
        ("BATCH_RECORDS_MAX", "0", "greater than or equal to 1", "records of one transaction, 1 to 20,000"),
        ("BATCH_RECORDS_MAX", "99999", "less than or equal to 20000", "records of one transaction, 1 to 20,000"),
        ("PROBE_PORT", "abc", "valid integer", "port; 0 takes a free one, 0 to 65,535"),
        ("STEP_WAIT_SECONDS", "nan", "finite number", "waits for another at most, seconds, 0 to 3,600"),
        ("KAFKA_BOOTSTRAP", "kafka", "match pattern", "host:port, several with commas"),
        ("KAFKA_GAP_POLICY", "jump", "'stop' or 'continue'", "when Kafka removed records before they were read"),
        ("KAFKA_TLS_CA_FILE", "/nowhere.pem", "does not point to a file", "a PEM file that exists"),
    ],
)
def test_a_wrong_value_is_one_line_with_name_value_and_what_is_right(
    environment: Environment, name: str, value: str, wrong: str, right: str
) -> None:
    environment(GOOD, **{f"LOYALTY_{name}": value})
    (line,) = mistakes()
    assert line.startswith(f"LOYALTY_{name}={value}: ")
    assert wrong in line
    assert line.endswith(right)


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("KAFKA_BOOTSTRP", "x:1", "KAFKA_BOOTSTRP: there is no such setting, did you mean LOYALTY_KAFKA_BOOTSTRAP?"),
        ("SHOE_SIZE", "43", "SHOE_SIZE: there is no such setting"),
        ("ACCOUNT_KEY_FILE", "/nowhere", "ACCOUNT_KEY_FILE=/nowhere: must be a file that can be read"),
        ("SECRETS_DIR", "/nowhere", "SECRETS_DIR=/nowhere: must be a directory that exists"),
        ("CONFIG", "/nowhere.yaml", "CONFIG=/nowhere.yaml: cannot be read: there is no such file"),
        ("CONFIG", "/etc/hosts", "CONFIG=/etc/hosts: cannot be read: the name must end in .yaml or .toml"),
        ("KAFKA_SASL_USER", "me", "KAFKA_…: sasl_… is set: security_protocol must be SASL_PLAINTEXT or SASL_SSL"),
        (
            "POSTGRES_DSN",
            "mysql://me:sesame@db/x",
            "POSTGRES_…: dsn must look like postgresql://user@host:port/database; in a password within it, / is written %2F,"
            " @ %40, : %3A, ? %3F and # %23, or the password is given apart, in a file",
        ),
    ],
)
def test_what_cannot_be_used_is_one_line(environment: Environment, name: str, value: str, line: str) -> None:
    environment(GOOD, **{f"LOYALTY_{name}": value})
    assert mistakes() == [f"LOYALTY_{line}"]


def test_secrets_are_never_shown(environment: Environment) -> None:
    environment(GOOD, LOYALTY_ACCOUNT_KEY="sesame", LOYALTY_POSTGRES_DSN="x://me:sesame@db", LOYALTY_KAFKA_SASL_PASSWORD="sesame")
    lines = mistakes()
    assert len(lines) == 3
    assert "sesame" not in " ".join(lines)


def test_all_mistakes_are_told_at_once(environment: Environment) -> None:
    environment(GOOD, LOYALTY_PROBE_PORT="x", LOYALTY_SHOE_SIZE="43", LOYALTY_STEP_WAIT_SECONDS="-1")
    assert len(mistakes()) == 3


def test_an_empty_value_counts_as_unset(environment: Environment) -> None:
    environment(GOOD, LOYALTY_KAFKA_SASL_USER="", LOYALTY_LOG_LEVEL="")
    assert load().log.level == "info"


def test_names_of_the_tests_and_the_demo_are_no_mistakes(environment: Environment) -> None:
    environment(GOOD, LOYALTY_TEST_KAFKA="x:1", LOYALTY_DEMO_KEEP="1")
    load()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", "batch: {records_max: 7}\nlog: {level: debug}\n"),
        ("c.toml", "[batch]\nrecords_max = 7\n[log]\nlevel = 'debug'\n"),
    ],
)
def test_a_file_gives_values_and_the_environment_wins(environment: Environment, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    environment(GOOD, LOYALTY_CONFIG=str(tmp_path / name), LOYALTY_LOG_LEVEL="error")
    settings = load()
    assert (settings.batch.records_max, settings.log.level) == (7, "error")


def test_mistakes_within_the_file_are_named(environment: Environment, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("batch: {record_max: 7, linger_ms: -1}\n")
    environment(GOOD, LOYALTY_CONFIG=str(file))
    assert mistakes() == [
        "LOYALTY_BATCH_LINGER_MS=-1: Input should be greater than or equal to 0; right is: how long a batch waits for more "
        "records, milliseconds, 0 to 10,000",
        f"batch.record_max in {file}: there is no such setting, did you mean LOYALTY_BATCH_RECORDS_MAX?",
    ]


def test_a_file_that_is_no_yaml_is_one_line(environment: Environment, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("a: [\n")
    environment(GOOD, LOYALTY_CONFIG=str(file))
    assert len(mistakes()) == 1
    assert mistakes()[0].startswith(f"LOYALTY_CONFIG={file}: cannot be read: ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("log: {level: debug}\nlog: {level: error}\n", "key given twice: log"),
        ("batch: {records_max: 7, records_max: 8}\n", "key given twice: records_max"),
        ("batch: {7: 7}\n", "a key should be text, is 7"),
        ("- log\n", "should be a mapping of groups"),
        ("batch:\nlog: {level: debug}\n", "there is no value; write one, or null, or leave the name out"),
    ],
)
def test_what_a_file_says_twice_or_not_at_all_is_one_line(environment: Environment, tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    environment(GOOD, LOYALTY_CONFIG=str(file))
    (mistake,) = mistakes()
    assert mistake.startswith(f"LOYALTY_CONFIG={file}: cannot be read: {told}")


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_a_file_may_be_empty(environment: Environment, tmp_path: Path, text: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(text)
    environment(GOOD, LOYALTY_CONFIG=str(file))
    assert load().batch.records_max > 0


def test_secrets_come_from_files_and_a_directory(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "postgres_password").write_text("p@ss/wörd\n")
    (tmp_path / "key").write_text("fedcba9876543210\n")
    base = {name: value for name, value in GOOD.items() if name != "LOYALTY_ACCOUNT_KEY"}
    environment(base, LOYALTY_SECRETS_DIR=str(tmp_path), LOYALTY_ACCOUNT_KEY_FILE=str(tmp_path / "key"))
    settings = load()
    assert settings.account_key.get_secret_value() == "fedcba9876543210"
    assert settings.postgres.full_dsn() == "postgresql://loyalty:p%40ss%2Fw%C3%B6rd@db:5432/ledger"
    assert "p@ss" not in repr(settings)


def test_a_secret_within_a_group_comes_from_the_file_that_is_named(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("of postgres\n")
    (tmp_path / "kafka").write_text("of kafka\n")
    sasl = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_MECHANISM": "PLAIN", "SASL_USER": "loyalty"}
    environment(
        {name: value for name, value in GOOD.items() if name != "LOYALTY_POSTGRES_PASSWORD"},
        LOYALTY_POSTGRES_PASSWORD_FILE=str(tmp_path / "postgres"),
        LOYALTY_KAFKA_SASL_PASSWORD_FILE=str(tmp_path / "kafka"),
        LOYALTY_KAFKA_TLS_KEY_PASSWORD_FILE="",
        **{f"LOYALTY_KAFKA_{name}": value for name, value in sasl.items()},
    )
    settings = load()
    assert settings.postgres.password is not None
    assert settings.postgres.password.get_secret_value() == "of postgres"
    assert settings.kafka.sasl_password is not None
    assert settings.kafka.sasl_password.get_secret_value() == "of kafka"
    assert settings.kafka.tls_key_password is None


def test_a_file_of_a_secret_within_a_group_that_is_not_there_is_one_line(environment: Environment) -> None:
    environment(GOOD, LOYALTY_POSTGRES_PASSWORD_FILE="/nowhere")
    assert mistakes() == ["LOYALTY_POSTGRES_PASSWORD_FILE=/nowhere: must be a file that can be read"]


def test_tls_of_postgres_goes_into_the_dsn(environment: Environment, tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("x")
    environment(
        GOOD,
        LOYALTY_POSTGRES_DSN="postgresql://u:old@db/ledger?application_name=x",
        LOYALTY_POSTGRES_PASSWORD="new",
        LOYALTY_POSTGRES_TLS_MODE="verify-full",
        LOYALTY_POSTGRES_TLS_CA_FILE=str(ca),
    )
    query = load().postgres.full_dsn()
    assert query.startswith("postgresql://u:new@db/ledger?application_name=x&sslrootcert=")
    assert query.endswith("&sslmode=verify-full")


def test_kafkas_client_options_carry_security(environment: Environment) -> None:
    environment(
        GOOD,
        LOYALTY_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        LOYALTY_KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        LOYALTY_KAFKA_SASL_USER="me",
        LOYALTY_KAFKA_SASL_PASSWORD="sesame",
        LOYALTY_KAFKA_TOPICS_PREFIX="stage.",
    )
    kafka = load().kafka
    options = kafka.client_options("w1")
    assert isinstance(options.pop("ssl_context"), ssl.SSLContext)
    assert options == {
        "bootstrap_servers": "kafka:9092",
        "client_id": "w1",
        "security_protocol": "SASL_SSL",
        "request_timeout_ms": 40_000,
        "metadata_max_age_ms": 30_000,
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "me",
        "sasl_plain_password": "sesame",
    }
    assert kafka.topic("a") == "stage.a"


def test_types_and_sources_are_bound_to_topics_as_the_cluster_calls_them(environment: Environment) -> None:
    bound = "commerce.order=/shop/*,loyalty.command=/desk,commerce.order=/pos"
    environment(GOOD, LOYALTY_KAFKA_TOPICS_PREFIX="stage.", LOYALTY_KAFKA_SOURCES=bound, LOYALTY_LIMITS_POINTS_MAX="5000")
    admission = of_pipeline(load()).admission
    assert "order.placed" in admission.types["stage.commerce.order"]
    assert "commerce.order" not in admission.types
    assert admission.sources == {"stage.commerce.order": ("/shop/*", "/pos"), "stage.loyalty.command": ("/desk",)}
    assert admission.points_max == 5_000


def test_a_source_is_bound_to_a_topic_that_is_read(environment: Environment) -> None:
    environment(GOOD, LOYALTY_KAFKA_SOURCES="commerce.orders=/shop")
    (mistake,) = mistakes()
    assert "sources names commerce.orders; topics that are read are commerce.order, " in mistake


SLASHED = ("pa/ss", "pa?ss", "pa#ss", "p@/ss", "12/ss")


@pytest.mark.parametrize(
    "dsn",
    [
        *(f"postgresql://me:{password}@db:5432/ledger" for password in SLASHED),
        *("postgresql://me:pass[word@db/ledger", "postgresql://db:secret/ledger", "host=db password=secret", "secret"),
    ],
)
def test_a_dsn_that_cannot_be_read_shows_nothing_of_itself(environment: Environment, dsn: str) -> None:
    environment({**GOOD, "LOYALTY_POSTGRES_DSN": dsn})
    said = " ".join(mistakes())
    assert "in a password within it, / is written %2F" in said
    for part in ("pa", "secret", "ss@", "me:"):
        assert part not in said.replace("password", "").replace("PASSWORD", "").replace("apart", ""), said


def test_a_password_given_apart_may_hold_anything(environment: Environment) -> None:
    environment(GOOD, LOYALTY_POSTGRES_PASSWORD="p@/s?s#:[")
    assert load().postgres.full_dsn() == "postgresql://loyalty:p%40%2Fs%3Fs%23%3A%5B@db:5432/ledger"


@pytest.mark.parametrize(
    ("given", "hosts"),
    [
        ({}, ["kafka", "db"]),
        ({"LOYALTY_KAFKA_SECURITY_PROTOCOL": "SSL"}, ["db"]),
        ({"LOYALTY_POSTGRES_TLS_MODE": "verify-full"}, ["kafka"]),
        ({"LOYALTY_POSTGRES_TLS_MODE": "prefer", "LOYALTY_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, ["db"]),
        ({"LOYALTY_POSTGRES_DSN": "postgresql://me@localhost/l", "LOYALTY_KAFKA_BOOTSTRAP": "127.0.0.1:1,k2:2"}, ["k2"]),
        ({"LOYALTY_POSTGRES_DSN": "postgresql:///l?host=/run/pg", "LOYALTY_KAFKA_BOOTSTRAP": "localhost:1"}, []),
    ],
)
def test_plain_text_to_others_is_known_and_may_be_forbidden(
    environment: Environment, given: dict[str, str], hosts: list[str]
) -> None:
    environment({**GOOD, **given})
    assert load().plain_text_to() == hosts
    environment({**GOOD, **given}, LOYALTY_REQUIRE_TLS="true")
    if hosts:
        (mistake,) = mistakes()
        assert mistake.startswith(f"LOYALTY_REQUIRE_TLS: {', '.join(hosts)} would be spoken to in plain text; set ")
    else:
        assert load().require_tls


KEY = "MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="
"""A public key as `openssl pkey -pubout` prints it."""


def test_ceilings_are_unset_until_somebody_sets_them(environment: Environment) -> None:
    environment(GOOD)
    assert not of_pipeline(load()).ceilings.any
    environment(GOOD, LOYALTY_CEILINGS_COMMAND_POINTS="500", LOYALTY_CEILINGS_MEMBER_POINTS_PER_DAY="0")
    ceilings = of_pipeline(load()).ceilings
    assert (ceilings.command, ceilings.member, ceilings.operator, ceilings.program) == (500, 0, None, None)
    environment(GOOD, LOYALTY_CEILINGS_COMMAND_POINTS="-1")
    assert mistakes()[0].startswith("LOYALTY_CEILINGS_COMMAND_POINTS=-1: ")


def test_signatures_are_needed_of_topics_and_types_by_keys_of_sources(environment: Environment, tmp_path: Path) -> None:
    environment(GOOD)
    assert of_pipeline(load()).admission.signatures is None
    keys = tmp_path / "keys"
    keys.write_text(f"# support\n/support/* {KEY}\n\n/shop {KEY} # until May\n")
    needed = {"LOYALTY_SIGNATURES_NEEDED": "loyalty.command,survey.won", "LOYALTY_SIGNATURES_KEYS_FILE": str(keys)}
    environment(GOOD, LOYALTY_KAFKA_TOPICS_PREFIX="stage.", **needed)
    settings = load().signatures
    assert [pattern for pattern, _ in settings.public_keys()] == ["/support/*", "/shop"]
    assert {len(key) for _, key in settings.public_keys()} == {32}
    by_topic = settings.types_by_topic()
    assert by_topic["commerce.activity"] == frozenset({"survey.won"})
    assert "points.adjusted" in by_topic["loyalty.command"]
    assert by_topic.keys() == {"commerce.activity", "loyalty.command"}
    assert of_pipeline(load()).admission.signatures is not None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"NEEDED": "loyalty.commands", "KEYS": f"/a {KEY}"}, "needed names loyalty.commands"),
        ({"NEEDED": "loyalty.command"}, "needed is set: keys must say who signs"),
        ({"NEEDED": "loyalty.command", "KEYS": f"/a {KEY}\n{KEY}"}, "keys, line 2: should be a pattern of sources, a space"),
        ({"NEEDED": "loyalty.command", "KEYS": f"/a {KEY[:-4]}"}, "keys, line 1: should be a pattern of sources, a space"),
        ({"KEYS": f"/a b {KEY}"}, "keys, line 1: should be a pattern of sources, a space"),
    ],
)
def test_signatures_that_cannot_be_checked_stop_the_start(
    environment: Environment, settings: dict[str, str], told: str
) -> None:
    environment(GOOD, **{f"LOYALTY_SIGNATURES_{name}": value for name, value in settings.items()})
    (mistake,) = mistakes()
    assert mistake.startswith(f"LOYALTY_SIGNATURES_…: {told}")
    assert KEY not in mistake


def test_signatures_without_their_library_are_told(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.settings.giving.find_spec", lambda _: None)
    environment(GOOD, LOYALTY_SIGNATURES_NEEDED="loyalty.command", LOYALTY_SIGNATURES_KEYS=f"/a {KEY}")
    (mistake,) = mistakes()
    assert "pip install 'loyalty-points[signatures]'" in mistake
