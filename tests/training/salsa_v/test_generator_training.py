"""Generator training on impulse trains: sync features give the random event times, semantics the timbre."""

import csv
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from openfoley.data.feature_cache import Batch, FeatureCache, FeatureRates, write_index
from openfoley.errors import UsageError, WeightsError
from openfoley.flow.noise import NoiseSource
from openfoley.generators.salsa_v.config import GYM
from openfoley.generators.sampling import sample_latents
from openfoley.request import Sampling
from openfoley.training.gym_losses.contradiction import MaterialMeans
from openfoley.training.gym_losses.losses import GymLosses
from openfoley.training.gym_losses.presets import CPU, LOSSES
from openfoley.training.loop.run import Run, TrainingStopped
from openfoley.training.salsa_v import objective
from openfoley.training.salsa_v import train as generator
from openfoley.training.salsa_v.presets import LARGE, SMALL, GeneratorTraining
from openfoley.training.salsa_v.report import whole_clips
from openfoley.training.salsa_v.train import build_generator, train_generator
from openfoley.types import Conditions

RATES = FeatureRates(44100, 1024, Fraction(24), Fraction(8))
LATENTS, CHANNELS, FEATURES, MATERIALS = 172, 16, 32, 4
LATENT_S = 1024 / 44100
DECAY_LATENTS = 4.0


def impulse_trains(clips: int, folder: Path, seed: int = 0) -> tuple[FeatureCache, list[Tensor]]:
    """Latents with decaying impulses in the direction of the clip's material, sync features that encode the impulses'
    times through a random projection of bumps, semantic features that encode the material. Returns the times too."""
    world = torch.Generator().manual_seed(99)
    draw = torch.Generator().manual_seed(seed)
    timbres = torch.nn.functional.normalize(torch.randn(MATERIALS, CHANNELS, generator=world), dim=-1) * CHANNELS**0.5
    mixing = torch.randn(12, FEATURES, generator=world)
    materials = torch.randn(MATERIALS, FEATURES, generator=world)
    shifts = torch.linspace(-0.15, 0.15, 12)
    duration_s = LATENTS * LATENT_S
    frames, pictures = int(duration_s * 24) + 1, int(duration_s * 8) + 1
    shapes = {
        "latents": (clips, LATENTS, CHANNELS),
        "sync": (clips, frames, FEATURES),
        "semantic": (clips, pictures, FEATURES),
        "text": (clips, 1, FEATURES),
    }
    times = []
    latent_start = torch.arange(LATENTS) * LATENT_S
    arrays = {name: np.zeros(shape, np.float16) for name, shape in shapes.items()}
    arrays["event_labels"] = np.zeros((clips, LATENTS), np.int8)
    for clip in range(clips):
        count = int(torch.randint(2, 9, (1,), generator=draw))
        onsets = (torch.rand(count, generator=draw) * duration_s).sort().values
        onsets = onsets[torch.cat((torch.tensor([True]), onsets.diff() > 0.12))]
        age = (latent_start[:, None] + LATENT_S - onsets) / LATENT_S
        envelope = torch.where(age > 0, torch.exp(-age / DECAY_LATENTS) * age.clamp(max=1), 0.0).sum(1)
        material = int(torch.randint(MATERIALS, (1,), generator=draw))
        floor = 0.15 * torch.randn(LATENTS, CHANNELS, generator=draw)
        away = torch.arange(frames)[:, None, None] / 24 - onsets[:, None] - shifts
        bumps = torch.exp(-((away / 0.04) ** 2)).sum(1)
        arrays["latents"][clip] = 2 * envelope[:, None] * timbres[material] + floor
        arrays["sync"][clip] = bumps @ mixing / 2 + 0.1 * torch.randn(frames, FEATURES, generator=draw)
        arrays["semantic"][clip] = materials[material] + 0.1 * torch.randn(pictures, FEATURES, generator=draw)
        arrays["text"][clip] = materials[material]
        for first in (onsets / LATENT_S).long().tolist():
            arrays["event_labels"][clip, first : first + 4] = 1 + material
        times.append(onsets)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    write_index(folder, RATES)
    return FeatureCache.open(folder), times


