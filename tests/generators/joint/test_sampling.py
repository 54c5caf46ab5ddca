"""The sampling loop equals the published sampler's, and a given modality stays what it is."""

import pytest
import svg_seeded
import torch

from openfoley.generators.joint.config import Kind
from openfoley.generators.joint.model import Pair, PairText
from openfoley.generators.joint.sampling import GivenPair, LocalSteps, PairSampling, sample_pair

LOOP = svg_seeded.golden("sampling_loop")
NOISE = Pair(LOOP["lat_v"], LOOP["lat_a"])
NEGATIVE, POSITIVE = (PairText(LOOP["emb_v"][i : i + 1], LOOP["emb_a"][i : i + 1]) for i in (0, 1))
STEPS = 6


@pytest.mark.parametrize("kind", ["cmc-pe", "cross-attention"])
@pytest.mark.parametrize("gamma", ["none", "1.5"])
def test_guided_loop_with_self_conditioning(kind: Kind, gamma: str) -> None:
    model = svg_seeded.tiny(kind)
    steps = LocalSteps.of(model.config, STEPS, 1.0 if gamma == "none" else float(gamma))
    found = sample_pair(model, NOISE, NEGATIVE, POSITIVE, PairSampling(steps))
    for latents, modality in ((found.video, "v"), (found.audio, "a")):
        wanted = LOOP[f"{svg_seeded.NAMES[kind]}.{gamma}.{modality}"]
        assert (latents - wanted).abs().max() / wanted.std() < 1e-4


def test_what_is_given_is_kept_and_changes_the_other() -> None:
    model = svg_seeded.tiny()
    steps = LocalSteps.of(model.config, 2, 1.5)
    video = [torch.randn_like(NOISE.video) for _ in range(2)]
    first, second = (
        sample_pair(model, NOISE, NEGATIVE, POSITIVE, PairSampling(steps, given=GivenPair(video=v))) for v in video
    )
    assert torch.equal(first.video, video[0])
    assert not torch.allclose(first.audio, second.audio)
    audio = torch.randn_like(NOISE.audio)
    found = sample_pair(model, NOISE, NEGATIVE, POSITIVE, PairSampling(steps, given=GivenPair(audio=audio)))
    assert torch.equal(found.audio, audio) and found.video.shape == NOISE.video.shape
