"""What is installed works without the repository."""

import sys
from pathlib import Path

import pytest

from openfoley.cli import main
from openfoley.hub.registry import ADAPTERS_NAME, DEFAULT_MODEL, SELECTION, SHIPPED_FOLDER

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_the_shipped_weights() -> None:
    from hatchling.builders.wheel import WheelBuilder

    builder = WheelBuilder(str(ROOT))
    included = {file.distribution_path for file in builder.recurse_included_files()}
    weights = {f"openfoley/hub/weights/{path.relative_to(SHIPPED_FOLDER)}" for path in SHIPPED_FOLDER.glob("*/*")}
    assert weights <= included and sum(path.endswith(".safetensors") for path in weights) >= 5


def test_the_shipped_weights_are_small() -> None:
    """Limits in MB: of all of a model, of what selects by text, of the adapters for the whole video."""
    sizes = {path: path.stat().st_size / 1e6 for path in (SHIPPED_FOLDER / DEFAULT_MODEL).iterdir()}
    assert 20 < sum(sizes.values()) < 45
    for name, most in ((f"{SELECTION}.safetensors", 5), (ADAPTERS_NAME, 2)):
        assert all(size < most for path, size in sizes.items() if path.name == name), name


@pytest.mark.parametrize("command", [["demo", "--out", "x"], ["evaluate", "report", "--out", "x"]])
def test_a_command_that_draws_names_the_package_it_lacks(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(command) == 2
    assert "needs matplotlib" in (line := capsys.readouterr().err) and "pip install 'openfoley[plots]'" in line
    assert line.count("\n") == 1 and not list(tmp_path.iterdir())