def onsets_in(latents: Tensor) -> Tensor:
    """Times of the impulses in latents [latents, channels]: centres of the rises of the energy."""
    energy = latents.square().mean(-1).sqrt()
    rise = torch.nn.functional.pad(energy[1:] - energy[:-1], (1, 1))
    peak = (rise[1:-1] > 0.45) & (rise[1:-1] >= rise[2:])
    strongest = peak & (torch.nn.functional.max_pool1d(rise[None, None, 1:-1], 5, 1, 2)[0, 0] == rise[1:-1])
    return (strongest.nonzero()[:, 0] + 1.5) * LATENT_S


def f1_score(found: list[Tensor], true: list[Tensor], tolerance_s: float) -> float:
    hits = 0
    for detected, expected in zip(found, true, strict=True):
        left = detected.tolist()
        for time in expected.tolist():
            near = [other for other in left if abs(other - time) <= tolerance_s]
            if near:
                left.remove(min(near, key=lambda other: abs(other - time)))
                hits += 1
    return 2 * hits / max(1, sum(map(len, found)) + sum(map(len, true)))


def toy_training(folder: Path) -> GeneratorTraining:
    """A small recipe on the impulse trains of `folder`."""
    return replace(
        CPU,
        architecture=replace(
            GYM, latent_dim=CHANNELS, semantic_dim=FEATURES, sync_dim=FEATURES, text_dim=FEATURES, width=96, heads=2,
            mlp_width=288, joint_blocks=1, extra_attention_blocks=1, audio_blocks=2, modulation_rank=32,
        ),
        features=folder,
        seen_share=0.0,
        crop_latents=(43, 64),
        batch_latents=1024,
        learning_rate=3e-3,
        warmup_steps=30,
        steps=400,
        validate_every=100_000,
    )  # fmt: skip


def event_score(
    preset: GeneratorTraining, weights: Path, cache: FeatureCache, times: list[Tensor], steps: int
) -> float:
    """F1 of generated impulses at 1.5 latents."""
    model = build_generator(preset).eval()
    model.load_state_dict(load_file(weights))
    batch = whole_clips(cache, len(cache))
    size, latents, _ = batch.latents.shape
    generator: Any = model
    source = NoiseSource(range(size), latents)
    made = sample_latents(generator, batch.conditions, source, Sampling(steps=steps, guidance=1.0))
    return f1_score([onsets_in(latents) for latents in made], times, 1.5 * LATENT_S)


def losses_of(folder: Path) -> list[tuple[str, str, str]]:
    with open(folder / "log.csv", newline="") as file:
        return [(row["step"], row["name"], row["value"]) for row in csv.DictReader(file)]


def tiny(folder: Path) -> GeneratorTraining:
    preset = toy_training(folder)
    architecture = replace(preset.architecture, width=32, heads=1, mlp_width=64, modulation_rank=8)
    return replace(
        preset,
        architecture=architecture,
        crop_latents=(20, 30),
        batch_latents=240,
        steps=6,
        warmup_steps=2,
        seen_share=0.5,
    )


@pytest.fixture
def features(tmp_path: Path) -> Path:
    for split in ("seen", "train", "validation"):
        impulse_trains(6, tmp_path / split)
    return tmp_path


def test_training_leaves_averaged_weights_and_their_config(features: Path, tmp_path: Path) -> None:
    out = train_generator(tiny(features), tmp_path / "run", resume=False).parent
    assert {"model.safetensors", "config.json", "log.csv"} <= {path.name for path in out.iterdir()}
    assert any(name == "validation_t0.3" for _, name, _ in losses_of(out))
    assert list((out / "pictures").glob("samples-*.png"))
    saved, state = load_file(out / "model.safetensors"), torch.load(out / "checkpoint.pt")["state"]
    assert all(torch.equal(value, state["average"][f"module.{name}"]) for name, value in saved.items())
    assert any(not torch.equal(value, state["model"][name]) for name, value in saved.items())


