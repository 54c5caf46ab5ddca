"""A training is identified by its settings and data, not by their location."""

from dataclasses import dataclass, replace
from pathlib import Path

from openfoley.training.loop.identity import identity_of


@dataclass(frozen=True)
class Preset:
    data: Path
    start: Path | None = None
    rates: tuple[float, ...] = (1.0, 2.0)
    device: str = "cpu"
    time_limit_s: float | None = None


def folder(path: Path, truth: str) -> Path:
    (path / "train").mkdir(parents=True)
    (path / "truth.json").write_text(truth)
    (path / "frames.npy").write_text("anything")
    (path / "train" / "latents.from").write_text("weights")
    return path


def test_data_may_be_moved_but_not_exchanged(tmp_path: Path) -> None:
    here = Preset(folder(tmp_path / "here", "[1]"))
    assert identity_of(here) == identity_of(Preset(folder(tmp_path / "there", "[1]")))
    assert identity_of(here) != identity_of(Preset(folder(tmp_path / "other", "[2]")))
    before = identity_of(here)
    (here.data / "train" / "latents.from").write_text("other weights")
    assert identity_of(here) != before


def test_weights_and_settings_count_but_not_the_machine(tmp_path: Path) -> None:
    preset = Preset(folder(tmp_path / "data", "[1]"))
    assert identity_of(replace(preset, device="cuda", time_limit_s=5.0)) == identity_of(preset)
    assert identity_of(replace(preset, rates=(1.0, 3.0)))["rates"] == [1.0, 3.0] != identity_of(preset)["rates"]
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"one")
    one = identity_of(replace(preset, start=weights))
    weights.write_bytes(b"two")
    assert one["start"] != identity_of(replace(preset, start=weights))["start"]
