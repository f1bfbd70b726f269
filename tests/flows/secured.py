"""A Kafka and a Postgres that let in only who has certificate and password: SASL over TLS, a made-up authority for both.

On Kafka everybody but the broker itself may do what was granted, and nothing else.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, and imported there without saying so
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from contracts.events import DLQ_SUFFIX, TOPICS_IN, TOPICS_OUT
from worker.local import LocalKafka, LocalPostgres
from worker.local.sql import execute

PASSWORD = "pass/word of the tests: 1+1=2"
KEY_PASSWORD = "key of the tests"
SCRAM_ROUNDS = 4096
ACL_SECONDS = 30.0
MODULES = "org.apache.kafka.common.security"


@dataclass(frozen=True, slots=True)
class Authority:
    """Issues certificates for 127.0.0.1, by openssl, into a directory."""

    directory: Path

    @property
    def certificate(self) -> Path:
        """The certificate to trust."""
        return self.directory / "ca.pem"

    def begin(self) -> None:
        """Make the authority's own certificate."""
        self.directory.mkdir()
        (self.directory / "openssl.cnf").write_text("[req]\ndistinguished_name=dn\n[dn]\n")
        self._issue("ca", "authority of the tests", "basicConstraints=critical,CA:TRUE", "-nodes")

    def issue(self, name: str, common_name: str, key_password: str | None = None) -> tuple[Path, Path]:
        """A certificate and its key, in PEM, the key encrypted if a password is given."""
        signed = ("-CA", str(self.certificate), "-CAkey", str(self.directory / "ca.key"))
        key = ("-nodes",) if key_password is None else ("-passout", f"pass:{key_password}")
        return self._issue(name, common_name, "subjectAltName=IP:127.0.0.1", *signed, *key)

    def _issue(self, name: str, common_name: str, extension: str, *more: str) -> tuple[Path, Path]:
        certificate, key = self.directory / f"{name}.pem", self.directory / f"{name}.key"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2"]
        command += ["-config", str(self.directory / "openssl.cnf"), "-subj", f"/CN={common_name}", "-addext", extension]
        done = subprocess.run(
            [*command, "-keyout", str(key), "-out", str(certificate), *more], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        key.chmod(0o600)
        return certificate, key


def secured_kafka(directory: Path, authority: Authority) -> LocalKafka:
    """A broker, not yet started, whose only door for clients wants a certificate of the authority, and SASL by PLAIN or SCRAM."""
    certificate, key = authority.issue("kafka", "kafka")
    store = authority.directory / "kafka-store.pem"
    store.write_text(key.read_text() + certificate.read_text())
    plain = f'{MODULES}.plain.PlainLoginModule required username="broker" password="{PASSWORD}" user_broker="{PASSWORD}";'
    return LocalKafka(
        directory,
        settings={
            # The listener keeps its name, so that the port is the usual one.
            "listener.security.protocol.map": "PLAINTEXT:SASL_SSL,CONTROLLER:PLAINTEXT",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:broker;User:ANONYMOUS",  # the controller's door asks for no name
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "listener.name.plaintext.plain.sasl.jaas.config": plain,
            "listener.name.plaintext.scram-sha-256.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule required;",
            "listener.name.plaintext.scram-sha-512.sasl.jaas.config": f"{MODULES}.scram.ScramLoginModule required;",
            "listener.name.plaintext.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(authority.certificate),
        },
    )


def let_in(kafka: LocalKafka, authority: Authority, user: str) -> None:
    """Give a user a password for SCRAM, in both strengths."""
    admin = _admin(kafka, authority)
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        wanted = UserScramCredentialUpsertion(user, ScramCredentialInfo(mechanism, SCRAM_ROUNDS), PASSWORD.encode())
        (done,) = admin.alter_user_scram_credentials([wanted]).values()
        done.result(ACL_SECONDS)


def grant(kafka: LocalKafka, authority: Authority, *rights: AclBinding) -> None:
    """Give rights beside those that are there."""
    admin = _admin(kafka, authority)  # kept until it is done
    for done in admin.create_acls(list(rights)).values():
        done.result(ACL_SECONDS)


def take_back(kafka: LocalKafka, authority: Authority, *rights: AclBinding) -> None:
    """Take rights away that were given."""
    same = [
        AclBindingFilter(
            each.restype, each.name, each.resource_pattern_type, each.principal, each.host, each.operation, each.permission_type
        )
        for each in rights
    ]
    admin = _admin(kafka, authority)
    for done in admin.delete_acls(same).values():
        done.result(ACL_SECONDS)


def right(user: str, operation: str, name: str, on: ResourceType = ResourceType.TOPIC) -> AclBinding:
    """That a user may do something with what has this name."""
    whole, may = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
    return AclBinding(on, name, whole, f"User:{user}", "*", AclOperation[operation.upper()], may)


def rights_of_a_worker(user: str, group: str) -> list[AclBinding]:
    """What `deploy/README.md` says that a worker needs."""
    out = [*TOPICS_OUT, *(name + DLQ_SUFFIX for name in TOPICS_IN)]
    return [
        *(right(user, operation, name) for name in TOPICS_IN for operation in ("read", "describe")),
        *(right(user, operation, name) for name in out for operation in ("write", "describe")),
        right(user, "read", group, ResourceType.GROUP),
    ]


def _admin(kafka: LocalKafka, authority: Authority) -> AdminClient:
    certificate, key = authority.issue("admin", "admin")
    return AdminClient(
        {
            "bootstrap.servers": kafka.bootstrap,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.username": "broker",
            "sasl.password": PASSWORD,
            "ssl.ca.location": str(authority.certificate),
            "ssl.certificate.location": str(certificate),
            "ssl.key.location": str(key),
        }
    )


def secure(postgres: LocalPostgres, authority: Authority, users: Mapping[str, bool]) -> None:
    """Give these users a password, and let nobody in but them, by TLS and it. True: only with a certificate of their name too."""
    password = PASSWORD.replace("'", "''")
    known = [f"DO $$ BEGIN CREATE ROLE {user} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$" for user in users]
    execute(postgres.dsn(), *known, *(f"ALTER ROLE {user} PASSWORD '{password}'" for user in users))
    owner = postgres.data.stat()
    for source, name in zip(authority.issue("postgres", "postgres server"), ("server.crt", "server.key"), strict=True):
        target = postgres.data / name
        shutil.copy(source, target)
        shutil.chown(target, owner.st_uid, owner.st_gid)
        target.chmod(0o600)
    shutil.copy(authority.certificate, postgres.data / "root.crt")
    (postgres.data / "root.crt").chmod(0o644)
    more = {True: " clientcert=verify-full", False: ""}
    lines = [f"hostssl all {user} 127.0.0.1/32 scram-sha-256{more[known_by_name]}\n" for user, known_by_name in users.items()]
    (postgres.data / "pg_hba.conf").write_text("".join(lines))
    changes = {"ssl": "on", "ssl_cert_file": "server.crt", "ssl_key_file": "server.key", "ssl_ca_file": "root.crt"}
    execute(postgres.dsn(), *(f"ALTER SYSTEM SET {name} = '{value}'" for name, value in changes.items()))
    postgres.restart()
