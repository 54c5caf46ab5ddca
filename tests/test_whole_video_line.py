"""The whole line with adapters: in files, edits, projects, live, with a selection; and adapters that are refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from openfoley.cli import main
from openfoley.config import to_dict
from openfoley.encoders import selective_sync
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.errors import UsageError, WeightsError
from openfoley.generators.adapters.config import AdapterConfig, compact, paper
from openfoley.generators.adapters.model import AdaptedGenerator, Adapters
from openfoley.hub.fingerprint import fingerprint
from openfoley.hub.load import load_model
from openfoley.hub.registry import ADAPTERS_NAME
from openfoley.hub.save import add_adapters, add_selection, save_adapters, save_model
from openfoley.hub.selection import selection_tensors
from openfoley.live import stream
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.projects.project import Project
from openfoley.region import Box
from openfoley.request import Cue, Cut
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.types import NEAR, SHOTS, Conditions

FAST: dict[str, Any] = {"cuts": (Cut(Fraction(11, 4)),), "window": 2, "context": 0.25, "steps": 2, "seed": 3}
SMALL = {"inner": 16, "mlp_width": 16, "queries": 2, "heads": 2}


def written(model: Any, config: AdapterConfig, path: Path) -> Path:
    adapters = Adapters(config)
    for parameter in adapters.parameters():
        nn.init.normal_(parameter, std=0.3)
    return save_adapters(path, config, adapters.state_dict(), model)


@pytest.fixture(scope="module")
def adapters(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = load_model(tiny_model)
    torch.manual_seed(5)
    config = replace(compact(model.parts["generator"].config), **SMALL)
    return written(model, config, tmp_path_factory.mktemp("adapters") / ADAPTERS_NAME)


@pytest.fixture(scope="module")
def folder(tiny_model: Path, adapters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_adapters(tiny_model, tmp_path_factory.mktemp("adapted") / "model", adapters)


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Pipeline:
    return load(folder)


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video(duration_s=5.5, sound=True)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Conditions]:
    """The conditions that adapted generators prepare."""
    found: list[Conditions] = []
    prepare = AdaptedGenerator.prepare

    def kept(self: AdaptedGenerator, conditions: Conditions, latents: int) -> Any:
        found.append(conditions)
        return prepare(self, conditions, latents)

    monkeypatch.setattr(AdaptedGenerator, "prepare", kept)
    return found


def test_auto_uses_them_where_there_is_more_than_one_window(
    pipeline: Pipeline, tiny_model: Path, video: Path, seen: list[Conditions], caplog: pytest.LogCaptureFixture
) -> None:
    assert len(pipeline.plan(video, **FAST)) > 3
    auto = pipeline.generate(video, **FAST).audio.samples
    assert seen and all(
        one.whole["sync"].values.shape[1] == 6 for one in seen
    )  # 3 stretches before the cut and 3 behind
    assert {one.whole[SHOTS].values.shape[1] for one in seen} == {2}
    assert torch.equal(auto, pipeline.generate(video, **FAST, whole_video="on").audio.samples)
    off = pipeline.generate(video, **FAST, whole_video="off").audio.samples
    assert torch.equal(off, load(tiny_model).generate(video, **FAST).audio.samples) and not torch.equal(off, auto)
    seen.clear()
    one = {"cuts": "none", "steps": 2}
    short = [pipeline.generate(video, **one, whole_video=asked).audio.samples for asked in ("off", "auto")]
    assert "not used" not in caplog.text
    short.append(pipeline.generate(video, **one, whole_video="on").audio.samples)
    assert caplog.text.count("one window, which contains all of it") == 1 and not seen
    assert torch.equal(short[0], short[1]) and torch.equal(short[0], short[2])


def test_an_edit_in_a_long_video_knows_the_whole_of_it(pipeline: Pipeline, video: Path, seen: list[Conditions]) -> None:
    made = {asked: pipeline.edit(video, (1.0, 1.5), **FAST, whole_video=asked).audio.samples for asked in ("on", "off")}
    assert not torch.equal(made["on"], made["off"])
    assert {one.whole["semantic"].values.shape[1] for one in seen} == {6}


@pytest.mark.parametrize("stored", [False, True])
def test_the_pictures_are_decoded_once(
    pipeline: Pipeline, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    passes: list[int] = []
    chunks = Source.chunks

    def counted(self: Source, requests: Any) -> Iterator[Any]:
        passes.append(1)
        return chunks(self, requests)

    monkeypatch.setattr(Source, "chunks", counted)
    store = FeatureStore(tmp_path) if stored else None
    first = pipeline.generate(video, **FAST, store=store).audio.samples
    assert len(passes) == 1
    again = pipeline.generate(video, **FAST, store=store).audio.samples
    assert torch.equal(first, again) and len(passes) == (1 if stored else 2)
    small = FeatureStore(tmp_path / "small", most_bytes=1000)
    monkeypatch.setattr("openfoley.synthesis.kept_runs.KeptRuns.__init__.__defaults__", (1000,))
    passes.clear()
    assert torch.equal(first, pipeline.generate(video, **FAST, store=small).audio.samples) and len(passes) == 2


def test_a_run_that_was_killed_resumes_to_the_same_bytes(pipeline: Pipeline, video: Path, tmp_path: Path) -> None:
    whole = pipeline.generate(video, **FAST).audio.samples

    def kill(done: float, total: float) -> None:
        if done > 2.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.generate(video, **FAST, work=tmp_path / "work", progress=kill)
    assert (tmp_path / "work").is_dir()
    assert torch.equal(whole, pipeline.generate(video, **FAST, work=tmp_path / "work").audio.samples)


def test_what_lies_around_a_window_is_what_the_whole_shot_has(
    tiny_model: Path, video: Path, tmp_path: Path, seen: list[Conditions], monkeypatch: pytest.MonkeyPatch
) -> None:
    """h_syn as the paper: with its reach it gets the shot's own features, and none from behind the cut."""
    model = load_model(tiny_model)
    config = replace(paper(model.parts["generator"].config), mlp_width=16, kernel=31)
    path = written(model, config, tmp_path / ADAPTERS_NAME)
    sliced = load(tiny_model, adapters=path)
    sliced.generate(video, **FAST)
    rows: dict[int, torch.Tensor] = {}
    reach = config.reach
    for one in seen:
        own, near, zero = one["sync"], one.whole[NEAR], one.whole[SHOTS].time_s[0, 0]
        if not own.present.any():
            continue
        for time, value in zip(near.time_s[0] - zero, near.values[0], strict=True):
            number = round(float(time) * 24)
            assert torch.equal(rows.setdefault(number, value), value)
        first, last = (round(float(near.time_s[0, k] - zero) * 24) for k in (0, -1))
        begin, end = (round(float(own.time_s[0, k] - zero) * 24) for k in (0, -1))
        in_first_shot = end < 66
        low, high = (0, 65) if in_first_shot else (66, 131)
        assert first == max(low, begin - reach + 2) and last == min(high, end + reach - 2)
    assert len(rows) == 132


