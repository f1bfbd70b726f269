"""Settings of the worker: from the environment, files and a secrets directory; every mistake is one clear line.

Later ones lose: `LOYALTY_<GROUP>_<NAME>`; `LOYALTY_<GROUP>_<NAME>_FILE`, a file that holds the value; a file named
`<group>_<name>` in the directory `LOYALTY_SECRETS_DIR`; `<group>: {<name>: …}` in the file `LOYALTY_CONFIG` (.yaml or .toml).
Every number has bounds, and its unit in its name. Names that nobody knows are mistakes too.
"""

from worker.settings.giving import CeilingsSettings, SignaturesSettings
from worker.settings.groups import (
    BatchSettings,
    ClockSettings,
    DueSettings,
    KafkaSettings,
    LimitsSettings,
    LogSettings,
    PostgresSettings,
    ProbeSettings,
    RelaySettings,
    StepSettings,
    WatermarkSettings,
    check_dsn,
)
from worker.settings.loading import TLS_TO_DO, Settings, SettingsError, load

__all__ = [
    "TLS_TO_DO",
    "BatchSettings",
    "CeilingsSettings",
    "ClockSettings",
    "DueSettings",
    "KafkaSettings",
    "LimitsSettings",
    "LogSettings",
    "PostgresSettings",
    "ProbeSettings",
    "RelaySettings",
    "Settings",
    "SettingsError",
    "SignaturesSettings",
    "StepSettings",
    "WatermarkSettings",
    "check_dsn",
    "load",
]
