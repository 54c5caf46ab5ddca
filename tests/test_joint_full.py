"""The joint model of published size, end to end, with base models of the smallest size in the Hub's layout."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import svg_seeded
import torch
from safetensors.torch import load_file, save_file

import full_pairs
from openfoley.cli import main
from openfoley.data.pairs.pair import PairForm
from openfoley.errors import UsageError, WeightsError
from openfoley.generators.joint.model import Connectors, JointGenerator, Pair, PairText, PairTimes
from openfoley.hub import pair_foreign
from openfoley.hub.cards.svg import ANIMATEDIFF_AUDIOLDM
from openfoley.hub.convert import convert
from openfoley.hub.pair import load_pair_model
from openfoley.hub.pair_bases import Bases, load_bases
from openfoley.hub.pair_connectors import ConnectorsConfig, save_connectors
from openfoley.joint import JointPipeline, PairRequest, given_frames
from openfoley.media.source import Source
from openfoley.training.joint import curves, presets
from openfoley.training.joint.full import FullNetworks, chosen_weights, generator_of
from openfoley.training.joint.pair_recipe import PairRecipe
from openfoley.training.joint.recipe import train
from openfoley.training.joint.train import Trained, optimise
from openfoley.training.loop.run import Run

CPU = torch.device("cpu")
CLIPS = full_pairs.FewClips()
CONFIG = replace(svg_seeded.TINY, motion_frames=32)
PRESET = replace(
    presets.FULL, architecture=CONFIG, size=full_pairs.SIZE, steps=2, accumulation=2, validation=2, warmup_steps=1,
    learning_rate=1e-2,
)  # fmt: skip


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_pairs.save_bases(tmp_path_factory.mktemp("bases"))


@pytest.fixture(scope="module")
def bases(weights: Path) -> Bases:
    return load_bases(ANIMATEDIFF_AUDIOLDM, CPU, weights, size=full_pairs.SIZE)


@pytest.fixture(autouse=True)
def small_and_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(presets, "FULL", PRESET)
    monkeypatch.setattr(PairRecipe, "pairs", lambda self: (CLIPS, CLIPS))
    monkeypatch.setenv("OPENFOLEY_OFFLINE", "1")
    monkeypatch.setenv("OPENFOLEY_CACHE", str(tmp_path / "cache"))


def saved(folder: Path, bases: Bases, *, adding: float = 0.0) -> Path:
    """Connectors as new ones are, which add nothing, or with random numbers where these have zeros."""
    torch.manual_seed(5)
    connectors = Connectors(CONFIG)
    for name, value in connectors.named_parameters():
        if ".leave." in name and name.startswith("into_"):
            torch.nn.init.normal_(value, std=adding)
    config = ConnectorsConfig.of("mine", CONFIG, full_pairs.SIZE, full_pairs.FRAMES, bases.identities)
    return save_connectors(folder, config, connectors.state_dict(), {}, exact=True)


@pytest.fixture(scope="module")
def folder(bases: Bases, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("mine") / "model", bases, adding=0.2)


@pytest.fixture(scope="module")
def pipeline(folder: Path, weights: Path) -> JointPipeline:
    return JointPipeline(load_pair_model(folder, weights_dir=weights))


def joint_forward(model: JointGenerator) -> tuple[Pair, dict[str, torch.Tensor]]:
    given = svg_seeded.golden("joint_additive_xpred")
    seen, heard = (given[f"xcon_{m}"].chunk(2, dim=1) for m in ("v", "a"))
    conditions = model.conditions(
        Pair(seen[0], heard[0]), Pair(seen[1], heard[1]), PairTimes(given["tcon_v"], given["tcon_a"])
    )
    times, text = PairTimes(given["t_v"], given["t_a"]), PairText(given["ctx_v"], given["cls_a"])
    return model.noise(Pair(given["x_v"], given["x_a"]), times, text, conditions), given


def test_published_connectors_are_converted_and_give_the_published_noise(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_foreign, "FULL", CONFIG)
    monkeypatch.setattr(pair_foreign, "SIZE", full_pairs.SIZE)
    state = svg_seeded.seeded_state("unet_svg.", svg_seeded.SHAPES["additive"])
    state = {f"module.{key}": value for key, value in state.items()} | {"unet_v.conv_in.weight": torch.ones(1)}
    torch.save({"step": 3, "state_dict": state}, tmp_path / "svg.pt")
    assert convert(tmp_path / "svg.pt", tmp_path / "out", weights_dir=weights) == "connectors: cmc-pe"
    model = load_pair_model(tmp_path / "out", weights_dir=weights)
    with torch.no_grad():
        found, given = joint_forward(model.generator)
    torch.testing.assert_close(found.video, given["eps_v"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.audio, given["eps_a"], atol=1e-5, rtol=1e-5)


def test_in_bfloat16_the_noise_is_nearly_the_same(folder: Path, weights: Path, pipeline: JointPipeline) -> None:
    half = load_pair_model(folder, weights_dir=weights, precision="bfloat16")
    assert {value.dtype for value in half.generator.parameters()} == {torch.bfloat16}
    with torch.no_grad():
        (found, _), (wanted, _) = joint_forward(half.generator), joint_forward(pipeline.model.generator)
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float32 and 0 < (one - other).std() < 0.05 * other.std()


def test_connectors_that_add_nothing_leave_the_whole_pipeline_as_the_bare_networks(
    bases: Bases, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrained = JointPipeline(load_pair_model(saved(tmp_path / "new", bases), weights_dir=weights))
    request = PairRequest(prompt="a box", steps=2)
    one = untrained.generate(request)[0]
    monkeypatch.setattr(JointGenerator, "_taking", lambda self, blocks, condition: {})
    bare = untrained.generate(request)[0]
    assert torch.equal(one.frames, bare.frames) and torch.equal(one.sound, bare.sound)
    assert one.frames.shape == (8, 3, 16, 16) and one.sound.shape == (16_000,)
    assert one.frames.float().std() > 0 and one.sound.std() > 0


def test_a_command_writes_a_pair_and_both_conditional_tasks_run(
    folder: Path, weights: Path, pipeline: JointPipeline, tmp_path: Path
) -> None:
    out = tmp_path / "pair.mkv"
    command = ["generate-pair", "--model", str(folder), "--weights-dir", str(weights), "--steps", "2", "--prompt"]
    assert main([*command, "a box", "--out", str(out)]) == 0
    info = Source.file(out).info
    assert (info.duration, info.frame_rate, info.width, info.audio_streams) == (1, 8, 16, 1)
    plain = pipeline.generate(prompt="a box", steps=2)[0]
    for_video = pipeline.generate(prompt="a box", steps=2, given_video=out)[0]
    assert torch.equal(for_video.frames, given_frames(pipeline.model, out, 8))
    assert not torch.equal(for_video.sound, plain.sound)
    for_sound = pipeline.generate(prompt="a box", steps=2, given_sound=out)[0]
    assert for_sound.sound.shape == plain.sound.shape and not torch.equal(for_sound.frames, plain.frames)


def test_what_cannot_be_made_is_said_in_a_line(pipeline: JointPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="at most 32 frames of its motion modules.* got 5 s; it was trained on 1 s"):
        pipeline.generate(prompt="a box", duration=5)
    with pytest.raises(UsageError, match="is 25 tokens long, CLIP of svg-animatediff-audioldm reads at most 18"):
        pipeline.generate(prompt="a" * 25)
    texts = pipeline.model.texts
    monkeypatch.setattr(texts.clap, "longest", 10)  # of the tiny tokenizer; the pipeline is shared
    with pytest.raises(UsageError, match="is 11 tokens long, CLAP of svg-animatediff-audioldm reads at most 8"):
        texts.check("a" * 11)


def test_connectors_of_other_bases_are_refused(folder: Path, weights: Path, tmp_path: Path) -> None:
    others = tmp_path / "others"
    shutil.copytree(weights, others)
    path = others / full_pairs.MOTION / "diffusion_pytorch_model.safetensors"
    state = load_file(path)
    next(value for name, value in state.items() if not name.endswith(".pe")).mul_(1.01)
    save_file(state, path)
    with pytest.raises(WeightsError, match="other base weights: they were trained with the motion [0-9a-f]{12}"):
        load_pair_model(folder, weights_dir=others)


def test_missing_and_damaged_bases_are_named(folder: Path, weights: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as error:
        load_pair_model(folder)
    said = str(error.value)
    assert "no network" in said and "cvssp/audioldm-m-full: unet (config.json/diffusion_pytorch_model" in said
    assert "hf download SG161222/Realistic_Vision_V5.1_noVAE" in said and "\n" not in said
    with pytest.raises(WeightsError, match="weights folder .* does not exist"):
        load_pair_model(folder, weights_dir=tmp_path / "none")
    others = tmp_path / "others"
    shutil.copytree(weights, others)
    path = others / full_pairs.SD / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({key: value for key, value in load_file(path).items() if key != "quant_conv.bias"}, path)
    with pytest.raises(WeightsError, match="the vae of SG161222/Realistic_Vision_V5.1_noVAE .*lacks 'quant_conv.bias'"):
        load_pair_model(folder, weights_dir=others)


def test_bases_of_another_size_are_refused(bases: Bases) -> None:
    larger = replace(CONFIG, video=replace(CONFIG.video, layers=2))
    with pytest.raises(WeightsError, match="another size than those of mine: video UNetConfig"):
        bases.check_sizes(larger, "mine")


@pytest.mark.parametrize("trained", ["connectors", "motion", "everything"])
def test_two_updates_change_what_is_trained_and_nothing_else(bases: Bases, tmp_path: Path, trained: str) -> None:
    preset = replace(PRESET, trained=trained, bases=bases.identities)
    networks = FullNetworks(generator_of(bases, preset, CPU), bases.codec, bases.texts)
    before = {name: value.clone() for name, value in networks.generator.named_parameters()}
    chosen = chosen_weights(networks.generator, preset.trained)
    assert {before[name].dtype for name in chosen} == {torch.float32}
    assert {value.dtype for name, value in before.items() if name not in chosen} <= {torch.bfloat16}
    run = Run.of(preset, tmp_path / "run", resume=False)
    optimise(run, preset, networks, Trained(chosen), CLIPS, CLIPS)
    changed = {n for n, value in networks.generator.named_parameters() if not torch.equal(value, before[n])}
    assert changed and changed <= set(chosen)
    if trained == "motion":
        assert any("motion_modules" in name for name in changed)
    log = (tmp_path / "run" / "log.csv").read_text()
    assert "validation_loss" in log and "nan" not in log


def test_a_training_leaves_a_model_that_generates(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "CURVE_POINTS", 3)
    monkeypatch.setattr(presets, "FULL", replace(PRESET, steps=1, validation=1))
    chosen = PairRecipe(
        "connectors", tmp_path / "mine", "full", data="clips", trains="motion", weights_dir=weights, accumulation=1
    )
    made = train(chosen)
    assert made == tmp_path / "mine" / "model-cmc-pe-motion"
    assert all(key.startswith("video.") and "motion_modules" in key for key in load_file(made / "unets.safetensors"))
    pipeline = JointPipeline(load_pair_model(made, weights_dir=weights))
    assert pipeline.generate(prompt="a bell", steps=2, gamma="auto")[0].frames.shape == (8, 3, 16, 16)
    with pytest.raises(UsageError, match=r"checkpoint.pt exists; resume that training"):
        train(chosen)


def test_a_wrong_training_is_refused_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(match: str, stage: str = "connectors", **changes: object) -> None:
        with pytest.raises(UsageError, match=match):
            train(PairRecipe(stage, tmp_path / "out", **{"preset": "full", "data": "clips", **changes}))

    refused("the base models of preset full are published .* got --stage video", stage="video")
    refused("preset full learns from real clips: pass --data DIR, made with .*--size 256", data="gym")
    refused("accumulation must be at least 1, got 0", accumulation=0)
    refused("accumulation and weights_dir are for --preset full", preset="gym", stage="video", accumulation=2)
    refused("preset must be gym or full, got 'large'", preset="large")
    other = replace(CLIPS, form=PairForm(FRAMES_TOO_MANY, CLIPS.form.rate, CLIPS.form.size))
    monkeypatch.setattr(PairRecipe, "pairs", lambda self: (other, other))
    refused("the pairs have 40 frames of 16 pixels at 8 Hz, preset full takes at most 32")
    assert list(tmp_path.iterdir()) == []


FRAMES_TOO_MANY = 40


def test_the_name_alone_says_that_connectors_must_be_trained(capsys: pytest.CaptureFixture[str], weights: Path) -> None:
    with pytest.raises(WeightsError, match="train pair --stage connectors --preset full --data DIR"):
        load_pair_model(ANIMATEDIFF_AUDIOLDM.name)
    assert main(["models", ANIMATEDIFF_AUDIOLDM.name]) == 0
    assert "missing        unet of SG161222" in capsys.readouterr().out
    assert main(["models", ANIMATEDIFF_AUDIOLDM.name, "--weights-dir", str(weights)]) == 0
    assert "missing        nothing" in capsys.readouterr().out


def test_without_diffusers_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(UsageError, match=r"pip install 'openfoley\[joint\]'"):
        load_pair_model(folder)