def test_a_generator_of_other_encoders_is_not_taken_for_trained(features: Path, tmp_path: Path) -> None:
    for split in ("seen", "train", "validation"):
        (features / split / "sync.from").write_text("one encoder")
    train_generator(tiny(features), tmp_path / "run", resume=False)
    train_generator(tiny(features), tmp_path / "run", resume=True)
    (features / "train" / "sync.from").write_text("another")
    with pytest.raises(UsageError, match="a training with another features"):
        train_generator(tiny(features), tmp_path / "run", resume=True)


def test_training_can_start_from_trained_weights_of_its_architecture(features: Path, tmp_path: Path) -> None:
    weights = train_generator(tiny(features), tmp_path / "run", resume=False)
    further = build_generator(replace(tiny(features), start=weights, seed=5))
    assert all(torch.equal(value, load_file(weights)[name]) for name, value in further.state_dict().items())
    wider = replace(tiny(features).architecture, width=96)
    with pytest.raises(WeightsError, match="does not match"):
        build_generator(replace(tiny(features), architecture=wider, start=weights))


def test_the_last_steps_see_only_scenes_that_no_encoder_was_trained_on(
    features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[int] = []
    real_draw = generator.draw_batch

    def draw(cache: FeatureCache, *rest: Any) -> Any:
        drawn.append(len(cache))
        return real_draw(cache, *rest)

    monkeypatch.setattr(generator, "draw_batch", draw)
    train_generator(tiny(features), tmp_path / "run", resume=False)
    assert drawn == [12] * 3 + [6] * 3


def test_swapped_sequences_get_sync_features_of_other_materials(
    features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    real = objective.drop_conditions

    def drop(conditions: Conditions, known: Tensor, *rest: Any) -> Conditions:
        seen.append((rest[-1], real(conditions, known, *rest)))
        return seen[-1][1]

    def exchanged(_means: MaterialMeans, batch: Batch, *_: Any) -> Tensor:
        return torch.full_like(batch.conditions["sync"].values, 7.0)

    monkeypatch.setattr(objective, "drop_conditions", drop)
    monkeypatch.setattr(MaterialMeans, "exchanged", exchanged)
    train_generator(replace(tiny(features), steps=4), tmp_path / "out", resume=False, extra=LOSSES)
    assert all((other == 7.0).all() for other, _ in seen)
    swapped = torch.cat([(made["sync"].values == 7.0).all(2).all(1) for _, made in seen])
    assert 0 < int(swapped.sum()) < len(swapped)


def test_killed_and_resumed_training_has_the_losses_of_the_uninterrupted_one(
    features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_log = Run.log

    def log_all(self: Run, step: int, **scalars: Any) -> None:
        real_log(self, step, **{**scalars, "always": True})

    def log_and_kill(self: Run, step: int, **scalars: Any) -> None:
        log_all(self, step, **scalars)
        if step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Run, "log", log_all)
    preset = tiny(features)
    train_generator(preset, tmp_path / "whole", resume=False)
    monkeypatch.setattr(Run, "log", log_and_kill)
    with pytest.raises(TrainingStopped):
        train_generator(preset, tmp_path / "parts", resume=False)
    monkeypatch.setattr(Run, "log", log_all)
    train_generator(preset, tmp_path / "parts", resume=True)
    assert losses_of(tmp_path / "parts") == losses_of(tmp_path / "whole")


def test_plain_flow_matching_and_training_without_sync_run(features: Path, tmp_path: Path) -> None:
    """The ablation rows: no consistency targets and no trained steps; sync features absent throughout."""
    architecture = replace(GYM, **vars(tiny(features).architecture) | {"smallest_step": None})
    preset = replace(tiny(features), architecture=architecture, use_sync=False)
    out = train_generator(preset, tmp_path / "run", resume=False).parent
    names = {name for _, name, _ in losses_of(out)}
    assert "flow" in names and "consistency" not in names
    assert json.loads((out / "config.json").read_text())["smallest_step"] is None
    other_sync = [float(value) for _, name, value in losses_of(out) if name == "validation_other_sync"]
    assert other_sync == [0.0]


def test_the_papers_presets_differ_in_size_alone_and_know_no_gym() -> None:
    assert replace(SMALL, architecture=LARGE.architecture) == LARGE
    assert LARGE.objective.dropout.swapped == 0 and LARGE.objective.mask_kinds == ("span",)
    code = (
        "import sys, openfoley.training.salsa_v.train, openfoley.training.mmaudio.presets;"
        "print(sorted(name for name in sys.modules if 'openfoley.gym' in name or 'gym_losses' in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_features_without_labels_train_the_paper_recipe_and_are_refused_by_the_gyms_losses(
    features: Path, tmp_path: Path
) -> None:
    for split in ("seen", "train", "validation"):
        (features / split / "event_labels.npy").unlink()
    out = train_generator(tiny(features), tmp_path / "run", resume=False).parent
    assert not any("material" in name for _, name, _ in losses_of(out))
    with pytest.raises(UsageError, match="event_labels.npy"):
        train_generator(tiny(features), tmp_path / "gym", resume=False, extra=LOSSES)


def test_a_checkpoint_with_other_extra_losses_is_refused(features: Path, tmp_path: Path) -> None:
    train_generator(tiny(features), tmp_path / "run", resume=False, extra=LOSSES)
    names = {name for _, name, _ in losses_of(tmp_path / "run")}
    assert {"material", "validation_material"} <= names
    with pytest.raises(UsageError, match="another material_weight"):
        train_generator(tiny(features), tmp_path / "run", resume=True, extra=GymLosses(material_weight=0.1))


def test_joined_caches_hold_the_clips_of_both(features: Path) -> None:
    first, second = (FeatureCache.open(features / split) for split in ("train", "seen"))
    second = replace(second, latents=second.latents + 1, text=second.text.repeat(1, 2, 1))
    both = FeatureCache.joined([first, second])
    assert len(both) == 12 and both.text.shape[1] == first.text.shape[1]
    assert torch.equal(both.latents[7], second.latents[1]) and torch.equal(both.sync[1], first.sync[1])
    with pytest.raises(UsageError, match="cannot be joined"):
        FeatureCache.joined([first, replace(second, rates=replace(second.rates, sync_rate=Fraction(25)))])


def test_crops_know_their_true_times(features: Path) -> None:
    """The sync features nearest to an instant of a crop are those of that instant of the clip."""
    cache = FeatureCache.open(features / "train")
    start = torch.tensor([0, 37, 140])
    batch = cache.crop(torch.tensor([0, 1, 2]), start, 30, torch.zeros(3, dtype=torch.long))
    data, conditions = batch.latents, batch.conditions
    for row, first in enumerate(start.tolist()):
        assert torch.equal(data[row], cache.latents[row, first : first + 30].float())
        frame = (conditions["sync"].time_s[row] + first * LATENT_S) * 24
        torch.testing.assert_close(frame, frame.round(), atol=1e-3, rtol=0)
        assert torch.equal(conditions["sync"].values[row], cache.sync[row, frame.round().long()].float())
        assert conditions["sync"].time_s[row, 0] <= LATENT_S and conditions["sync"].time_s[row, -1] >= 29 * LATENT_S


@pytest.mark.slow
def test_generator_learns_to_place_events_and_eight_steps_suffice(tmp_path: Path) -> None:
    """Two CPU minutes: F1 at 35 ms (1.5 latents) of generated impulses, without guidance."""
    impulse_trains(256, tmp_path / "train")
    cache, times = impulse_trains(24, tmp_path / "validation", seed=1)
    preset = replace(toy_training(tmp_path), steps=250)
    weights = train_generator(preset, tmp_path / "run", resume=False)
    scores = {steps: event_score(preset, weights, cache, times, steps) for steps in (8, 32)}
    assert scores[8] > 0.9
    assert scores[8] > scores[32] - 0.02
