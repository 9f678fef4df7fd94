"""The tap knows call types only from the package that registers them."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from program_kit.findings import Level
from tap_mssql_query.call_types import CallTypesUnavailable, load_call_types
from tap_mssql_query.checks.preflight import check_all
from tap_mssql_query.errors import ConfigurationError
from tap_mssql_query.settings import validation
from tap_mssql_query.settings.model import parse_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

REORDERED = "events of one person may be reordered"


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a distribution `acme` with one plugin of the target."""

    def install(code: str) -> None:
        folder = tmp_path / "acme-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text("[target_pipelines]\nacme = acme_plugin\n")
        (tmp_path / "acme_plugin.py").write_text(textwrap.dedent(code))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "acme_plugin", raising=False)

    return install


@pytest.fixture
def plugin_of_two_types(install_plugin: Callable[[str], None]) -> None:
    """A plugin with the event type `wave` and the fact `badge`."""
    install_plugin(
        """
        from target_pipelines import CallType, hookimpl

        @hookimpl
        def register_call_types(register):
            register(CallType(name="wave", summary="A wave", schema={}, is_event=True))
            register(CallType(name="badge", summary="A badge", schema={}))
        """
    )


def _config(call_type: str, column: str = "day", **settings: object) -> dict[str, Any]:
    sync = {
        "name": "s",
        "type": call_type,
        "query": "SELECT 1 AS userId",
        "partition_column": column,
        "partitions": 2,
        **settings,
    }
    return {"host": "db", "syncs": [sync]}


@pytest.mark.usefixtures("plugin_of_two_types")
@pytest.mark.parametrize("call_type", ["track", "page", "screen", "wave", "nobody-knows-it"])
def test_events_cannot_be_partitioned_by_any_column(call_type: str) -> None:
    """This includes events of plugins and types that are not installed."""
    with pytest.raises(ConfigurationError, match=REORDERED):
        parse_settings(_config(call_type))


@pytest.mark.usefixtures("plugin_of_two_types")
@pytest.mark.parametrize("call_type", ["identify", "group", "alias", "badge"])
def test_facts_may_be_partitioned_by_any_column(call_type: str) -> None:
    """Only the last value of a fact matters."""
    assert parse_settings(_config(call_type)).syncs[0].partition_column == "day"


@pytest.mark.parametrize(
    "config",
    [
        _config("track", "userID"),
        _config("track", "anonymousId"),
        _config("track", allow_reordering=True),
        {"host": "db", "syncs": [{"name": "s", "type": "track", "query": "SELECT 1"}]},
    ],
    ids=["user", "anonymous user", "allowed", "no partitions"],
)
def test_call_types_are_loaded_only_if_they_decide(
    config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ordinary run starts without the target's plugins."""
    monkeypatch.setattr(validation, "load_call_types", lambda: pytest.fail("loaded"))

    assert parse_settings(config)


def test_without_registration_every_type_is_an_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Partitioning is refused to be safe; `allow_reordering` overrides that."""

    def load() -> None:
        raise CallTypesUnavailable("no package")

    monkeypatch.setattr(validation, "load_call_types", load)

    with pytest.raises(ConfigurationError, match=REORDERED):
        parse_settings(_config("identify"))
    assert parse_settings(_config("identify", allow_reordering=True))


def test_without_registration_nothing_is_loaded() -> None:
    """The message names the entry-point group."""
    with pytest.raises(CallTypesUnavailable, match="registers `tap_mssql_query"):
        load_call_types(entries=())


def test_plugin_that_cannot_be_loaded_is_a_warning(install_plugin: Callable[[str], None]) -> None:
    """Everything else is checked nevertheless; the warning names the plugin."""
    install_plugin("raise RuntimeError('broken')")

    result = next(iter(check_all(parse_settings(_config("track", "userId")), ())))

    (finding,) = result.findings
    assert (result.subject, finding.level) == ("plugins", Level.WARNING)
    assert finding.message.startswith("Call types are not checked. ")
    assert 'Plugin "acme" (acme 1.0) cannot be loaded' in finding.message
