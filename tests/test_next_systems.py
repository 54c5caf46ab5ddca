"""The next systems fit: a third generator, an encoder that a text selects from, a wrapper that reads the whole video.

They are written here alone; nothing under src knows of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from openfoley.cli import main
from openfoley.encoders.base import Frames, Inputs, Outputs
from openfoley.errors import UsageError
from openfoley.hub.parts import Model
from openfoley.live import stream
from openfoley.pipeline import Pipeline, load
from openfoley.projects.project import Project
from openfoley.request import Cue, Defaults
from openfoley.types import TEXT, Conditions

RATE = Fraction(12)


class SelectiveEncoder(nn.Module):
    """Brightness of each frame as a trunk; a text selects how it is seen. Nothing of a picture reaches the features
    without it."""

    trunk_dim = 2
    inputs = Inputs(Frames(RATE, 8, 8), text=True)
    outputs = Outputs(3, RATE, reach=1)

    def __init__(self) -> None:
        super().__init__()
        self.frames_seen = 0

    def encode(self, frames: Tensor) -> Tensor:
        level = frames.float().mean((-1, -2, -3)) / 255
        return torch.stack([level, level.square()], -1)

    def stream(self, live: bool = False) -> Any:
        encoder = self

        class Stream:
            def push(self, frames: Tensor, first_index: int) -> list[Tensor]:
                encoder.frames_seen += len(frames)
                return [encoder.encode(frames[None])[0]]

            def flush(self) -> list[Tensor]:
                return []

        return Stream()

    def select(self, trunk: Tensor, present: Tensor, text: Tensor, is_word: Tensor) -> Tensor:
        return trunk.sum(-1, keepdim=True) * text.mean((1, 2))[:, None, None] * torch.ones(3)


class PreparedThird(NamedTuple):
    target: Tensor  # [batch, 1, 1]


class ThirdGenerator(nn.Module):
    """Flows to a constant that depends on what is selected, on the prompt, and on what else is seen."""

    latent_dim, window_latents = 64, 86
    reads_whole_video = False
    defaults = Defaults(steps=3, guidance=1.5)
    supported_options = frozenset({"steps", "guidance", "picture_guidance", "text_guidance", "negative_guidance"})

    def __init__(self, accepts_known: bool) -> None:
        super().__init__()
        self.accepts_known = accepts_known
        self.defaults = replace(self.defaults, temperature=1.0 if accepts_known else None)
        self.scale = nn.Parameter(torch.ones(()))
        self.prepared = 0

    def prepare(self, conditions: Conditions, latents: int) -> PreparedThird:
        self.prepared += 1
        parts = [torch.where(s.present[..., None], s.values, 0.0).mean((1, 2)) for s in conditions.features.values()]
        whole = [torch.where(s.present[..., None], s.values, 0.0).mean((1, 2)) for s in conditions.whole.values()]
        return PreparedThird(self.scale * sum([*parts, *(10 * one for one in whole)])[:, None, None])

    def velocity(self, x_t: Tensor, t: Tensor, step: Tensor, known: Tensor, prepared: PreparedThird) -> Tensor:
        branches = len(prepared.target) // len(x_t)
        left = (1 - t)[:, None, None].clamp(min=0.05).repeat(branches, 1, 1)
        return (prepared.target - x_t.repeat(branches, 1, 1)) / left

    def trained_step(self, steps: int) -> float:
        return 0.0


class WholeVideoAdapter(nn.Module):
    """Wraps any generator's `prepare` with the whole video's features, as LD-LAudio's adapters do."""

    reads_whole_video = True

    def __init__(self, base: ThirdGenerator) -> None:
        super().__init__()
        self.base = base
        self.lengths: list[int] = []

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base"), name)

    def prepare(self, conditions: Conditions, latents: int) -> PreparedThird:
        self.lengths.append(conditions.whole["selective"].values.shape[1])
        return self.base.prepare(conditions, latents)

    def velocity(self, *arguments: Any) -> Tensor:
        return self.base.velocity(*arguments)


def assembled(tiny_model: Path, generator: nn.Module) -> Pipeline:
    """The tiny model's codec and text, the selective encoder beside its own, and another generator."""
    tiny = load(tiny_model).model
    encoders = {"selective": SelectiveEncoder(), "semantic": tiny.encoders["semantic"], TEXT: tiny.encoders[TEXT]}
    parts = {**tiny.parts, "generator": generator, "selective": encoders["selective"]}
    return Pipeline(Model("third", tiny.codec, encoders, generator, {}, parts))


@pytest.fixture(params=[True, False], ids=["masked", "unmasked"])
def third(request: pytest.FixtureRequest, tiny_model: Path) -> Pipeline:
    return assembled(tiny_model, ThirdGenerator(request.param))


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video(duration_s=5.5, sound=True)


