"""Checkpoints as trainers leave them: nested, prefixed, averaged, halved; damaged and diverged ones are refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import seeded
import torch
from safetensors.torch import save_file
from torch import Tensor

from openfoley.codecs import bigvgan
from openfoley.codecs.snake import low_pass
from openfoley.errors import UsageError, WeightsError
from openfoley.generators.mmaudio.config import VARIANTS
from openfoley.generators.mmaudio.foreign import from_mmaudio, latent_statistics
from openfoley.hub import foreign
from openfoley.hub.cards import CARDS
from openfoley.hub.checkpoint import check_archive, check_finite, read_checkpoint, recognise
from openfoley.hub.convert import convert
from openfoley.hub.load import checked_device, load_part

TINY_SHAPES = json.loads((seeded.FOLDER / "mmaudio_network_shapes.json").read_text())["tiny_v2"]["shapes"]
PARTS_SHAPES = json.loads((seeded.FOLDER / "mmaudio_parts_shapes.json").read_text())


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """The tiny network as if it were published."""
    monkeypatch.setitem(VARIANTS, "tiny", replace(VARIANTS["large-44k-v2"], **seeded.TINY_SIZES))
    known = CARDS["mmaudio-small-16k"]
    file = replace(known.files[0], name="mmaudio_tiny.pth", variant="tiny", md5=None)
    monkeypatch.setitem(CARDS, "mmaudio-tiny", replace(known, variant="tiny", files=(file,)))
    return seeded.state(TINY_SHAPES)


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("prefix", ["model.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.net.", "a.b.c."])
@pytest.mark.parametrize("wrappers", [(), ("params",), ("network",), ("model_state_dict",), ("anything", "weights")])
def test_a_network_is_found_behind_any_prefix_and_wrapper(
    tiny: dict[str, Tensor], tmp_path: Path, prefix: str, wrappers: tuple[str, ...]
) -> None:
    content: dict[str, Any] = {prefix + key: value for key, value in tiny.items()}
    for wrapper in wrappers:
        content = {"epoch": 3, "step": torch.tensor(5), "optimizer": {"state": {0: torch.zeros(2)}}, wrapper: content}
    torch.save(content, tmp_path / "x.pth")
    assert equal(read_checkpoint(tmp_path / "x.pth"), tiny)


def test_wrappers_inside_names_and_safetensors_called_bin_are_read(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    save_file({key.replace("blocks.0.", "blocks.0._orig_mod."): v for key, v in tiny.items()}, tmp_path / "x.bin")
    assert equal(read_checkpoint(tmp_path / "x.bin"), tiny)


def training_checkpoint(tiny: dict[str, Tensor], begun: bool = True) -> dict[str, Any]:
    """As MMAudio's trainer saves it, by the layout of nitrous-ema 0.0.1: two averages, 0.05 and 0.10."""
    ema: dict[str, Any] = {}
    for number, factor in enumerate((0.5, 0.25)):
        ema[f"ema_models.{number}._extra_state"] = {"initted": begun, "step": 5000}
        ema |= {f"ema_models.{number}.ema_model.{key}": factor * value for key, value in tiny.items()}
    optimizer = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-4, "params": [0]}]}
    return {"it": 5000, "weights": tiny, "optimizer": optimizer, "scheduler": {"last_epoch": 5000}, "ema": ema}


