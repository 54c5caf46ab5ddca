"""The detectors of pairs: shapes, targets, and that a little training finds a flash and a click."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from openfoley.data.pairs.pair import MODALITIES, Modality
from openfoley.judges.events import peaks
from openfoley.judges.pair_events import (
    DETECTORS,
    EMBEDDING,
    UNKNOWN,
    event_steps,
    train_detector,
)  # fmt: skip
from openfoley.judges.training import Recipe

RATES = {"picture": Fraction(8), "sound": Fraction(16_000)}


def clips(modality: Modality, count: int, seed: int) -> tuple[torch.Tensor, list[np.ndarray]]:
    """A dot that jumps to the other side, or a click, at one or two instants."""
    rng = np.random.default_rng(seed)
    times = [
        np.sort(rng.choice(np.arange(0.2, 1.8, 0.35), int(rng.integers(1, 3)), replace=False)) for _ in range(count)
    ]
    times = [one + rng.uniform(0, 0.1) for one in times]
    if modality == "sound":
        given = 1e-3 * rng.standard_normal((count, 32_000))
        for row, one in enumerate(times):
            for at in one:
                k = round(at * 16_000)
                given[row, k : k + 800] += 0.5 * rng.standard_normal(800) * np.exp(-np.arange(800) / 200)
        return torch.from_numpy(given).float(), times
    frames = np.full((count, 16, 3, 16, 16), 60, np.uint8)
    for row, one in enumerate(times):
        for k in range(16):
            side = 8 * (np.sum(one <= k / 8) % 2)
            frames[row, k, :, 6:10, 2 + side : 6 + side] = 220
    return torch.from_numpy(frames), times


@pytest.mark.parametrize("modality", MODALITIES)
def test_trained_on_events_it_finds_those_of_other_clips(modality: Modality) -> None:
    detector = DETECTORS[modality]()
    given, times = clips(modality, 48, 0)
    outputs = detector.outputs(given[:2])
    assert outputs.features.shape == (2, EMBEDDING)
    steps = outputs.events.shape[1]
    assert steps / float(detector.step_rate(RATES[modality])) == pytest.approx(2, abs=0.03)
    spans = (steps, detector.first_s(RATES[modality]), float(detector.step_rate(RATES[modality])))
    targets = torch.stack([event_steps(one, modality, *spans) for one in times])
    names = torch.full((48, 2), float(UNKNOWN))
    recipe = Recipe(epochs=12, batch=8, learning_rate=5e-3, weight_decay=0.01)
    trained = train_detector(modality, given, targets, names, recipe)
    others, wanted = clips(modality, 24, 1)
    hits = events = detections = 0
    for (found, scores), true in zip(trained.detect(others, RATES[modality]), wanted, strict=True):
        chosen = found[scores > 0.4]
        hits += sum(np.abs(chosen - at).min(initial=9) < 0.1 for at in true)
        events, detections = events + len(true), detections + len(chosen)
    assert 2 * hits / (events + detections) > 0.75


def test_targets_are_one_at_an_event_and_peaks_give_it_back() -> None:
    target = event_steps(np.array([0.4, 1.3]), "picture", 64, 1 / 64, 32.0)
    assert target.max() <= 1 and (target > 0.5).sum() <= 6
    logits = torch.logit(target.double().clamp(1e-4, 1 - 1e-4)).numpy()
    times, scores = peaks(logits, 1 / 64, 32.0)
    assert times[scores > 0.5] == pytest.approx([0.4, 1.3], abs=0.016)
    assert not event_steps(np.zeros(0), "sound", 101, 0.0, 50.0).any()


def test_training_keeps_the_random_state_and_is_the_same_again() -> None:
    given, times = clips("picture", 8, 3)
    targets = torch.stack([event_steps(one, "picture", 64, 1 / 64, 32.0) for one in times])
    names = torch.zeros(8, 2)
    recipe = Recipe(epochs=1, batch=4, learning_rate=1e-3, weight_decay=0.01)
    before = torch.get_rng_state()
    one, two = (train_detector("picture", given, targets, names, recipe) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))
