"""The groups of settings: every number with its bounds, and its unit in its name."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, FilePath, SecretStr, model_validator

from contracts.events import TOPICS_IN

SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
TlsMode = Literal["disable", "prefer", "require", "verify-ca", "verify-full"]


class Group(BaseModel):
    """Settings that belong together; its name is the second part of their names in the environment."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, str_strip_whitespace=True, hide_input_in_errors=True
    )


def _number(default: float, low: float, high: float, what: str) -> Any:
    return Field(default, ge=low, le=high, description=f"{what}, {low:,} to {high:,}")


def _is_local(host: str | None) -> bool:
    """Is it this machine: no name, a socket's directory, localhost or a loopback address?"""
    if not host or host.startswith("/") or host in ("localhost", "::1", "[::1]"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class KafkaSettings(Group):
    """Where Kafka is and how to talk to it."""

    bootstrap: Annotated[str, Field(pattern=r"^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$", description="host:port, several with commas")]
    group: Annotated[str, Field(min_length=1, max_length=200, description="the consumer group, 1 to 200 characters")] = "loyalty"
    topics_prefix: Annotated[
        str, Field(max_length=100, pattern=r"^[A-Za-z0-9._-]*$", description="put before every topic: letters, digits, . _ -")
    ] = ""
    sources: Annotated[
        str,
        Field(
            pattern=r"^([A-Za-z0-9._-]+=[^,\s=]+(,[A-Za-z0-9._-]+=[^,\s=]+)*)?$",
            description="which sources may send to a topic of the contract: topic=pattern (`*`, `?`), several with commas,"
            " a topic more than once for several patterns; a topic that is not named takes any source that no other topic names",
        ),
    ] = ""
    security_protocol: Annotated[SecurityProtocol, Field(description="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")] = "PLAINTEXT"
    sasl_mechanism: Annotated[SaslMechanism | None, Field(description="PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")] = None
    sasl_user: Annotated[str | None, Field(description="the user of SASL")] = None
    sasl_password: Annotated[SecretStr | None, Field(description="the password of SASL")] = None
    tls_ca_file: Annotated[FilePath | None, Field(description="the authorities to trust, a PEM file that exists")] = None
    tls_cert_file: Annotated[FilePath | None, Field(description="our certificate, a PEM file that exists")] = None
    tls_key_file: Annotated[FilePath | None, Field(description="our key, a PEM file that exists")] = None
    tls_key_password: Annotated[SecretStr | None, Field(description="the password of the key's file")] = None
    session_timeout_seconds: int = _number(10, 1, 300, "without heartbeats for so long, another worker takes over; seconds")
    request_timeout_seconds: int = _number(40, 1, 300, "how long a request to Kafka may take, seconds")
    stall_seconds: float = _number(30, 5, 3_600, "a consumer that stands still so long is replaced, seconds")
    gap_policy: Annotated[
        Literal["stop", "continue"], Field(description="stop or continue when Kafka removed records before they were read")
    ] = "stop"

    @model_validator(mode="after")
    def _sources_name_topics(self) -> Self:
        unknown = sorted({each.partition("=")[0] for each in self.sources.split(",") if each} - TOPICS_IN.keys())
        if unknown:
            raise ValueError(f"sources names {', '.join(unknown)}; topics that are read are {', '.join(TOPICS_IN)}")
        return self

    @model_validator(mode="after")
    def _security_is_whole(self) -> Self:
        sasl = self.security_protocol.startswith("SASL")
        given = [self.sasl_mechanism, self.sasl_user, self.sasl_password]
        if sasl and any(one is None for one in given):
            raise ValueError(f"security_protocol {self.security_protocol} needs sasl_mechanism, sasl_user and sasl_password")
        if not sasl and any(one is not None for one in given):
            raise ValueError("sasl_… is set: security_protocol must be SASL_PLAINTEXT or SASL_SSL")
        if (self.tls_cert_file is None) != (self.tls_key_file is None):
            raise ValueError("tls_cert_file and tls_key_file go together")
        if not self.security_protocol.endswith("SSL") and (self.tls_ca_file or self.tls_cert_file):
            raise ValueError("tls_… is set: security_protocol must be SSL or SASL_SSL")
        if self.security_protocol.endswith("SSL"):
            self._tls()
        return self

    def topic(self, name: str) -> str:
        """The name of a topic on this cluster."""
        return self.topics_prefix + name

    def sources_by_topic(self) -> dict[str, tuple[str, ...]]:
        """Topic on this cluster → patterns of the sources that may send to it."""
        found: dict[str, tuple[str, ...]] = {}
        for each in filter(None, self.sources.split(",")):
            name, _, pattern = each.partition("=")
            found[self.topic(name)] = (*found.get(self.topic(name), ()), pattern)
        return found

    def plain_text_to(self) -> str | None:
        """A broker that is not local and is spoken to in plain text; None: there is none."""
        return None if self.security_protocol.endswith("SSL") else self.far_host()

    def far_host(self) -> str | None:
        """A broker that is not local; None: there is none."""
        hosts = (each.rpartition(":")[0] for each in self.bootstrap.split(","))
        return next((host for host in hosts if not _is_local(host)), None)

    def client_options(self, client_id: str) -> dict[str, Any]:
        """aiokafka's options of a connection, for consumers, producers and admin clients."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "client_id": client_id,
            "security_protocol": self.security_protocol,
            "request_timeout_ms": self.request_timeout_seconds * 1_000,
            "metadata_max_age_ms": 30_000,
        }
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = self._tls()
        if self.sasl_password is not None:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_user,
                "sasl_plain_password": self.sasl_password.get_secret_value(),
            }
        return options

    def _tls(self) -> ssl.SSLContext:
        """Raises ValueError: a file does not hold what it should."""
        try:
            context = ssl.create_default_context(cafile=self.tls_ca_file)
        except OSError as error:
            raise ValueError(f"tls_ca_file should hold certificates in PEM: {_words(error)}") from error
        if self.tls_cert_file is not None:
            # Never None: then OpenSSL would ask at the terminal for the password of an encrypted key.
            password = "" if self.tls_key_password is None else self.tls_key_password.get_secret_value()
            try:
                context.load_cert_chain(self.tls_cert_file, self.tls_key_file, password)
            except OSError as error:
                what = "tls_cert_file, tls_key_file and tls_key_password should be a certificate and its key in PEM"
                raise ValueError(f"{what}: {_words(error)}") from error
        return context


def _words(error: OSError) -> str:
    """What OpenSSL found, without where in its sources; what the system said, without the file's name."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it cannot be read").lower().replace("_", " ")
    return (error.strerror or "it cannot be read").lower()


def check_dsn(dsn: str) -> None:
    """Raises ValueError: this is no address of a database that can be read. It says what is wrong and none of the address."""
    try:
        parts = urlsplit(dsn)
        ports = [_port(each) for each in parts.netloc.rpartition("@")[2].split(",")]
        named = parts.scheme in ("postgres", "postgresql") and parts.path.strip("/") and "@" not in parts.path
        whole = bool(named) and all(port == "" or port.isdecimal() for port in ports)
    except ValueError:
        whole = False
    if not whole:
        raise ValueError(
            "dsn must look like postgresql://user@host:port/database; in a password within it, / is written %2F, @ %40,"
            " : %3A, ? %3F and # %23, or the password is given apart, in a file"
        )


def _host(place: str) -> str:
    """The host of `host:port`, where either may be missing."""
    return place.partition("]")[0] + "]" if place.startswith("[") else place.partition(":")[0]


def _port(place: str) -> str:
    """The port of `host:port`; empty: there is none."""
    return place.rpartition("]")[2].partition(":")[2]


class PostgresSettings(Group):
    """Where the ledger's database is and how to talk to it."""

    dsn: Annotated[SecretStr, Field(description="postgresql://user@host:port/database")]
    password: Annotated[SecretStr | None, Field(description="the password, where the DSN has none")] = None
    role: Annotated[str | None, Field(pattern=r"^[a-z_][a-z0-9_]*$", description="a role to take on after logging in")] = None
    tls_mode: Annotated[
        TlsMode | None, Field(description="disable, prefer, require, verify-ca or verify-full; unset: what the DSN says")
    ] = None
    tls_ca_file: Annotated[FilePath | None, Field(description="the authorities to trust, a PEM file that exists")] = None
    tls_cert_file: Annotated[FilePath | None, Field(description="our certificate, a PEM file that exists")] = None
    tls_key_file: Annotated[FilePath | None, Field(description="our key, a PEM file that exists")] = None
    connections_max: int = _number(8, 2, 200, "connections of one worker")
    connect_seconds: float = _number(10, 0.1, 300, "how long connecting may take, seconds")
    acquire_seconds: float = _number(10, 0.1, 300, "how long to wait for a free connection, seconds")
    statement_seconds: float = _number(30, 0.1, 3_600, "how long a statement may take, seconds")
    lock_seconds: float = _number(10, 0.1, 3_600, "how long to wait for a lock, seconds")
    settle_seconds: float = _number(30, 0.1, 3_600, "how long to look for the outcome of a COMMIT without an answer, seconds")
    statement_cache_size: int = _number(256, 0, 10_000, "prepared statements kept; 0 behind a transaction pooler")

    @model_validator(mode="after")
    def _is_postgres(self) -> Self:
        check_dsn(self.dsn.get_secret_value())
        return self

    def plain_text_to(self) -> str | None:
        """The host of the database, if it is not local and may be spoken to in plain text; else None."""
        parts = urlsplit(self.full_dsn())
        query = dict(parse_qsl(parts.query))
        if query.get("sslmode", "prefer") in ("require", "verify-ca", "verify-full"):
            return None
        hosts = [_host(each) for each in parts.netloc.rpartition("@")[2].split(",")]
        hosts += query.get("host", "").split(",")
        return next((host for host in hosts if not _is_local(host)), None)

    def full_dsn(self) -> str:
        """The DSN with password and TLS put in. It is a secret."""
        parts = urlsplit(self.dsn.get_secret_value())
        place = parts.netloc
        if self.password is not None:
            user, _, host = place.rpartition("@")
            place = f"{user.partition(':')[0]}:{quote(self.password.get_secret_value(), safe='')}@{host}"
        query = dict(parse_qsl(parts.query))
        files = {"sslrootcert": self.tls_ca_file, "sslcert": self.tls_cert_file, "sslkey": self.tls_key_file}
        query |= {name: str(path) for name, path in files.items() if path is not None}
        if self.tls_mode is not None:
            query["sslmode"] = self.tls_mode
        return urlunsplit((parts.scheme, place, parts.path, urlencode(query), ""))


class BatchSettings(Group):
    """How much goes into one transaction."""

    records_max: int = _number(4_000, 1, 20_000, "records of one transaction")
    bytes_max: int = _number(16_777_216, 65_536, 2**31, "bytes of the records of one transaction; a larger one goes alone")
    linger_ms: int = _number(5, 0, 10_000, "how long a batch waits for more records, milliseconds")
    buffer_records_max: int = _number(5_000, 1, 1_000_000, "records buffered of one partition")
    buffer_bytes_max: int = _number(16_777_216, 65_536, 2**31, "bytes buffered of one partition, and read in one go")
    buffers_bytes_max: int = _number(268_435_456, 65_536, 2**36, "bytes buffered of all partitions together")


class StepSettings(Group):
    """Reading topics in step while catching up."""

    tolerance_seconds: float = _number(60, 0, 86_400, "how far a partition may be ahead of the slowest, seconds of record time")
    wait_seconds: float = _number(30, 0, 3_600, "how long one partition waits for another at most, seconds")


class WatermarkSettings(Group):
    """When due instants are taken."""

    grace_seconds: float = _number(5, 0, 86_400, "how long after an instant the clock waits for news, seconds")
    longest_wait_seconds: float = _number(900, 10, 604_800, "how long a partition that stands still is waited for, seconds")
    report_seconds: float = _number(0.5, 0.05, 60, "how often the watermark is computed, seconds")


class ClockSettings(Group):
    """Clocks that must agree."""

    offset_seconds_max: float = _number(
        60, 1, 3_600, "how far a worker's clock may be from the database's and the broker's; beyond, it is not ready, seconds"
    )


class LimitsSettings(Group):
    """Bounds on one record; beyond them it is a dead letter."""

    value_bytes_max: int = _number(1_048_576, 1_024, 64 * 2**20, "bytes of a record's value")
    headers_max: int = _number(100, 1, 10_000, "headers of a record")
    header_bytes_max: int = _number(65_536, 1_024, 2**20, "bytes of a record's headers")
    depth_max: int = _number(64, 8, 500, "depth of nesting")
    containers_max: int = _number(20_000, 100, 1_000_000, "objects and lists in a record")
    points_max: int = _number(1_000_000, 0, 10**12, "points that one event may give or take by what it says itself")
    skew_seconds_max: int = _number(300, 0, 86_400, "how far ahead of now an event's time may be, seconds")


class RelaySettings(Group):
    """Publishing."""

    groups: int = _number(4, 1, 64, "leases over the outbox; the same for all workers")
    read_rows_max: int = _number(2_000, 1, 50_000, "messages read at once")
    lease_seconds: float = _number(10, 1, 300, "how long a lease holds without being prolonged, seconds")
    idle_seconds_max: float = _number(0.25, 0.01, 60, "how long it sleeps at most when there is nothing to do, seconds")
    dead_letters_per_second: int = _number(50, 1, 1_000, "dead letters of one reason and source that are published in a second")


class DueSettings(Group):
    """Taking due instants."""

    accounts_max: int = _number(1_000, 1, 20_000, "accounts of one transaction")
    share_max: float = _number(0.5, 0.01, 1, "share of the time that due accounts may take while events wait")
    idle_seconds: float = _number(1, 0.05, 3_600, "how often it looks, seconds")


class VerifySettings(Group):
    """Looking at a few accounts now and then, whether each is what its facts say."""

    accounts_per_minute: int = _number(60, 0, 100_000, "accounts that a worker looks at in a minute; 0: none")
    fences_per_hour_max: int = _number(
        10, 0, 100_000, "accounts that a worker fences in an hour because of what it found; what is beyond is only told"
    )


class ErasureSettings(Group):
    """Forgetting people."""

    wait_seconds: float = _number(
        86_400,
        0,
        2_592_000,
        "how long after an erasure what still comes about the person's past finds the account, and a person who joins again "
        "waits for a fresh one, seconds",
    )


class ProbeSettings(Group):
    """The port for probes and metrics."""

    host: Annotated[str, Field(description="the address to listen at")] = "0.0.0.0"  # noqa: S104  # asked from outside the container
    port: int = _number(8_080, 0, 65_535, "port; 0 takes a free one")


class LogSettings(Group):
    """What is logged, and how."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="debug, info, warning or error")] = "info"
    form: Annotated[Literal["auto", "json", "console"], Field(description="auto, json or console")] = "auto"
