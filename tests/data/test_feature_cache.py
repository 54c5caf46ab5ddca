"""Several feature caches as one."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.data.feature_cache import FeatureCache, FeatureRates, join, write_index
from openfoley.errors import UsageError

RATES = FeatureRates(44100, 1024, Fraction(24), Fraction(8))


def write_cache(folder: Path, clips: int, wordings: int, rates: FeatureRates = RATES) -> Path:
    folder.mkdir()
    random = np.random.default_rng(clips)
    shapes = {
        "latents": (clips, 43, 4),
        "sync": (clips, 24, 3),
        "semantic": (clips, 8, 3),
        "text": (clips, wordings, 3),
    }
    for name, shape in shapes.items():
        np.save(folder / f"{name}.npy", random.normal(size=shape).astype(np.float16))
    np.save(folder / "event_labels.npy", random.integers(0, 3, (clips, 43)).astype(np.int8))
    write_index(folder, rates)
    return folder


def test_clips_follow_one_another_with_the_captions_that_all_have(tmp_path: Path) -> None:
    folders = [write_cache(tmp_path / "a", 2, 3), write_cache(tmp_path / "b", 5, 2)]
    first, second = (FeatureCache.open(folder) for folder in folders)
    whole = join(folders, tmp_path / "whole")
    assert len(whole) == 7 and whole.text.shape == (7, 2, 3) and whole.rates == RATES
    assert torch.equal(whole.sync[2:], second.sync) and torch.equal(whole.text[:2], first.text[:, :2])


def test_caches_of_other_rates_cannot_be_joined(tmp_path: Path) -> None:
    other = replace(RATES, sync_rate=Fraction(25))
    folders = [write_cache(tmp_path / "a", 2, 2), write_cache(tmp_path / "b", 2, 2, other)]
    with pytest.raises(UsageError, match="cannot be joined"):
        join(folders, tmp_path / "whole")


def test_a_data_set_without_truth_has_features_and_no_labels(tmp_path: Path) -> None:
    folders = [write_cache(tmp_path / "a", 2, 2), write_cache(tmp_path / "b", 3, 2)]
    labelled = FeatureCache.open(folders[0]).whole(2)
    assert labelled.event_labels is not None and labelled.event_labels.shape == labelled.latents.shape[:2]
    for folder in folders:
        (folder / "event_labels.npy").unlink()
    whole = join(folders, tmp_path / "whole")
    assert len(whole) == 5 and whole.event_labels is None and whole.whole(1).event_labels is None
    with pytest.raises(UsageError, match="cannot be joined"):
        join([folders[0], write_cache(tmp_path / "c", 2, 2)], tmp_path / "mixed")
