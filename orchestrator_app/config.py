"""Settings of the process, read once from the environment and ``.env``; wrong ones stop the start."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from orchestrator_app.errors import ConfigurationError

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost"})


class Settings(BaseSettings):
    """All settings; each is the environment variable ``ORCHESTRATOR_<NAME>``."""

    model_config = SettingsConfigDict(
        env_prefix="ORCHESTRATOR_", env_file=".env", extra="ignore", frozen=True
    )

    enabled: bool = Field(default=True, description="false switches the whole feature off, server-side.")
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    data_dir: Path = Field(
        default=Path("data"), description="Folder of the database, the key file and exports."
    )
    database_url: str = Field(
        default="", description="Empty: SQLite in the data folder. Else a postgresql:// URL."
    )
    public_url: str = Field(default="", description="Base of callback URLs. Empty: http://127.0.0.1:<port>.")
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="Further host names under which the page may be opened, with port if not the default.",
    )
    encryption_key: SecretStr = Field(
        default=SecretStr(""),
        description="32 bytes, base64: opens stored credentials. Empty: see the key file.",
    )
    encryption_key_file: Path | None = Field(
        default=None,
        description="File with the key. Default: encryption.key in the data folder, made at first start.",
    )
    network_allow: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="Addresses outside calls may reach besides public ones: CIDR or CIDR:port. Loopback binds allow "
        "the local network by default.",
    )
    demo: bool = Field(default=True, description="Create the example orchestrator at the first start.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Least level logged."
    )
    log_format: Literal["text", "json"] = Field(default="text", description="Shape of log lines.")
    run_concurrency: int = Field(
        default=256, ge=1, description="Runs that are advanced at once in this process."
    )
    workers: Literal["here", "external"] = Field(
        default="here",
        description="Who works on runs: this process, or others started with `python -m orchestrator_app worker`, "
        "which share a PostgreSQL database with it.",
    )
    redis_url: SecretStr = Field(
        default=SecretStr(""),
        description="redis:// URL where several serving processes keep the state of open pages. Empty: in memory.",
    )
    node_concurrency: int = Field(default=10, ge=1, description="Nodes of one run that work at once.")
    run_deadline: int | None = Field(
        default=None, ge=1, description="Seconds after which a run is ended. Empty: no deadline."
    )
    max_body_bytes: int = Field(default=1_048_576, ge=1024, description="Largest request body, in bytes.")

    @field_validator("allowed_hosts", "network_allow", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [item for item in re.split(r"[\s,]+", value) if item] if isinstance(value, str) else value

    @field_validator("run_deadline", mode="before")
    @classmethod
    def _none_if_empty(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.public_url:
            parts = urlsplit(self.public_url)
            if parts.scheme not in {"http", "https"} or not parts.hostname:
                raise ValueError(
                    "ORCHESTRATOR_PUBLIC_URL must be a complete address such as https://flows.example.org"
                )
        if self.host not in LOOPBACK_HOSTS:
            raise ValueError(
                "ORCHESTRATOR_HOST may only be 127.0.0.1 for now: there are no accounts yet, so every visitor could "
                "use the stored credentials. Put a reverse proxy with a login in front and set ORCHESTRATOR_PUBLIC_URL."
            )
        if self.database_url and not self.database_url.startswith(("postgresql://", "sqlite:///")):
            raise ValueError("ORCHESTRATOR_DATABASE_URL must start with postgresql:// or sqlite:///")
        redis_url = self.redis_url.get_secret_value()
        if redis_url and not redis_url.startswith(("redis://", "rediss://")):
            raise ValueError("ORCHESTRATOR_REDIS_URL must start with redis:// or rediss://")
        if self.workers == "external" and not self.database_url.startswith("postgresql://"):
            raise ValueError(
                "ORCHESTRATOR_WORKERS may only be external with a PostgreSQL database: set ORCHESTRATOR_DATABASE_URL to "
                "its postgresql:// URL."
            )
        return self

    @property
    def base_url(self) -> str:
        """Where callbacks arrive, without a slash at the end."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")

    @property
    def run_deadline_ms(self) -> int | None:
        """How long a run may take whose orchestrator does not say it."""
        return None if self.run_deadline is None else self.run_deadline * 1000

    @property
    def allowed_origins(self) -> list[str]:
        """Origins from which a browser may call, for HTTP and websocket alike."""
        hosts = [f"127.0.0.1:{self.port}", f"localhost:{self.port}", *self.allowed_hosts]
        origins = [f"http://{host}" for host in hosts] + [f"https://{host}" for host in self.allowed_hosts]
        parts = urlsplit(self.base_url)
        return list(dict.fromkeys([*origins, f"{parts.scheme}://{parts.netloc}"]))

    @property
    def key_file(self) -> Path:
        """The file that holds the encryption key when the environment does not."""
        return self.encryption_key_file or self.data_dir / "encryption.key"


def load_settings() -> Settings:
    """Read the settings.

    Raises:
        ConfigurationError: One sentence per wrong setting.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems: list[str] = []
        for item in error.errors():
            name = "_".join(["ORCHESTRATOR", *(str(part).upper() for part in item["loc"])])
            text = item["msg"].removeprefix("Value error, ")
            problems.append(text if text.startswith("ORCHESTRATOR_") else f"{name}: {text}.")
        raise ConfigurationError(problems) from error