def test_projects_use_them_and_remember(pipeline: Pipeline, folder: Path, video: Path, tmp_path: Path) -> None:
    asked = {"window": 2, "context": 0.25, "cuts": "none", "steps": 2}
    project = Project.new(tmp_path / "p", video, model=str(folder), **asked)
    (auto,) = project.take(pipeline, seed=1)
    (off,) = project.take(pipeline, seed=1, whole_video="off")
    assert auto.sha256 != off.sha256
    kept = Project(project.folder).record.takes
    assert [take.request.prompting.whole_video for take in kept] == ["auto", "off"]
    project.set(whole_video="off")
    assert project.take(pipeline, seed=1)[0].sha256 == off.sha256
    with pytest.raises(UsageError, match="whole_video must be"):
        project.set(whole_video="half")


def test_a_project_remembers_the_file_of_its_adapters(
    pipeline: Pipeline, tiny_model: Path, adapters: Path, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"window": 2, "context": 0.25, "cuts": "none", "steps": 2, "whole_video": "on"}
    with pytest.raises(UsageError, match="whole_video=on needs adapters"):
        Project.new(tmp_path / "p", video, model=tiny_model, **asked)
    with monkeypatch.context() as here:
        here.chdir(adapters.parent)
        Project.new(tmp_path / "p", video, model=tiny_model, adapters=adapters.name, **asked)
    project = Project(tmp_path / "p")
    assert project.record.model.adapters == str(adapters)
    (own,) = project.take(seed=1)
    (given,) = project.take(pipeline, seed=1)
    assert own.sha256 == given.sha256
    project.set(whole_video="on")
    with pytest.raises(WeightsError, match="has other weights or adapters than when the project was made"):
        project.take(load(tiny_model), seed=1)
    words = ["project", "new", str(tmp_path / "q"), str(video), "--model", str(tiny_model), "--adapters"]
    assert main([*words, "nowhere"]) == 2 and not (tmp_path / "q").exists()
    assert main([*words, str(adapters)]) == 0 and Project(tmp_path / "q").record.model == project.record.model


