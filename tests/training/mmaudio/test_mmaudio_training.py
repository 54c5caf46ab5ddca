"""MMAudio's Gym size: as large as SALSA-V's, trained from the same caches by the same loop, loadable as a part."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from openfoley.data.feature_cache import FeatureRates, write_index
from openfoley.flow.noise import NoiseSource
from openfoley.flow.path import on_path, path_velocity
from openfoley.generators.base import latent_times
from openfoley.generators.mmaudio import config as mmaudio
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.salsa_v import config as salsa_v
from openfoley.generators.salsa_v.model import SalsaVGenerator
from openfoley.generators.sampling import sample_latents
from openfoley.hub.load import load_part
from openfoley.request import Sampling
from openfoley.training.gym_losses.presets import CPU, GENERATORS, LOSSES, variant
from openfoley.training.salsa_v.presets import GeneratorTraining
from openfoley.training.salsa_v.train import build_generator, train_generator
from openfoley.types import Conditions
from sequences import conditions as flat_conditions
from sequences import sequence, tokens

TINY = replace(
    mmaudio.GYM, latent_dim=8, semantic_dim=8, sync_dim=8, text_dim=8, width=64, heads=1, mlp_width=64, audio_blocks=1
)


def write_cache(folder: Path) -> None:
    draw = np.random.default_rng(0)
    shapes = {"latents": (6, 172, 8), "sync": (6, 97, 8), "semantic": (6, 33, 8), "text": (6, 2, 8)}
    folder.mkdir(parents=True)
    for name, shape in shapes.items():
        np.save(folder / f"{name}.npy", draw.standard_normal(shape).astype(np.float16))
    np.save(folder / "event_labels.npy", draw.integers(-1, 4, (6, 172)).astype(np.int8))
    write_index(folder, FeatureRates(44100, 1024, Fraction(24), Fraction(8)))


def tiny(features: Path) -> GeneratorTraining:
    return replace(
        variant(CPU, "mmaudio"), architecture=TINY, features=features, steps=3, crop_latents=(43,),
        batch_latents=172, warmup_steps=1, validate_every=3,
    )  # fmt: skip


def test_gym_size_has_salsa_vs_parameter_count_within_one_percent() -> None:
    with torch.device("meta"):
        models = MMAudioGenerator(mmaudio.GYM), SalsaVGenerator(salsa_v.GYM)
    ours, other = (sum(parameter.numel() for parameter in model.parameters()) for model in models)
    assert ours == pytest.approx(other, rel=0.01)


def test_ablations_differ_in_what_they_are_named_after_and_cost_the_same() -> None:
    rows = {name: variant(CPU, name) for name in GENERATORS if name.startswith("ablation-")}
    shortcut, flow, deaf = (rows[f"ablation-{name}"] for name in ("shortcut", "flow", "without-sync"))
    assert shortcut == replace(CPU, steps=shortcut.steps) and deaf == replace(shortcut, use_sync=False)
    assert flow.architecture.smallest_step is None and flow.objective.consistency_fraction == 0.0
    # in forward passes: 3 a step, and 2 more for a quarter of the batch
    assert flow.steps * 3 == pytest.approx(shortcut.steps * (3 + 2 * CPU.objective.consistency_fraction), rel=0.01)
    assert variant(CPU, "salsa-v") == CPU and build_generator(flow).config.smallest_step is None


def test_it_trains_from_the_feature_caches_and_loads_as_a_part(tmp_path: Path) -> None:
    for split in ("seen", "train", "validation"):
        write_cache(tmp_path / "features" / split)
    weights = train_generator(tiny(tmp_path / "features"), tmp_path / "run", resume=False, extra=LOSSES)
    assert json.loads((weights.parent / "config.json").read_text())["kind"] == "mmaudio"
    model = load_part("generator", weights.parent)
    assert isinstance(model, MMAudioGenerator) and model.config == TINY
    assert any(model.out.weight.abs().flatten() > 0)


def timed_conditions(offset_s: float, batch: int = 1) -> Conditions:
    """Sync features with one bump at 1 s on the clip's clock, seen from a crop that starts at offset_s."""
    time = torch.arange(97) / 24 - offset_s
    return flat_conditions(
        sequence(torch.zeros(batch, 8, 8), (torch.arange(8) / 8)),
        sequence(
            torch.exp(-(((time + offset_s - 1.0) / 0.03) ** 2))[None, :, None].expand(batch, -1, 8),
            time,
        ),
        tokens(torch.zeros(batch, 8), torch.zeros(batch, dtype=torch.bool)),
    )


@pytest.mark.parametrize("offset_s", [0.0, 0.5, 0.51])
def test_each_latent_reads_the_sync_feature_nearest_to_its_centre(offset_s: float) -> None:
    model = MMAudioGenerator(TINY).eval()
    conditions = timed_conditions(offset_s)
    _, index, _ = model.conditions._sync_tokens(conditions, 86)
    read = conditions["sync"].time_s[0, index[0]]
    centre = latent_times(86, TINY.hop_length, TINY.sample_rate)
    assert (read - centre).abs().max() <= 0.5 / 24 + 1e-5


def test_one_batch_is_learnt() -> None:
    """The loss of a fixed batch falls far below that of predicting nothing."""
    torch.manual_seed(0)
    model = MMAudioGenerator(TINY)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    conditions = timed_conditions(0.0, batch=4)
    data, noise = torch.randn(4, 43, 8), torch.randn(4, 43, 8)
    t = torch.tensor([0.2, 0.4, 0.6, 0.8])
    target = path_velocity(noise, data)

    def loss() -> Tensor:
        known = torch.zeros(4, 43, dtype=torch.bool)
        return (model(on_path(noise, data, t), t, t * 0, known, conditions) - target).square().mean()

    first = float(loss().detach())
    for _ in range(40):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    assert float(loss().detach()) < 0.6 * first
    made = sample_latents(model.eval(), conditions, NoiseSource([1, 2, 3, 4], 43), Sampling(steps=2))
    assert made.shape == data.shape and made.isfinite().all()