def test_a_third_generator_makes_sound_of_any_length(third: Pipeline, video: Path) -> None:
    assert len(third.plan(video, cuts="none")) > 2
    take = third.generate(video, cuts="none", prompt="a ball", seed=2)
    assert take.audio.samples.isfinite().all() and take.samples.length == round(5.5 * 44100)
    assert (take.request.sampling.steps, take.request.sampling.guidance) == (3, 1.5)
    assert torch.equal(take.audio.samples, third.generate(video, cuts="none", prompt="a ball", seed=2).audio.samples)


def test_its_conditions_are_prepared_once_a_window_and_branch(third: Pipeline, video: Path) -> None:
    windows = len(third.plan(video, cuts="none"))
    third.generate(video, cuts="none", steps=3)
    few, third.model.generator.prepared = third.model.generator.prepared, 0
    third.generate(video, cuts="none", steps=9)
    assert few == third.model.generator.prepared and few <= 3 * windows  # branches, and the pull of replacement


def test_a_text_selects_features_and_the_negative_branch_has_its_own(third: Pipeline, video: Path) -> None:
    plain, ball, door = (third.generate(video, prompt=p, seed=1).audio.samples for p in (None, "a ball", "a door"))
    assert not torch.equal(ball, door) and not torch.equal(ball, plain)
    away = third.generate(video, prompt="a ball", negative_prompt="a door", seed=1).audio.samples
    seen: list[Conditions] = []
    prepare = third.model.generator.prepare
    third.model.generator.prepare = lambda conditions, latents: seen.append(conditions) or prepare(conditions, latents)
    again = third.generate(video, prompt="a ball", negative_prompt="a door", seed=1).audio.samples
    assert torch.equal(away, again) and not torch.equal(away, ball)
    rows = [(c["selective"], c["semantic"]) for c in seen]
    negative = [(s, p) for s, p in rows if s.present.any() and not p.present.all()]
    assert negative, "the negative branch has selected features, and nothing else of the picture"


def test_select_chooses_from_the_picture_and_the_prompt_describes_the_sound(third: Pipeline, video: Path) -> None:
    """Each stands in for the other where it is missing."""
    seen: list[Conditions] = []
    prepare = third.model.generator.prepare
    third.model.generator.prepare = lambda conditions, latents: seen.append(conditions) or prepare(conditions, latents)

    def first(**options: object) -> tuple[Tensor, Tensor]:
        seen.clear()
        third.generate(video, cuts="none", steps=2, guidance=1.0, **options)
        return next((c["selective"].values, c[TEXT].values) for c in seen if c[TEXT].present.any())

    ball, both, shown = first(select="a ball"), first(prompt="a ball"), first(select="a ball", prompt="a door")
    assert torch.equal(ball[0], both[0]) and torch.equal(ball[1], both[1])
    assert torch.equal(shown[0], ball[0]) and torch.equal(shown[1], first(prompt="a door")[1])
    assert not torch.equal(shown[0], first(prompt="a door")[0])


def test_the_negative_prompt_sees_nothing_of_the_picture_where_that_is_asked(third: Pipeline, video: Path) -> None:
    seen: list[Conditions] = []
    prepare = third.model.generator.prepare
    third.model.generator.prepare = lambda conditions, latents: seen.append(conditions) or prepare(conditions, latents)
    asked = {"select": "a ball", "negative_prompt": "a door", "cuts": "none", "seed": 1}
    away = third.generate(video, **asked).audio.samples
    assert any(bool((~c["semantic"].present.any(1) & c["selective"].present.any(1)).any()) for c in seen)
    seen.clear()
    released = third.generate(video, **asked, negative_picture="none").audio.samples
    assert all(torch.equal(c["semantic"].present.any(1), c["selective"].present.any(1)) for c in seen)
    assert not torch.equal(away, released)


def test_select_is_by_cue_and_by_span(third: Pipeline, video: Path) -> None:
    cues = (Cue(Fraction(0), Fraction(2), select="a ball"), Cue(Fraction(2), Fraction(4), prompt="a ball"))
    seen: list[Conditions] = []
    prepare = third.model.generator.prepare
    third.model.generator.prepare = lambda conditions, latents: seen.append(conditions) or prepare(conditions, latents)
    third.generate(video, cues=cues, select="a door", cuts="none", steps=2)
    ball, door = (third.model.text_encoder.encode_text([text]) for text in ("a ball", "a door"))
    read = [c[TEXT].values[:1] for c in seen if c[TEXT].present[0].any()]
    assert any(torch.equal(one, ball) for one in read) and any(torch.equal(one, door) for one in read)
    edited = third.edit(video, (1.0, 2.5), select="a ball", seed=4).audio.samples
    assert not torch.equal(edited, third.edit(video, (1.0, 2.5), select="a door", seed=4).audio.samples)


