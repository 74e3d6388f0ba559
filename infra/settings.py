"""The settings object: REFEX_* environment variables (each also as ..._FILE) become one frozen struct.

An unknown REFEX_* name is an error that names the nearest known one. The only global state of the project.
"""

import difflib
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct


class SettingsError(ValueError):
    """A setting is unknown or malformed; the message says what to change."""


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that differs between installations; field `x_y` is the variable REFEX_X_Y."""

    database_url: str | None = None
    kafka_bootstrap: str | None = None
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: str = "SCRAM-SHA-256"
    kafka_username: str | None = None
    kafka_password: str | None = None
    kafka_ca_file: str | None = None
    schema_registry_url: str | None = None
    public_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    data_dir: str = "~/.local/share/referral-exchange"
    cache_dir: str = "~/.cache/referral-exchange"
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    smtp_url: str | None = None
    smtp_from: str | None = None
    idle_minutes: int = 15
    match_key: str | None = None
    audit_key: str | None = None
    vault_key: str | None = None
    intake_plain: bool = True
    worker_slot: int = 0
    worker_role: str = "exchange"
    metrics_port: int = 0
    crash_at: str | None = None
    development: bool = False
    require_all: bool = False
    demo: bool = False
    partitions: int = 8
    poison_in_row: int = 50
    poison_share: float = 0.5

    @property
    def data_path(self) -> Path:
        """Where an embedded exchange keeps its data."""
        return Path(self.data_dir).expanduser()

    @property
    def cache_path(self) -> Path:
        """Where downloads (the broker's jars) are kept between exchanges."""
        return Path(self.cache_dir).expanduser()

    @property
    def base_url(self) -> str:
        """The address people use, without a final slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


OUTSIDE_NAMES = {"SCHEMA_REGISTRY_URL": "schema_registry_url"}


def variable(field: str) -> str:
    """The environment variable of a field."""
    return next((k for k, v in OUTSIDE_NAMES.items() if v == field), f"REFEX_{field.upper()}")


def load(environment: Mapping[str, str]) -> Settings:
    """The settings of an environment; raises SettingsError."""
    known = {variable(f): f for f in Settings.__struct_fields__}
    values: dict[str, str] = {}
    for name, text in environment.items():
        if name not in OUTSIDE_NAMES and not name.startswith("REFEX_"):
            continue
        base = name.removesuffix("_FILE") if name not in known else name
        if base not in known:
            near = difflib.get_close_matches(base, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise SettingsError(f"unknown setting {name}{hint}")
        values[known[base]] = text if base == name else _from_file(name, text)
    try:
        found = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"a REFEX_* setting is malformed: {error}") from None
    if found.crash_at and not found.development:
        raise SettingsError(
            "REFEX_CRASH_AT makes processes end themselves; unset it, or set REFEX_DEVELOPMENT=true where nobody's "
            "data can be lost"
        )
    if found.kafka_ca_file and not found.kafka_security_protocol.endswith("SSL"):
        raise SettingsError(
            f"REFEX_KAFKA_CA_FILE is set, but {found.kafka_security_protocol} does not encrypt; "
            "set REFEX_KAFKA_SECURITY_PROTOCOL=SASL_SSL"
        )
    return found


def _from_file(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{name} names a file that cannot be read: {error}") from None


@cache
def settings() -> Settings:
    """The settings of this process, read once."""
    return load(os.environ)
