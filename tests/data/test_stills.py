"""Stills: the recorded event is the one in the picture."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from openfoley.data.seen_events import cell_of
from openfoley.data.stills import STILLS, Stills
from openfoley.errors import UsageError
from openfoley.gym.seeds import seeds_of

SEEDS = [3, 4, seeds_of("train", 1, 3, world="bodies")[0]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "stills"


@pytest.fixture(scope="module")
def stills(folder: Path) -> Stills:
    return Stills.build(folder, SEEDS, split="train", workers=1)


def test_every_scene_has_its_pictures_and_its_truth(stills: Stills) -> None:
    assert stills.pictures.shape == (3, STILLS, 3, 96, 96) and [t["seed"] for t in stills.truth] == SEEDS
    for picture in stills.pictures.reshape(-1, 3, 96, 96):
        assert np.ptp(picture) > 30
    for record in stills.truth:
        assert len(record["shown"]) == STILLS and record["shown"][-1] is None
        for event in record["shown"]:
            assert event is None or any(
                (e["x"], e["y"], e["material"]) == (event["x"], event["y"], event["material"]) and e["visible"]
                for e in record["events"]
            )


def test_finished_stills_are_opened_and_those_of_other_seeds_refused(
    stills: Stills, folder: Path, tmp_path: Path
) -> None:
    assert len(Stills.build(folder, SEEDS, split="train")) == 3
    with pytest.raises(UsageError, match="other seeds"):
        Stills.build(folder, [3, 4], split="train")
    with pytest.raises(UsageError, match="no stills"):
        Stills.open(tmp_path)


def test_stills_of_another_version_of_the_gym_are_refused(stills: Stills, folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "old")
    records = [{**record, "gym": record["gym"] - 1} for record in stills.truth]
    (tmp_path / "old" / "stills.json").write_text(json.dumps(records))
    with pytest.raises(UsageError, match="another version of the Gym"):
        Stills.build(tmp_path / "old", SEEDS, split="train")


@pytest.mark.parametrize(
    ("box", "cell"),
    [
        ((0.0, 0.0, 1.0, 1.0), (2, 4)),
        ((0.0, 0.0, -1.0, 1.0), (2, 1)),  # mirrored
        ((0.5, 0.25, 0.5, 0.5), (1, 3)),
        ((0.5, 0.25, -0.5, 0.5), (1, 2)),
        ((0.0, 0.0, 0.5, 0.5), None),
    ],
)
def test_a_point_falls_into_the_cell_of_the_part_that_is_shown(box: tuple, cell: tuple | None) -> None:
    assert cell_of(0.76, 0.4, box) == cell