def test_a_selection_that_cannot_be_made_says_why(
    third: Pipeline, tiny_model: Path, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    longest = third.model.text_encoder.longest
    with pytest.raises(UsageError, match=f"select is .* tokens long, third reads at most {longest}; shorten it"):
        third.generate(video, select="a ball " * 200)
    with pytest.raises(UsageError, match="select needs a picture to choose from"):
        third.generate(None, duration=1.0, select="a ball")
    with pytest.raises(UsageError, match="select is not an option of tiny: .* models that do: .*selva-small-16k, "):
        load(tiny_model).generate(video, select="a ball")
    with pytest.raises(UsageError, match="select is not an option of tiny"):
        load(tiny_model).generate(video, cues=(Cue(Fraction(0), Fraction(1), select="a ball"),))
    with pytest.raises(UsageError, match="negative_picture is not an option of tiny"):
        load(tiny_model).generate(video, negative_prompt="a door", negative_picture="none")
    for words, says in (
        (["--select", "a ball", "--model", str(tiny_model)], "tiny: its encoders do not select by text; models that "),
        (["--select", ""], "select must not be empty, got ''"),
        (["--select", "a ball", "--model", "mmaudio-small-16k"], "select is not an option of mmaudio-small-16k"),
    ):
        assert main(["generate", str(video), *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert says in line
    sheet = video.with_name("cues.csv")
    sheet.write_text("start,end,select\n0,1,a ball\n")
    assert main(["generate", str(video), "--cues", str(sheet), "--model", str(tiny_model)]) == 2
    assert f"select is not an option of {tiny_model}: " in capsys.readouterr().err


def test_the_trunk_is_encoded_once_for_all_prompts(third: Pipeline, video: Path, tmp_path: Path) -> None:
    from openfoley.synthesis.feature_store import FeatureStore

    store, encoder = FeatureStore(tmp_path), third.model.encoders["selective"]
    for prompt in ("a ball", "a door", None):
        third.generate(video, prompt=prompt, store=store, cuts="none")
    third.generate(video, select="a ball", prompt="rain", store=store, cuts="none")
    assert encoder.frames_seen == round(5.5 * RATE)


def test_edits_and_projects_take_the_third_generator(
    third: Pipeline, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = third.edit(video, (1.0, 2.5), prompt="a ball", seed=4)
    assert edited.samples.length and edited.request.timeline.span == (1, Fraction(5, 2))
    from openfoley.projects import making
    from openfoley.projects import project as module

    generator = third.model.generator
    with monkeypatch.context() as patch:  # as its card in the hub would have it
        patch.setattr(module, "load_model", lambda name, device, **_: third.model)
        patch.setattr(module, "check_model", lambda name: None)
        patch.setattr(making, "sampling_of", lambda name: (generator.defaults, generator.supported_options))
        project = Project.new(tmp_path / "p", video, model="third", cuts="none")
    (take,) = project.take(third, prompt="a ball")
    assert take.request.sampling.steps == 3 and (project.folder / take.file).is_file()
    assert project.take(third, span=(1, 2), seed=5)[0].made_over == (1,)


@pytest.mark.parametrize("accepts_known", [True, False])
def test_a_wrapper_around_prepare_reads_the_whole_video_in_every_window(
    accepts_known: bool, tiny_model: Path, video: Path, tmp_path: Path
) -> None:
    adapter = WholeVideoAdapter(ThirdGenerator(accepts_known))
    pipeline = assembled(tiny_model, adapter)
    take = pipeline.generate(video, cuts="none", prompt="a ball", seed=2)
    assert set(adapter.lengths) == {round(5.5 * RATE)} and len(adapter.lengths) > 2
    plain = assembled(tiny_model, ThirdGenerator(accepts_known)).generate(video, cuts="none", prompt="a ball", seed=2)
    assert not torch.equal(take.audio.samples, plain.audio.samples)


def test_a_live_stream_reads_the_past_only(tiny_model: Path) -> None:
    adapter = WholeVideoAdapter(ThirdGenerator(True))
    live = stream(assembled(tiny_model, adapter), 24, prompt="a ball", chunk=0.5, context=0.5)
    for _ in range(4):
        live.push(torch.full((12, 3, 16, 16), 90, dtype=torch.uint8))
    live.finish()
    assert adapter.lengths == sorted(adapter.lengths) and adapter.lengths[0] < adapter.lengths[-1] <= 24
