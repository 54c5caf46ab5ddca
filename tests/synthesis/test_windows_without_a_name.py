"""A pair that selects beside a base: windows of a request in which no text selects are the base's."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import nn

from openfoley.encoders import selective_sync
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.hub.load import load_model
from openfoley.hub.save import add_selection
from openfoley.hub.selection import selection_tensors
from openfoley.live import stream
from openfoley.pipeline import Pipeline, load
from openfoley.region import Box
from openfoley.request import Cue

FAST: dict[str, object] = {"steps": 2, "cuts": "none", "context": 0.25, "seed": 1}
RATE = 44100
CUE = Cue(Fraction(3, 2), Fraction(5, 2), select="a stone", prompt="a stone")
PLAIN_CUE = replace(CUE, select=None)
SAME_S = 1.0  # before the windows of the cue


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def pair(tiny_model: Path, base: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """Random, with all of the generator changed."""
    torch.manual_seed(1)
    block = replace(selective_sync.GYM, width=32, heads=2, text_dim=32, mlp_width=32)
    sync = SelectiveSync(base.model.parts["sync"], block)  # pyright: ignore[reportArgumentType]
    generator = load_model(tiny_model).parts["generator"]
    for parameter in (*sync.selection.parameters(), *sync.pooling.parameters(), *generator.parameters()):
        nn.init.normal_(parameter, std=0.3)
    tensors = selection_tensors(base.model, sync, generator)
    return load(add_selection(tiny_model, tmp_path_factory.mktemp("pair") / "model", base.model, block, tensors))


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video(duration_s=2.5)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"prompt": "a ball"},
        {"prompt": "a ball", "negative_prompt": "a door"},
        {"prompt": "a ball", "select_box": Box(0.0, 0.0, 0.5, 1.0)},
    ],
)
def test_before_a_cue_that_selects_the_sound_is_the_base_models(
    base: Pipeline, pair: Pipeline, video: Path, asked: dict[str, object]
) -> None:
    own, other = (
        pipeline.generate(video, **FAST, **asked, cues=(cue,)).audio.samples
        for pipeline, cue in ((base, PLAIN_CUE), (pair, CUE))
    )
    head, cue = slice(0, int(SAME_S * RATE)), slice(int(1.75 * RATE), int(2.5 * RATE))
    torch.testing.assert_close(other[:, head], own[:, head], atol=1e-4, rtol=1e-3)
    assert not torch.allclose(other[:, cue], own[:, cue], atol=1e-2)


def test_a_negative_picture_alone_changes_nothing_and_says_so(
    base: Pipeline, pair: Pipeline, video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: dict[str, object] = {"prompt": "a ball", "negative_prompt": "a door", **FAST}
    told = pair.generate(video, **asked, negative_picture="none").audio.samples
    torch.testing.assert_close(told, base.generate(video, **asked).audio.samples, atol=1e-4, rtol=1e-3)
    assert "negative_picture has no effect without select" in caplog.text


def test_so_it_is_live(base: Pipeline, pair: Pipeline) -> None:
    frames = torch.randint(255, (30, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def sound(pipeline: Pipeline, **options: object) -> torch.Tensor:
        live = stream(pipeline, 24, prompt="a ball", chunk=0.5, context=0.25, steps=2, **options)
        return torch.cat([live.push(frames), live.finish()], -1)

    own, told = sound(base), sound(pair, negative_picture="none")
    torch.testing.assert_close(told, own, atol=1e-4, rtol=1e-3)
    assert not torch.allclose(sound(pair, select="a ball"), own, atol=1e-2)