def test_of_a_training_checkpoint_the_average_of_width_005_is_used(
    tiny: dict[str, Tensor], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save(training_checkpoint(tiny), tmp_path / "last.pth")
    with caplog.at_level("INFO", logger="openfoley"):
        state = read_checkpoint(tmp_path / "last.pth")
    assert equal(state, {key: 0.5 * value for key, value in tiny.items()})
    assert "ema.ema_models.0.ema_model" in caplog.text
    assert convert(tmp_path / "last.pth", tmp_path / "out") == "generator: MMAudio tiny"


@pytest.mark.parametrize("ema", ["not begun", "none"])
def test_without_an_average_the_weights_themselves_are_used(tiny: dict[str, Tensor], tmp_path: Path, ema: str) -> None:
    content = training_checkpoint(tiny, begun=False) | ({"ema": None} if ema == "none" else {})
    torch.save(content, tmp_path / "last.pth")
    assert equal(read_checkpoint(tmp_path / "last.pth"), tiny)


def test_an_average_of_the_trained_weights_alone_is_completed(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    trained = {key: 0.5 * value for key, value in tiny.items() if key not in ("latent_mean", "latent_std")}
    torch.save({"model": tiny, "model_ema": trained}, tmp_path / "x.pth")
    assert equal(read_checkpoint(tmp_path / "x.pth"), {**tiny, **trained})
    snapshot = {f"ema_model.{key}": value for key, value in tiny.items()}  # of the post-hoc EMA, every 5,000 steps
    torch.save({"_extra_state": {"initted": True, "step": 3}, **snapshot}, tmp_path / "0.5000.pt")
    assert equal(read_checkpoint(tmp_path / "0.5000.pt"), tiny)


@pytest.mark.parametrize("damage", ["network", "statistics"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(
    tiny: dict[str, Tensor], tmp_path: Path, damage: str, value: float
) -> None:
    key = "fused_blocks.1.attn.qkv.weight" if damage == "network" else "latent_std"
    tiny[key].view(-1)[7] = value
    torch.save(tiny, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match="NaN or infinite") as caught:
        convert(tmp_path / "x.pth", tmp_path / "out")
    assert ("audio.1.heads" if damage == "network" else "latent_std") in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(WeightsError, match=key):
        check_finite(tiny, "x.pth")


def test_an_attention_mask_may_be_infinite() -> None:
    check_finite({"attn_mask": torch.full((3, 3), -torch.inf).triu(1)}, "CLIP")


@pytest.mark.parametrize("seed", range(5))
def test_flipped_bytes_of_a_renamed_archive_are_found(tiny: dict[str, Tensor], tmp_path: Path, seed: int) -> None:
    path = tmp_path / "renamed.pth"
    torch.save(tiny, path)
    check_archive(path)
    content, generator = bytearray(path.read_bytes()), torch.Generator().manual_seed(seed)
    with zipfile.ZipFile(path) as archive:
        largest = max(archive.infolist(), key=lambda record: record.file_size)
    start = largest.header_offset + 200  # past the local header
    for place in torch.randint(start, start + largest.file_size - 200, (100,), generator=generator).tolist():
        content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="damaged.*fetch it again"):
        convert(path, tmp_path / "out")
    known = CARDS["mmaudio-tiny"]
    with pytest.raises(WeightsError, match="damaged"):
        foreign.obtain(known, tmp_path)


def test_an_archive_saved_without_checksums_is_taken(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(tiny, tmp_path / "x.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    check_archive(tmp_path / "x.pth")
    assert equal(read_checkpoint(tmp_path / "x.pth"), tiny)


@pytest.mark.parametrize("key", ["latent_mean", "latent_std"])
def test_missing_statistics_are_named(tiny: dict[str, Tensor], tmp_path: Path, key: str) -> None:
    del tiny[key]
    torch.save(tiny, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=f"lacks '{key}'"):
        convert(tmp_path / "x.pth", tmp_path / "out")
    with pytest.raises(WeightsError, match=f"lacks '{key}'"):
        latent_statistics(tiny)


def test_each_missing_or_misshapen_tensor_is_a_weights_error(tiny: dict[str, Tensor]) -> None:
    one_block = [key for key in tiny if ".1." not in key and ".2." not in key]
    for key in one_block[::3]:
        without = {name: value for name, value in tiny.items() if name != key}
        bent = tiny | {key: torch.zeros(3)}
        for state in (without, bent):
            if key in ("latent_mean", "latent_std", "audio_input_proj.0.weight"):
                continue  # the codec's, and that by which the network is recognised
            with pytest.raises(WeightsError):
                foreign.generator_from("tiny", state)


@pytest.mark.parametrize("shorten", [lambda key: False, lambda key: key.endswith("weight_v")])
def test_an_unknown_or_missing_key_of_the_vocoder_is_a_weights_error(shorten: Callable[[str], bool]) -> None:
    shapes = PARTS_SHAPES["bigvgan_16k"]
    state = {key: torch.ones(1, 1, 2) for key in list(shapes)[:4] if not shorten(key)}
    if "conv_pre.weight_v" in state:
        state["ups.0"] = torch.ones(1)
    with pytest.raises(WeightsError):
        foreign._renamed(bigvgan.from_mmaudio, "vocoder", state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("stored_again", [False, True])
def test_a_half_precision_vocoder_keeps_its_known_low_pass(dtype: torch.dtype, stored_again: bool) -> None:
    key = "activation_post.upsample.filter"
    taps = low_pass().view(1, 1, -1).to(dtype)
    state = {key: taps.float() if stored_again else taps, "conv_post.bias": torch.ones(1, dtype=dtype)}
    converted = bigvgan.from_mmaudio(state)
    assert list(converted) == ["conv_post.bias"] and converted["conv_post.bias"].dtype == torch.float32
    for wrong in (1.02 * taps.float(), taps.float().roll(1), torch.full((1, 1, 12), torch.nan)):
        with pytest.raises(WeightsError, match="low-pass"):
            bigvgan.from_mmaudio({key: wrong})


def test_a_half_precision_network_loads_in_float32(tiny: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({key: value.half() for key, value in tiny.items()}, tmp_path / "x.pth")
    convert(tmp_path / "x.pth", tmp_path / "out")
    loaded = load_part("generator", tmp_path / "out").state_dict()
    expected = from_mmaudio({key: value.half().float() for key, value in tiny.items()})
    assert all(torch.equal(loaded[key], expected[key]) for key in expected)


@pytest.mark.parametrize("part", ["vae_16k", "bigvgan_16k", "synchformer_visual", "dfn5b_clip_vit_h14"])
def test_every_part_is_recognised_behind_a_prefix(part: str, tmp_path: Path) -> None:
    state = {f"module._orig_mod.{key}": torch.zeros(0) for key in PARTS_SHAPES[part]}
    state = {key: torch.zeros(80 if key.endswith("data_mean") else (8, 3, 2, 2)) for key in state}
    torch.save({"state_dict": state}, tmp_path / "x.pth")
    recognised = recognise(read_checkpoint(tmp_path / "x.pth"))
    names = {"vae_16k": "vae", "bigvgan_16k": "vocoder", "synchformer_visual": "sync", "dfn5b_clip_vit_h14": "clip"}
    assert recognised is not None and recognised.part == names[part]


ABSENT = ["hpu", "meta", "quantum", "cuda:77", *([] if torch.backends.mps.is_available() else ["mps"])]


@pytest.mark.parametrize("device", ABSENT)
def test_a_device_that_is_not_here_is_one_short_line(device: str) -> None:
    with pytest.raises(UsageError, match=f"device '{device}'") as caught:
        checked_device(device)
    assert len(str(caught.value)) < 200 and "\n" not in str(caught.value)
