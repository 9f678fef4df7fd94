"""The target's metadata for singer-sdk: `--about`, `--version`, `--config ENV`, log configuration.

A run does without it: loading the SDK takes as long as delivering thirty thousand rows.
"""

from __future__ import annotations

from typing import Any, ClassVar

from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.plugin_base import PluginBase

from target_pipelines.api.errors import ConfigurationError
from target_pipelines.api.settings_table import CONFIG_JSONSCHEMA, ENVIRONMENT


class PipelinesPlugin(PluginBase):
    """Singer target that delivers rows as calls."""

    name = "target-pipelines"
    package_name = "mssql-reverse-etl"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_JSONSCHEMA
    capabilities: ClassVar[list[Any]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - as in the SDK
        return ENVIRONMENT.read(ConfigurationError)

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Add none of the SDK's settings: they are about tables."""

    @classmethod
    def configure_logging(cls) -> None:
        """Log as the file says that SINGER_SDK_LOG_CONFIG names."""
        _ = cls.cli  # the SDK configures logging when it builds the command line

    def setup_mapper(self) -> None:
        """Set up no stream maps: the tap has them, and mapping is the target's own work."""
        PluginBase.setup_mapper(self)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002
        """Accept everything here: a run checks all settings at once, plugins included."""
        return []

    def _setup_signal_handlers(self) -> None:
        """Install none: `Runner` does."""
