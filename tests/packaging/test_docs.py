from __future__ import annotations

import re
import runpy
import sys

import pytest

import mssql_reverse_etl.errors
import tap_mssql_query.errors
import target_pipelines
import target_pipelines.api.errors
from tests.packaging.conftest import ROOT

README = (ROOT / "README.md").read_text()
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "plugins" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def _errors() -> list[type[Exception]]:
    modules = (tap_mssql_query.errors, target_pipelines.api.errors, mssql_reverse_etl.errors)
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Exception)
        and value.__module__ == module.__name__
    ]


def test_settings_page_matches_the_settings_tables():
    """docs/settings.md is generated from the tables; run `python docs/settings.py`."""
    render = runpy.run_path(str(ROOT / "docs" / "settings.py"))["render"]

    assert (ROOT / "docs" / "settings.md").read_text() == render()


def test_table_in_the_readme_matches_the_settings_tables():
    """The README's table is generated from the same tables."""
    render = runpy.run_path(str(ROOT / "docs" / "settings.py"))["render_readme"]

    assert render(README) == README
    assert "| `lookback_seconds` |" in README


@pytest.mark.parametrize("error", _errors(), ids=lambda error: error.__name__)
def test_error_is_in_the_tree_and_its_code_in_the_readme(error):
    """The docstring draws every error, and the README explains every exit code."""
    tree = sys.modules[error.__module__].__doc__ or ""
    code = getattr(error, "exit_code", None)

    assert error.__name__ in tree
    if isinstance(code, int):
        assert re.search(rf"^\| .*\b{code}\b.* \|", README, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    """Each relative link leads to a file that exists."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["name", "schema", "extra_columns", "sends_as", "build"])
def test_plugin_page_explains_the_attribute(name):
    """plugins/README.md says what each attribute of a call type is for."""
    assert hasattr(target_pipelines.CallType, name)
    assert f"| `{name}` |" in (ROOT / "plugins" / "README.md").read_text()
