"""One typed, frozen tree of settings, read from a TOML file and the environment.

A name is `RADRELAY_` and the path through the tree with two underscores between levels:
`RADRELAY_DICOM__PORT` is `dicom.port`. The environment wins over the file; the file is
`radrelay.toml` beside the data directory or the one that `RADRELAY_CONFIG` names.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from radrelay.errors import Misconfigured
from radrelay.settings.analysing import AnalysisSettings
from radrelay.settings.base import GIB, HOUR_S, LOOPBACK, MIB, Section
from radrelay.settings.counting import StatisticsSettings
from radrelay.settings.elsewhere import DirectorySettings, OidcSettings, is_protected
from radrelay.settings.fetching import RetrieveSettings
from radrelay.settings.gateway import AgentSettings, GatewaySettings
from radrelay.settings.hospital import Hl7Port, Hl7Receiver, Hl7Settings
from radrelay.settings.importing import ImporterSettings
from radrelay.settings.keeping import (
    AuditSettings,
    DatabaseSettings,
    KeySettings,
    LogSettings,
    NodeSettings,
    PrivacySettings,
    RepositorySettings,
    StorageSettings,
    WorkSettings,
)
from radrelay.settings.people import AccessSettings, IdentitySettings, LaunchSettings, MailSettings, WebSettings
from radrelay.settings.receiving import (
    DecodingSettings,
    DicomSettings,
    DisplaySettings,
    IntakeSettings,
    MarksSettings,
    RetentionSettings,
)
from radrelay.settings.signing_up import SignUpSettings
from radrelay.settings.watching import VolumeLimits, VolumeSettings

__all__ = [
    "GIB",
    "HOUR_S",
    "LOOPBACK",
    "MIB",
    "AccessSettings",
    "AgentSettings",
    "AnalysisSettings",
    "AuditSettings",
    "DatabaseSettings",
    "DecodingSettings",
    "DicomSettings",
    "DirectorySettings",
    "DisplaySettings",
    "GatewaySettings",
    "Hl7Port",
    "Hl7Receiver",
    "Hl7Settings",
    "IdentitySettings",
    "ImporterSettings",
    "IntakeSettings",
    "KeySettings",
    "LaunchSettings",
    "LogSettings",
    "MailSettings",
    "MarksSettings",
    "NodeSettings",
    "OidcSettings",
    "PrivacySettings",
    "RepositorySettings",
    "RetentionSettings",
    "RetrieveSettings",
    "Section",
    "Settings",
    "SignUpSettings",
    "StatisticsSettings",
    "StorageSettings",
    "VolumeLimits",
    "VolumeSettings",
    "WebSettings",
    "WorkSettings",
    "config_file",
    "is_protected",
    "load_settings",
]


class Settings(BaseSettings):
    """All settings of one installation."""

    model_config = SettingsConfigDict(
        env_prefix="RADRELAY_", env_nested_delimiter="__", frozen=True, extra="forbid", validate_default=True
    )

    data_dir: Path = Field(Path("var/data"), description="everything that this machine keeps")
    organisation: str = Field(
        "", description="for which organisation a command acts, as --organisation says it; empty: the first"
    )
    web: WebSettings = WebSettings()
    identity: IdentitySettings = IdentitySettings()
    sign_up: SignUpSettings = SignUpSettings()
    directory: DirectorySettings = DirectorySettings()
    mail: MailSettings = MailSettings()
    oidc: OidcSettings = OidcSettings()
    dicom: DicomSettings = DicomSettings()
    hl7: Hl7Settings = Hl7Settings()
    gateway: GatewaySettings = GatewaySettings()
    agent: AgentSettings = AgentSettings()
    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    keys: KeySettings = KeySettings()
    retention: RetentionSettings = RetentionSettings()
    intake: IntakeSettings = IntakeSettings()
    decoding: DecodingSettings = DecodingSettings()
    work: WorkSettings = WorkSettings()
    retrieve: RetrieveSettings = RetrieveSettings()
    importer: ImporterSettings = ImporterSettings()
    marks: MarksSettings = MarksSettings()
    analysis: AnalysisSettings = AnalysisSettings()
    node: NodeSettings = NodeSettings()
    displays: DisplaySettings = DisplaySettings()
    audit: AuditSettings = AuditSettings()
    access: AccessSettings = AccessSettings()
    launch: LaunchSettings = LaunchSettings()
    privacy: PrivacySettings = PrivacySettings()
    statistics: StatisticsSettings = StatisticsSettings()
    volume: VolumeSettings = VolumeSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _single_sign_on_has_an_address(self) -> Self:
        if self.oidc.issuer is not None and self.web.address is None:
            raise ValueError("oidc.issuer needs web.address, which the provider sends people back to")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Give the environment precedence over the TOML file, and explicit arguments over both."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, config_file())

    @property
    def keys_dir(self) -> Path:
        """Where the keyring and the study keys are."""
        return self.data_dir / "keys"

    @property
    def landing_dir(self) -> Path:
        """Where landing segments are."""
        return self.data_dir / "landing"

    @property
    def gateway_dir(self) -> Path:
        """Where the agent's enrolments and its ways to the other roles are, and on a relay what it knows."""
        return self.data_dir / "gateway"

    @property
    def public_certificate(self) -> tuple[Path | None, Path | None]:
        """Chain and key for who comes through a relay: as set, as handed in (one file), or those of the pages."""
        if self.agent.tls_certificate is not None:
            return self.agent.tls_certificate, self.agent.tls_key
        handed_in = self.gateway_dir / "public.pem"
        if handed_in.exists():
            return handed_in, handed_in
        return self.web.tls_certificate, self.web.tls_key

    @property
    def log_dir(self) -> Path:
        """Where technical logs are."""
        return self.data_dir / "log"


def config_file() -> Path:
    """Return the path of the TOML file, which need not exist."""
    named = os.environ.get("RADRELAY_CONFIG")
    if named:
        return Path(named)
    return Path(os.environ.get("RADRELAY_DATA_DIR", "var/data")).parent / "radrelay.toml"


def load_settings() -> Settings:
    """Read the settings.

    Raises pydantic's `ValidationError`, which names the setting, and `Misconfigured` for a file that cannot be read.
    """
    path = config_file()
    if os.environ.get("RADRELAY_CONFIG") and not path.is_file():
        raise Misconfigured(f"RADRELAY_CONFIG names {path}, which is not there")
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{path} is not TOML: {error}") from error
    except SettingsError as error:
        raise Misconfigured(f"{error}: lists and tables in the environment are written as JSON") from error
