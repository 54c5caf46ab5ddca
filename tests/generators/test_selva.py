"""SelVA's generator is MMAudio's without whole pictures: the published implementation's outputs, on seeded weights."""

import json
from dataclasses import replace

import pytest
import seeded
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from openfoley.flow.masking import Known
from openfoley.generators.base import Branches
from openfoley.generators.mmaudio.config import SMALL_16K
from openfoley.generators.mmaudio.foreign import from_mmaudio, latent_statistics
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.unmasked import sample_unmasked
from openfoley.request import Sampling
from openfoley.types import TEXT, Conditions
from sequences import sequence, tokens

GOLDENS = load_file(seeded.FOLDER / "selva.safetensors")
NETWORK = json.loads((seeded.FOLDER / "mmaudio_network_shapes.json").read_text())["small_16k"]["shapes"]
SYNC_FPS, GUIDANCE, BATCH = 25, 4.5, 2


def seeded_network() -> tuple[MMAudioGenerator, dict[str, Tensor]]:
    state = seeded.state(NETWORK)
    with torch.device("meta"):
        model = MMAudioGenerator(SMALL_16K)
    model.load_state_dict(from_mmaudio(state), strict=True, assign=True)
    return model.eval().requires_grad_(False), state


def text_of(name: str) -> Tensor:
    return F.normalize(seeded.noise(f"input.{name}", (BATCH, 77, 1024)), dim=-1)


def seen(sync: Tensor, text: Tensor) -> Conditions:
    """Without whole pictures, as in SelVA."""
    times = (torch.arange(sync.shape[1]) / SYNC_FPS).expand(len(sync), -1)
    return Conditions({"sync": sequence(sync, times), TEXT: tokens(text)})


@pytest.mark.slow
def test_flow_and_sampler_equal_the_published_ones() -> None:
    model, state = seeded_network()
    conditions = seen(seeded.noise("input.sync_f", (BATCH, 192, 768)), text_of("text_f"))
    negative = conditions.null().replaced(text=tokens(text_of("negative_text_f")))
    x = seeded.noise("input.latent", (BATCH, 250, 20))

    def flow(of: Conditions, times: list[float]) -> Tensor:
        t, prepared = torch.tensor(times), model.prepare(of, 250)
        return model.velocity(x, t, torch.zeros_like(t), torch.zeros(x.shape[:2], dtype=torch.bool), prepared)

    def check(found: Tensor, name: str) -> None:
        torch.testing.assert_close(found, GOLDENS[f"generator.out.{name}"], atol=2e-4, rtol=1e-3)

    check(flow(conditions, [0.3, 0.85]), "flow")
    check(flow(conditions.null(), [0.3, 0.85]), "flow_empty")
    check(flow(negative, [0.3, 0.85]), "flow_negative")
    conditional, empty, away = (flow(one, [0.3, 0.3]) for one in (conditions, conditions.null(), negative))
    check(GUIDANCE * conditional + (1 - GUIDANCE) * empty, "flow_cfg")
    check(GUIDANCE * conditional + (1 - GUIDANCE) * away, "flow_cfg_negative")
    check(conditional, "flow_no_cfg")
    assert not torch.allclose(flow(negative, [0.3, 0.85]), GOLDENS["generator.out.flow_empty"], atol=1e-2)

    noise, (mean, deviation) = GOLDENS["generate.in.x0"], latent_statistics(state)
    conditions = seen(GOLDENS["video_encoder.out.features"], text_of("text_f"))
    for against, name in ((None, "latent"), (text_of("negative_text_f"), "latent_negative")):
        negatives = [] if against is None else [conditions.null().replaced(text=tokens(against))]
        branches = Branches(conditions, negatives)
        unknown = Known(noise, torch.zeros(noise.shape[:2], dtype=torch.bool))
        made = sample_unmasked(model, branches, noise, [0, 0], Sampling(25, GUIDANCE), unknown)
        torch.testing.assert_close(made * deviation + mean, GOLDENS[f"generate.out.{name}"], atol=1e-3, rtol=0)
        if against is None:
            torch.testing.assert_close(made, GOLDENS["generate.out.x1"], atol=1e-3, rtol=0)


def test_a_model_without_whole_pictures_gives_what_absent_ones_give() -> None:
    model = MMAudioGenerator(replace(SMALL_16K, **seeded.TINY_SIZES)).eval().requires_grad_(False)
    for value in model.parameters():
        torch.nn.init.normal_(value, std=0.2)
    without = seen(torch.randn(1, 40, 24), torch.randn(1, 11, 40))
    absent = sequence(torch.randn(1, 16, 32), torch.arange(16) / 2, torch.zeros(1, 16, dtype=torch.bool))
    x, t, known = torch.randn(1, 50, 8), torch.tensor([0.4]), torch.zeros(1, 50, dtype=torch.bool)
    found, expected = (
        model.velocity(x, t, t, known, model.prepare(of, 50)) for of in (without, without.replaced(semantic=absent))
    )
    assert torch.equal(found, expected) and found.any()