def test_a_stream_knows_the_past_only(pipeline: Pipeline, seen: list[Conditions]) -> None:
    frames = torch.randint(255, (96, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def sound(**options: Any) -> torch.Tensor:
        live = stream(pipeline, 24, chunk=0.5, context=0.5, steps=2, **options)
        return torch.cat([*(live.push(part) for part in frames.split(12)), live.finish()], -1)

    on = sound()
    lengths = [one.whole["sync"].values.shape[1] for one in seen]
    assert lengths == sorted(lengths) and lengths[0] < 2 and lengths[-1] == 4
    assert torch.equal(on, sound(whole_video="on")) and not torch.equal(on, sound(whole_video="off"))
    early = sound()[:, :22050]  # what came later does not change it
    frames[60:] = 0
    assert torch.equal(sound()[:, :22050], early)


def test_with_a_selection_the_whole_is_selected_too(
    tiny_model: Path, adapters: Path, video: Path, tmp_path: Path, seen: list[Conditions]
) -> None:
    model = load_model(tiny_model)
    block = replace(selective_sync.GYM, width=32, heads=2, text_dim=32, mlp_width=32)
    sync: Any = SelectiveSync(model.parts["sync"], block)
    for parameter in sync.selection.parameters():
        nn.init.normal_(parameter, std=0.5)
    both = add_selection(tiny_model, tmp_path / "both", model, block, selection_tensors(model, sync))
    shutil.copyfile(adapters, both / ADAPTERS_NAME)
    pipeline = load(both)
    made = {
        (select, whole): pipeline.generate(video, **FAST, select=select, whole_video=whole).audio.samples
        for select in ("a ball", "a door")
        for whole in ("on", "off")
    }
    assert not torch.equal(made["a ball", "on"], made["a ball", "off"])
    assert not torch.equal(made["a ball", "on"], made["a door", "on"])
    ball, door = seen[0].whole["sync"].values, seen[-1].whole["sync"].values
    assert ball.shape == door.shape == (1, 6, 32) and not torch.equal(ball, door)
    seen.clear()
    pipeline.generate(video, **FAST, select="a ball", negative_prompt="a door")
    negative = [one for one in seen if one["sync"].present.any() and not one["semantic"].present.any()]
    assert negative and all(torch.equal(one.whole["sync"].values, door) for one in negative)
    assert not any(one.whole["semantic"].present.any() for one in negative)
    seen.clear()
    stems = pipeline.select_all(video, ["a ball", "a door"], **FAST)
    assert set(stems) == {"a ball", "a door"} and seen
    cue, wholes = Cue(Fraction(4), Fraction(5), prompt="a ball", select="a ball"), []
    for one, own in ((pipeline, cue), (load(tiny_model, adapters=adapters), replace(cue, select=None))):
        seen.clear()
        one.generate(video, **FAST, prompt="a door", cues=(own,), whole_video="on")
        wholes.append([conditions.whole["sync"].values[:1] for conditions in seen])
    differ = [not torch.allclose(*pair, atol=1e-4) for pair in zip(*wholes, strict=True)]
    assert not differ[0] and any(differ), "a window without a name reads the whole video as the base does"


def test_a_generator_without_pictures_reads_sync_features_alone(
    selective_model: Path, film: Path, tmp_path: Path, seen: list[Conditions]
) -> None:
    """SelVA's kind: MMAudio's network, Synchformer's segments, CLIP's text."""
    model = load_model(selective_model)
    config = replace(compact(model.parts["generator"].config), **SMALL, semantic_dim=0)
    pipeline = load(selective_model, adapters=written(model, config, tmp_path / ADAPTERS_NAME))
    asked = {"steps": 2, "guidance": 2.0, "cuts": "none", "select": "ball"}
    on, off = (pipeline.generate(film, **asked, whole_video=one).audio.samples for one in ("on", "off"))
    assert not torch.equal(on, off) and on.isfinite().all()
    assert seen[0].whole["sync"].present.any()


def test_asking_for_what_is_not_there_says_how_to_get_it(
    pipeline: Pipeline, tiny_model: Path, video: Path, adapters: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    says = "whole_video=on needs adapters, and .* has none; train some: openfoley train adapters --model "
    with pytest.raises(UsageError, match=says):
        load(tiny_model).generate(video, whole_video="on")
    with pytest.raises(UsageError, match=says):
        stream(load(tiny_model), 24, whole_video="on")
    with pytest.raises(UsageError, match="whole_video=on and select_box exclude each other"):
        pipeline.generate(video, whole_video="on", select_box=Box(0.0, 0.0, 0.5, 0.5))
    with pytest.raises(UsageError, match="whole_video=on needs a picture"):
        pipeline.generate(None, duration=2.0, prompt="rain", whole_video="on")
    for words, said in (
        (["--whole-video", "on"], "needs adapters, and"),
        (["--whole-video", "on", "--adapters", "nowhere"], "the adapters 'nowhere' do not exist"),
    ):
        assert main(["generate", str(video), "--model", str(tiny_model), *words]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line


def test_the_command_line_takes_a_file_of_its_own(
    tiny_model: Path, video: Path, adapters: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model", str(tiny_model), "--steps", "2", "--window", "2", "--context", "0.25", "--json"]
    sounds = []
    for more in (["--adapters", str(adapters)], [], ["--adapters", str(adapters), "--whole-video", "off"]):
        out = tmp_path / f"{len(sounds)}.wav"
        assert main(["generate", str(video), *words, *more, "--out", str(out)]) == 0
        sounds.append(out.read_bytes())
    assert sounds[1] == sounds[2] != sounds[0]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["whole_video"] == "off"


def test_the_shipped_adapters_fit_the_shipped_model_and_are_trained() -> None:
    """Loading compares the fingerprint of the base. Their last layers begin at zero: a file that was written before
    the training would pass unseen."""
    adapters = load_model("salsa-v-gym").adapters
    assert adapters is not None
    weights = adapters.state_dict()
    last = [weights[f"{name}.out.weight"] for name in ("frame", "overall")]
    assert all(0.01 < float(weight.square().mean().sqrt()) < 1 for weight in last)


def test_adapters_of_another_base_or_width_or_damaged_ones_are_refused(
    tiny_model: Path, adapters: Path, folder: Path, tmp_path: Path
) -> None:
    other = shutil.copytree(tiny_model, tmp_path / "other")
    weights = load_file(other / "generator.safetensors")
    weights["out.bias"] += 0.5
    save_file(weights, other / "generator.safetensors")
    with pytest.raises(
        WeightsError, match=r"belongs to another model: tiny \w{12}, this is tiny \w{12}; train some: o"
    ):
        load_model(other, adapters=adapters)
    about: dict[str, Any] = {"format": 1, "base": "0", "base_name": "big"}
    tensors, model = load_file(adapters), load_model(tiny_model)
    config = to_dict(replace(compact(model.parts["generator"].config), **SMALL))

    def refused(says: str, state: dict[str, torch.Tensor], **metadata: Any) -> None:
        path = tmp_path / "bad.safetensors"
        save_file(state, path, {"adapters": json.dumps({**about, "config": config, **metadata})})
        with pytest.raises(WeightsError, match=says):
            load_model(tiny_model, adapters=path)

    refused("is for a generator with width 896 .big., tiny has 32", tensors, config={**config, "width": 896})
    refused("unknown key 'odd'", tensors, config={**config, "odd": 1})
    refused("format 9, this version reads 1", tensors, format=9)
    own = {"base": fingerprint(model, ("codec", "sync", "semantic", "generator"))}
    key = "frame.out.weight"
    refused("lacks 'frame.out.weight'", {k: v for k, v in tensors.items() if k != key}, **own)
    refused("'frame.out.weight' should be", {**tensors, key: tensors[key][:3]}, **own)
    refused("holds NaN", {**tensors, key: tensors[key] * torch.nan}, **own)
    save_file(tensors, tmp_path / "odd.safetensors", {"adapters": "{"})
    with pytest.raises(WeightsError, match="its config cannot be read"):
        load_model(tiny_model, adapters=tmp_path / "odd.safetensors")
    plain = tmp_path / "plain.safetensors"
    save_file(tensors, plain)
    with pytest.raises(WeightsError, match="holds no adapters"):
        load_model(tiny_model, adapters=plain)
    (tmp_path / "cut.safetensors").write_bytes(adapters.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="is not a complete safetensors file"):
        load_model(tiny_model, adapters=tmp_path / "cut.safetensors")
    with pytest.raises(WeightsError, match="is missing"):
        load_model(tiny_model, adapters=tmp_path / "nothing.safetensors")
    whole = load_model(folder)
    assert fingerprint(whole) != fingerprint(load_model(tiny_model))
    assert fingerprint(load_model(save_model(tmp_path / "saved", whole))) == fingerprint(whole)
