"""The judge of pairs: trained once, loaded again, its ceilings of true pairs, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.data.pairs.pair import GYM_FORM, MODALITIES, Pair, PairForm
from openfoley.errors import UsageError
from openfoley.evaluation.reports import pair_judge
from openfoley.evaluation.reports.pair_judge import FIRST_SEED, ceiling_table, inputs, load_pair_judge, train_pair_judge
from openfoley.gym.seeds import seed_range
from openfoley.judges import pair_events
from openfoley.judges.pair_events import RECIPES
from openfoley.judges.training import Recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pair_judge, "SCENES", {"train": 12, "validation": 6, "evaluation": 8})
        for modality in MODALITIES:
            patch.setitem(RECIPES, modality, Recipe(epochs=2, batch=6, learning_rate=1e-3, weight_decay=0.01))
        train_pair_judge(folder, workers=1)
    return folder


def test_a_trained_judge_is_loaded_as_it_was_and_says_what_it_finds_in_true_pairs(folder: Path) -> None:
    judge = load_pair_judge(folder)
    assert judge.name == "gym-pairs-1" and judge.size == 32
    row = judge.about["ceilings"]["by_tolerance"]["0.1"]
    assert set(row) == {"picture", "sound", "pair", "shuffled"}
    assert row["picture"]["events"] == row["sound"]["events"] > 0 and row["pair"]["clips"] == 8
    said = ceiling_table(judge.about["ceilings"])
    assert "62.5 ms" in said and "125.0 ms" in said and "material" in said
    again = train_pair_judge(folder)
    states = (one.detectors["sound"].state_dict().values() for one in (judge, again))
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def test_it_looks_at_pictures_of_any_size_and_gives_events_within_the_clip(folder: Path) -> None:
    judge, form = load_pair_judge(folder), PairForm(size=64)
    pair = Pair("x", torch.zeros(16, 3, 64, 64, dtype=torch.uint8), torch.zeros(32_000), ("",))
    given, rate = inputs("picture", [pair], form, judge.size)
    assert given.shape == (1, 16, 3, 32, 32) and rate == 8
    for modality in MODALITIES:
        (found,) = judge.candidates(modality, [pair], form)
        assert ((found.times_s >= 0) & (found.times_s <= 2.05)).all()
        features = judge.features(modality, [pair, pair], form)
        assert features.shape == (2, pair_events.EMBEDDING) and np.array_equal(features[0], features[1])


def test_its_seeds_are_apart_from_those_that_models_are_trained_and_judged_on() -> None:
    assert all(FIRST_SEED + count < len(seed_range("train", "close-up")) for count in pair_judge.SCENES.values())
    assert FIRST_SEED > 1_000_000  # models take the first ones
    assert GYM_FORM.size == 32


def test_other_sizes_and_versions_and_empty_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="looks at 32 pixels; choose another folder"):
        train_pair_judge(folder, size=48)
    with pytest.raises(UsageError, match="no judge of pairs"):
        load_pair_judge(tmp_path)
    about = json.loads((folder / "judge.json").read_text())
    (tmp_path / "judge.json").write_text(json.dumps(about | {"gym": 0}))
    with pytest.raises(UsageError, match="of another version of the Gym"):
        load_pair_judge(tmp_path)
