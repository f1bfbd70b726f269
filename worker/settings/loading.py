"""Loading: from the environment, files and a secrets directory; every mistake is one clear line."""

from __future__ import annotations

import difflib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, Self

import yaml
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
    YamlConfigSettingsSource,
)

from contracts.strict_yaml import StrictLoader
from worker.settings.giving import CeilingsSettings, SignaturesSettings
from worker.settings.groups import (
    BatchSettings,
    ClockSettings,
    DueSettings,
    ErasureSettings,
    Group,
    KafkaSettings,
    LimitsSettings,
    LogSettings,
    PostgresSettings,
    ProbeSettings,
    RelaySettings,
    StepSettings,
    VerifySettings,
    WatermarkSettings,
)

PREFIX: Final = "LOYALTY_"
CONFIG: Final = PREFIX + "CONFIG"
SECRETS_DIR: Final = PREFIX + "SECRETS_DIR"
TLS_TO_DO: Final = f"set {PREFIX}KAFKA_SECURITY_PROTOCOL=SASL_SSL (or SSL) and {PREFIX}POSTGRES_TLS_MODE=verify-full"
FILE_SUFFIX: Final = "_FILE"
SECRET_FILE_BYTES_MAX: Final = 65_536
# Not settings of the worker: the tests' and the demo's own.
FOREIGN_PREFIXES: Final = (PREFIX + "TEST_", PREFIX + "DEMO_")


