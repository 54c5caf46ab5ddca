"""Adapters are trained on what a generation gives them; killed, they resume to the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from openfoley.cli import main
from openfoley.data import long_clips
from openfoley.data.long_clips import GymLongClips, LongClip, open_folder
from openfoley.errors import UsageError
from openfoley.generators.adapters.config import compact, paper
from openfoley.generators.adapters.model import Adapters
from openfoley.generators.base import WholeInput
from openfoley.gym.seeds import seeds_of
from openfoley.hub.adapters import adapted, with_adapters
from openfoley.hub.load import load_model
from openfoley.hub.parts import Model
from openfoley.hub.save import save_adapters
from openfoley.media.source import Source
from openfoley.pipeline import load
from openfoley.request import Cut, Prompting
from openfoley.synthesis.conditions import ConditionBuilder
from openfoley.synthesis.features import encoded_pictures
from openfoley.timeline.plan import WindowLayout, make_plan
from openfoley.timeline.shots import shots_of
from openfoley.training.adapters import features as features_module
from openfoley.training.adapters import recipe as recipe_module
from openfoley.training.adapters.draws import Drawn, LongWindows, WholeDraws
from openfoley.training.adapters.features import LongFeatures, encoded_sound, long_features
from openfoley.training.adapters.presets import gym_size
from openfoley.training.adapters.recipe import AdapterRecipe, train
from openfoley.training.adapters.train import AdapterTraining, train_adapters
from openfoley.types import NEAR, SHOTS, Audio

CUTS = (Fraction(4), Fraction(9))
DURATION_S = 13


@dataclass
class Clips:
    """Random pictures and sounds. read_numbers: which were read."""

    names: Sequence[str] = ("first", "second")
    texts: tuple[str, ...] = ("a ball", "a wooden ball")
    read_numbers: list[int] = field(default_factory=list)

    def read(self, number: int) -> LongClip:
        self.read_numbers.append(number)
        random = torch.Generator().manual_seed(number)
        frames = torch.randint(256, (24 * DURATION_S, 3, 32, 32), dtype=torch.uint8, generator=random)
        sound = 0.1 * torch.randn(2, 44100 * DURATION_S, generator=random)
        return LongClip(Source.tensor(frames, 24), Audio(sound, 44100), CUTS, self.texts)


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return load_model(tiny_model)


@pytest.fixture(scope="module")
def clips(model: Model, tmp_path_factory: pytest.TempPathFactory) -> list[LongFeatures]:
    return long_features(model, Clips(), tmp_path_factory.mktemp("features"))


def windows(clips: Sequence[LongFeatures], model: Model, **draws: Any) -> LongWindows:
    return LongWindows.of(clips, model, WholeInput(Fraction(1), 5), WholeDraws(**draws))


def test_features_of_the_same_clip_and_weights_are_kept(model: Model, tmp_path: Path) -> None:
    first, second, renamed = Clips(), Clips(), Clips(names=("first", "other"))
    long_features(model, first, tmp_path)
    found = long_features(model, second, tmp_path)
    long_features(model, renamed, tmp_path)
    assert (first.read_numbers, second.read_numbers, renamed.read_numbers) == ([0, 1], [], [1])
    (tmp_path / "0000" / features_module.INDEX).write_text("{")  # a kill while it was written
    third = Clips()
    long_features(model, third, tmp_path)
    assert third.read_numbers == [0, 1]
    shared = Clips()
    for part in (1, 0):
        features_module.compute_features(model, shared, tmp_path / "shared", range(part, 2, 2))
    assert shared.read_numbers == [1, 0]
    long_features(model, shared, tmp_path / "shared")
    assert shared.read_numbers == [1, 0], "nothing is computed again"
    one = found[0]
    assert one.starts == (0, 4, 9) and one.duration == DURATION_S and one.has_text
    assert one.counts == {"sync": (96, 120, 96), "semantic": (32, 40, 32)}
    assert len(one.latents) == int(DURATION_S * Fraction(44100, 1024)) and one.text.shape[0] == 2
    assert one.of_shot("sync", 1).shape[0] == 120


def test_a_window_is_what_a_generation_gives_the_generator(
    model: Model, clips: list[LongFeatures], tmp_path: Path
) -> None:
    config = replace(paper(model.parts["generator"].config), mlp_width=16)
    path = save_adapters(tmp_path / "a.safetensors", config, Adapters(config).state_dict(), model)
    whole_model = adapted(with_adapters(model, path))
    source = Clips().read(0).source
    shots = shots_of(Fraction(DURATION_S), [Cut(time) for time in CUTS], "reset")
    planned = make_plan(shots, model.codec.latent_rate, WindowLayout(window=86, context=11))

    def feed() -> Any:
        return encoded_pictures(whole_model, source, shots, model.device)

    own = windows(clips, model)
    with torch.inference_mode():
        builder = ConditionBuilder(whole_model, shots, feed(), model.device, again=feed)
        for one in planned:
            window = one.window
            theirs, _ = builder.conditions(one, Prompting())
            if window.first_latent < shots[one.shot.index].start * model.codec.latent_rate:
                continue  # it begins in the fade at a cut
            drawn = Drawn(0, one.shot.index, window.first_latent, window.latent_count, (0.0, float(DURATION_S)), 0)
            ours = own._conditions(drawn)
            for name in ("sync", "semantic"):
                assert torch.allclose(ours[name].values, theirs[name].values, rtol=2e-3, atol=2e-3)
                assert torch.equal(ours[name].time_s, theirs[name].time_s)
            for name in ("sync", "semantic", NEAR, SHOTS):
                assert torch.allclose(ours.whole[name].values, theirs.whole[name].values, rtol=2e-3, atol=2e-3), name
                assert torch.allclose(ours.whole[name].time_s, theirs.whole[name].time_s, atol=1e-5), name


def test_windows_lie_in_one_shot_and_in_their_whole(model: Model, clips: list[LongFeatures]) -> None:
    own, random = windows(clips, model, whole_s=(2.0, 12.0), past_share=0.3), torch.Generator().manual_seed(0)
    rate = float(model.codec.latent_rate)
    drawn = [own.draw(random, 86) for _ in range(300)]
    past = 0
    for one in drawn:
        clip, start, end = clips[one.clip], one.first_latent / rate, (one.first_latent + 86) / rate
        assert clip.starts[one.shot] <= start and end <= clip.ends[one.shot]
        low, high = one.whole
        assert 0 <= low <= start + 1e-6 and end - 1e-6 <= high <= DURATION_S and high - low <= 12.0 + 1e-6
        past += abs(high - end) < 1e-9
    lengths = torch.tensor([high - low for (low, high) in (one.whole for one in drawn)])
    assert 60 < past < 130 and lengths.min() < 2.5 and lengths.max() > 9
    assert {one.clip for one in drawn} == {0, 1} and {one.shot for one in drawn} == {0, 1, 2}
    assert {one.caption for one in drawn} == {0, 1}
    with pytest.raises(UsageError, match="no shot of the clips is 6.0 s long; add longer ones"):
        own.draw(random, 259)


def test_a_batch_of_windows_is_its_rows_with_absent_ends(model: Model, clips: list[LongFeatures]) -> None:
    own, random = windows(clips, model, context_drop=0.0), torch.Generator().manual_seed(1)
    drawn = [own.draw(random, 86) for _ in range(6)]
    batch = own.batch(drawn, random)
    assert batch.latents.shape[:2] == (6, 86)
    for row, one in enumerate(drawn):
        alone = own._conditions(one)
        for side, theirs in ((batch.conditions.features, alone.features), (batch.conditions.whole, alone.whole)):
            for name, sequence in theirs.items():
                count = sequence.values.shape[1]
                assert torch.equal(side[name].values[row, :count], sequence.values[0]), name
                assert torch.equal(side[name].present[row, :count], sequence.present[0]), name
                assert side is batch.conditions.features or not side[name].present[row, count:].any()
    dropped = windows(clips, model, context_drop=1.0).batch(drawn, random).conditions.whole
    assert not any(dropped[name].present.any() for name in ("sync", "semantic", NEAR)) and dropped[SHOTS].present.any()


def test_a_sound_in_pieces_has_the_latents_of_the_whole(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = Audio(0.1 * torch.randn(2, 1024 * 150 + 300), 44100)
    whole = model.codec.encode(sound.samples[None])[0]
    monkeypatch.setattr(features_module, "PIECE_LATENTS", 64)
    with torch.inference_mode():
        pieces = encoded_sound(model.codec, sound, model.device)
    assert pieces.shape == whole.shape and torch.allclose(pieces, whole, atol=1e-4)


def preset(model: Model, **changes: Any) -> AdapterTraining:
    config = replace(compact(model.parts["generator"].config), inner=16, mlp_width=16, queries=2, heads=2)
    base = gym_size(config, "base", "data", accepts_known=model.generator.accepts_known)
    small = {"steps": 4, "crop_latents": (43, 86), "batch_latents": 172, "validate_every": 2, "validation_windows": 3}
    return replace(base, **{**small, "warmup_steps": 1, **changes})


def test_killed_and_resumed_it_ends_with_the_same_bytes(
    model: Model, clips: list[LongFeatures], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, settings, base = windows(clips, model), preset(model), model.parts["generator"]
    before = {name: value.clone() for name, value in base.state_dict().items()}
    whole = train_adapters(settings, base, own, own, tmp_path / "a", resume=False).read_bytes()
    from openfoley.training.adapters import train as module

    losses, calls = module.losses, []

    def killed(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return losses(*arguments)

    monkeypatch.setattr("openfoley.training.loop.run.EVERY", module.Run.__init__.__kwdefaults__["every"])
    monkeypatch.setitem(
        module.Run.__init__.__kwdefaults__, "every", type(module.Run.__init__.__kwdefaults__["every"])(1, 1)
    )
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "losses", killed)
        train_adapters(settings, base, own, own, tmp_path / "b", resume=False)
    assert train_adapters(settings, base, own, own, tmp_path / "b", resume=True).read_bytes() == whole
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items()), "the base is frozen"
    with pytest.raises(UsageError, match="another data"):
        train_adapters(replace(settings, data="other"), base, own, own, tmp_path / "b", resume=True)


def test_they_learn_what_the_whole_alone_shows(model: Model, clips: list[LongFeatures], tmp_path: Path) -> None:
    """Latents that are one constant in one clip and another in the other: a window's own random features tell nothing
    that a mean over the clip does not tell better. At the start the gain is zero."""
    told = []
    for number, clip in enumerate(clips):
        sign = 1.0 if number else -1.0
        features = {name: torch.randn_like(values.float()) + 2 * sign for name, values in clip.features.items()}
        latents = torch.full_like(clip.latents.float(), sign)
        told.append(replace(clip, latents=latents, features=features))
    own = windows(told, model)
    settings = preset(model, steps=60, learning_rate=1e-2, validate_every=60, crop_latents=(43,), ema_decay=0.5)
    train_adapters(settings, model.parts["generator"], own, own, tmp_path, resume=False)
    rows = dict(line.split(",")[1:] for line in (tmp_path / "log.csv").read_text().splitlines()[1:])
    assert float(rows["validation_gain"]) > 0.02
    start = replace(settings, steps=1, learning_rate=0.0, weight_decay=0.0, validate_every=1)
    train_adapters(start, model.parts["generator"], own, own, tmp_path / "start", resume=False)
    rows = dict(line.split(",")[1:] for line in (tmp_path / "start" / "log.csv").read_text().splitlines()[1:])
    assert float(rows["validation_gain"]) == 0.0


def test_a_folder_of_videos_is_split_and_what_cannot_be_used_is_left_out(
    make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(long_clips, "SHORTEST_S", 1)
    with pytest.raises(UsageError, match="does not exist; pass a folder of videos with sound, or gym"):
        open_folder(tmp_path / "nowhere")
    for name, seconds, sound in (
        ("a.mp4", 2.0, True),
        ("b.mp4", 2.0, True),
        ("short.mp4", 0.5, True),
        ("mute.mp4", 2.0, False),
    ):
        make_video(name, seconds, sound=sound).rename(tmp_path / name)
    (tmp_path / "text.mp4").write_text("no video")
    found = open_folder(tmp_path)
    assert [path.name for split in found.values() for path in split.paths] == ["a.mp4", "b.mp4"]
    assert "3 of 5 files are left out" in caplog.text and found["train"].texts == ((),)
    (tmp_path / "labels.csv").write_text("file,label\nb.mp4,a ball\nb.mp4,a stone\na.mp4,a door\n")
    labelled = open_folder(tmp_path)
    assert labelled["train"].texts == (("a ball", "a stone"),)
    clip = labelled["train"].read(0)
    assert clip.sound.duration_s == pytest.approx(2.0, abs=0.1) and clip.texts == ("a ball", "a stone")
    (tmp_path / "a.mp4").unlink()
    (tmp_path / "labels.csv").unlink()
    with pytest.raises(UsageError, match="has 1 videos of at least 1 s with sound; two are needed"):
        open_folder(tmp_path)


def test_gym_clips_are_named_by_seed_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = tuple(seeds_of("train", 3, recipe_module.FIRST_SEED, recipe_module.WORLD))
    made = GymLongClips(seeds, (3, 12), "train")
    assert [name.split()[-1] for name in made.names] == ["3", "12", "3"] and len(set(made.names)) == 3
    clip = made.read(1)
    assert clip.source.info.duration == 12 and clip.sound.samples.shape == (2, 12 * 44100) and clip.texts
    assert clip.cuts and all(time * 24 == int(time * 24) for time in clip.cuts)


def test_the_command_trains_and_writes_what_the_model_then_uses(
    tiny_model: Path, make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(long_clips, "SHORTEST_S", 1)
    data = tmp_path / "data"
    data.mkdir()
    for name in ("a.mp4", "b.mp4"):
        make_video(name, 4.0, sound=True).rename(data / name)
    small = gym_size

    def tiny(*arguments: Any, **more: Any) -> AdapterTraining:
        return replace(small(*arguments, **more), crop_latents=(86,), batch_latents=172, validation_windows=2)

    monkeypatch.setattr(recipe_module, "gym_size", tiny)
    words = ["train", "adapters", "--model", str(tiny_model), "--data", str(data), "--out", str(tmp_path / "out")]
    assert main([*words, "--steps", "2"]) == 0
    out = tmp_path / "out"
    assert (out / "adapters.safetensors").stat().st_size < 2e6
    made = load(out / "model")
    video = data / "a.mp4"
    asked = {"steps": 2, "window": 2, "context": 0.25, "cuts": "none"}
    on = made.generate(video, **asked, whole_video="on").audio.samples
    assert not torch.equal(on, made.generate(video, **asked, whole_video="off").audio.samples)
    assert torch.equal(
        on, load(tiny_model, adapters=out / "adapters.safetensors").generate(video, **asked).audio.samples
    )
    first = (out / "adapters.safetensors").read_bytes()
    assert main([*words, "--steps", "2", "--resume"]) == 0 and (out / "adapters.safetensors").read_bytes() == first
    assert main([*words, "--steps", "1", "--variant", "as-paper"]) == 0
    assert (out / "adapters-as-paper.safetensors").is_file() and (out / "model-as-paper" / "config.json").is_file()
    assert sorted(path.name for path in (out / "features").iterdir()) == ["train", "validation"]


def test_what_cannot_be_trained_is_refused_before_anything_is_made(
    tiny_model: Path, selective_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")]
    for words, says in (
        (["--model", str(tiny_model), "--data", str(tmp_path / "nowhere")], "does not exist; pass a folder of videos"),
        (["--model", str(tiny_model), "--variant", "odd"], "unknown variant 'odd'; use one of shipped, "),
        (["--model", str(tiny_model), "--steps", "0"], "steps must be at least 1, got 0"),
        (["--model", str(tiny_model), "--scenes", "0"], "scenes must be at least 1, got 0"),
        (["--model", str(selective_model)], "tiny-selva sees what a text selects; train adapters on the model that"),
    ):
        assert main(["train", "adapters", *words, *out]) == 2
        (line,) = (text for text in capsys.readouterr().err.splitlines() if "error" in text)
        assert says in line
    assert not (tmp_path / "out").exists()


def test_the_papers_size_is_for_published_generators(model: Model, tmp_path: Path) -> None:
    recipe = AdapterRecipe("unused", tmp_path)
    recipe.__dict__["loaded"] = model
    assert recipe.adapters == compact(model.parts["generator"].config)
    config = model.parts["generator"].config

    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = replace(config, width=448)
            self.weight = nn.Parameter(torch.zeros(1))

    wide = replace(model, parts={**model.parts, "generator": Wide()})
    recipe.__dict__["loaded"] = wide
    assert recipe.adapters == paper(wide.parts["generator"].config)
    attention = replace(recipe, variant="attention")
    attention.__dict__["loaded"] = wide
    assert (attention.adapters.overall, attention.adapters.queries) == ("attention", 4)
    with pytest.raises(UsageError, match="learns from real videos; pass --data DIR"):
        train(recipe, resume=False)
