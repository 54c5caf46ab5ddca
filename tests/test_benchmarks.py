"""Benchmarks and recipes are run seldom: that each can still be imported is checked here, nothing of them runs."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for folder in ("benchmarks", "recipes") for path in (ROOT / folder).glob("*.py"))


def test_there_are_scripts_of_both_kinds() -> None:
    assert {path.parent.name for path in SCRIPTS} == {"benchmarks", "recipes"}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_script_can_be_imported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(path.parent), *sys.path])  # as when it is run
    specification = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(sys.modules, module.__name__, module)  # dataclasses look their module up
    specification.loader.exec_module(module)