class SettingsError(Exception):
    """The settings are wrong. `mistakes`: one line each, ready to be shown."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class Settings(BaseSettings):
    """All settings. Made by `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="_",
        env_nested_max_split=1,
        extra="forbid",
        frozen=True,
    )

    account_key: Annotated[
        SecretStr, Field(min_length=16, description="the secret that account ids are made with, 16 characters or more")
    ]
    worker_id: Annotated[
        str, Field(min_length=1, max_length=200, description="this worker's name, 1 to 200 characters; unset: host and process")
    ] = Field(default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}")
    grace_period_seconds: float = Field(25.0, ge=1, le=3_600, description="how long stopping may take, 1 to 3,600 seconds")
    require_tls: bool = Field(False, description="true: do not start if a host that is not local is spoken to in plain text")
    kafka: KafkaSettings
    postgres: PostgresSettings
    batch: BatchSettings = BatchSettings()
    step: StepSettings = StepSettings()
    watermark: WatermarkSettings = WatermarkSettings()
    limits: LimitsSettings = LimitsSettings()
    ceilings: CeilingsSettings = CeilingsSettings()
    signatures: SignaturesSettings = SignaturesSettings()
    clock: ClockSettings = ClockSettings()
    relay: RelaySettings = RelaySettings()
    due: DueSettings = DueSettings()
    verify: VerifySettings = VerifySettings()
    erasure: ErasureSettings = ErasureSettings()
    probe: ProbeSettings = ProbeSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _is_as_secret_as_required(self) -> Self:
        if self.require_tls and (hosts := self.plain_text_to()):
            raise ValueError(f"{PREFIX}REQUIRE_TLS: {', '.join(hosts)} would be spoken to in plain text; {TLS_TO_DO}")
        return self

    def plain_text_to(self) -> list[str]:
        """Hosts that are not local and that are, or may be, spoken to in plain text."""
        return [host for host in (self.kafka.plain_text_to(), self.postgres.plain_text_to()) if host is not None]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The order of the places that values come from."""
        assert isinstance(env_settings, EnvSettingsSource), "as pydantic-settings makes it"
        # Empty is unset, also within groups: compose files pass on what is not set as empty. What names a file is no value of
        # its group: `_FilesSource` reads it.
        env_settings.env_vars = {
            name: value for name, value in env_settings.env_vars.items() if value and not _names_a_file(name.upper())
        }
        return (init_settings, env_settings, _FilesSource(settings_cls), *_config_source(settings_cls))


def load() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: something is missing, wrong or unknown; each mistake with its name, the value given (never a secret)
            and what would be right.
    """
    mistakes = list(_unknown_names())
    try:
        settings = Settings()
    except ValidationError as error:
        lines = (_line(one["loc"], one["type"], one["msg"], one["input"]) for one in error.errors(include_url=False))
        mistakes += [line for line in lines if line is not None]
    except (OSError, ValueError, yaml.YAMLError) as error:
        mistakes.append(f"{CONFIG}={os.environ.get(CONFIG, '')}: cannot be read: {_first_line(error)}")
    else:
        if not mistakes:
            return settings
    raise SettingsError(mistakes)


class _FilesSource(PydanticBaseSettingsSource):
    """Values from files: `<NAME>_FILE` in the environment, and the secrets directory."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: `__call__` gives all at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        directory = os.environ.get(SECRETS_DIR)
        for name, loc in _NAMES.items():
            path = os.environ.get(name + FILE_SUFFIX) or None if _names_a_file(name + FILE_SUFFIX) else None
            if path is None and directory is not None:
                inside = Path(directory, "_".join(loc))
                path = str(inside) if inside.is_file() else None
            if path is not None and (value := _read_secret(Path(path))) is not None:
                group = values.setdefault(loc[0], {}) if len(loc) > 1 else values
                group[loc[-1]] = value
        return values


class _YamlSource(YamlConfigSettingsSource):
    """A file in which a name that is there twice is a mistake: the last one would win without a word."""

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        values = yaml.load(file_path.read_bytes(), Loader=StrictLoader)  # noqa: S506 - a SafeLoader with less in it
        if not isinstance(values, dict | None):
            raise ValueError("should be a mapping of groups")
        return values or {}


def _config_source(settings_cls: type[BaseSettings]) -> tuple[PydanticBaseSettingsSource, ...]:
    path = os.environ.get(CONFIG)
    if path is None:
        return ()
    if not Path(path).is_file():
        raise FileNotFoundError("there is no such file")
    if path.endswith(".toml"):
        return (TomlConfigSettingsSource(settings_cls, Path(path)),)
    if path.endswith((".yaml", ".yml")):
        return (_YamlSource(settings_cls, Path(path)),)
    raise ValueError("the name must end in .yaml or .toml")


def every_setting() -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    """Every setting: its group, if it has one, and its name; and what is known of it."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group):
            yield from (((name, inner), info) for inner, info in field.annotation.model_fields.items())
        else:
            yield (name,), field


def _name(loc: tuple[int | str, ...]) -> str:
    return PREFIX + "_".join(str(part) for part in loc).upper()


_FIELDS: Final = dict(every_setting())
_NAMES: Final = {_name(loc): loc for loc in _FIELDS}


def _names_a_file(name: str) -> bool:
    """Whether this name in the environment is that of a file which holds a setting; `…_TLS_CA_FILE` is a setting itself."""
    return name not in _NAMES and name.endswith(FILE_SUFFIX) and name.removesuffix(FILE_SUFFIX) in _NAMES


def _read_secret(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(SECRET_FILE_BYTES_MAX).decode().strip()
    except (OSError, UnicodeDecodeError):
        return None  # told by `_unknown_names`, together with all other mistakes


def _unknown_names() -> Iterator[str]:
    """Names in the environment that mean nothing, and files that are named and cannot be read."""
    for name, value in sorted(os.environ.items()):
        if not name.startswith(PREFIX) or name.startswith(FOREIGN_PREFIXES) or name in _NAMES or name == CONFIG:
            continue
        if name == SECRETS_DIR:
            if not Path(value).is_dir():
                yield f"{name}={value}: must be a directory that exists"
        elif _names_a_file(name):
            if value and _read_secret(Path(value)) is None:
                yield f"{name}={value}: must be a file that can be read"
        else:
            yield f"{name}: {_no_such(name)}"


def _line(loc: tuple[int | str, ...], kind: str, message: str, given: object) -> str | None:
    """One mistake: its name, the value if it is no secret, what is wrong, what would be right. None: it is told already."""
    name = _name(loc)
    field = _FIELDS.get(tuple(str(part) for part in loc))
    if kind == "extra_forbidden":
        if name in os.environ:
            return None
        return f"{'.'.join(str(part) for part in loc)} in {os.environ.get(CONFIG)}: {_no_such(name)}"
    if kind == "missing" and field is not None:
        return f"{name} must be set: {field.description or 'a value'}"
    if kind == "missing":  # a whole group
        wanted = (one for one, inner in _NAMES.items() if inner[0] == loc[0] and _FIELDS[inner].is_required())
        return "; ".join(f"{one} must be set: {_FIELDS[_NAMES[one]].description or 'a value'}" for one in wanted)
    if not loc:  # settings of several groups
        return message.removeprefix("Value error, ")
    if field is None:  # several settings that do not fit together
        return f"{name}_…: {message.removeprefix('Value error, ')}"
    shown = name if _is_secret(field) or not isinstance(given, str | int | float) else f"{name}={given}"
    right = f"; right is: {field.description}" if field.description else ""
    return f"{shown}: {message}{right}"


def _no_such(name: str) -> str:
    near = difflib.get_close_matches(name, _NAMES, n=1, cutoff=0.8)
    return "there is no such setting" + (f", did you mean {near[0]}?" if near else "")


def _is_secret(field: FieldInfo) -> bool:
    return "SecretStr" in str(field.annotation)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
