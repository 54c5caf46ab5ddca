"""SelVA's public files: pinned, found by name, recognised, loaded strictly, converted; licences shown."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import seeded
import torch

from openfoley.cli import main
from openfoley.encoders.selective_synchformer import SELVA
from openfoley.errors import WeightsError
from openfoley.generators.mmaudio.config import VARIANTS
from openfoley.hub import convert as conversion
from openfoley.hub import foreign
from openfoley.hub.cards import CARDS
from openfoley.hub.checkpoint import Recognised, recognise
from openfoley.hub.convert import convert
from openfoley.hub.load import load_model
from openfoley.hub.registry import selects

ENCODER = json.loads((seeded.FOLDER / "selva_shapes.json").read_text())["video_encoder"]
NETWORKS = json.loads((seeded.FOLDER / "mmaudio_network_shapes.json").read_text())
KEYS = {"small-16k": 251, "small-44k": 251, "medium-44k": 251, "large-44k": 416}
CARD = CARDS["selva-small-16k"]
FILES = {file.part: file for file in CARD.files}


def on_meta(shapes: dict[str, list[int]]) -> dict[str, torch.Tensor]:
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


@pytest.mark.parametrize(("variant", "keys"), KEYS.items())
def test_each_network_is_pinned_and_loads_strictly(variant: str, keys: int) -> None:
    card, state = CARDS[f"selva-{variant}"], on_meta(NETWORKS[variant.replace("-", "_")]["shapes"])
    (network,) = (file for file in card.files if file.part == "network")
    assert len(state) == keys and network.size_bytes == 4 * sum(value.numel() for value in state.values())
    assert network.md5 is not None and len(network.md5) == 32 and selects(card.name)
    assert recognise(state) == Recognised("network", variant)
    foreign.generator_from(variant, state)
    assert card.licence == network.licence == "no licence is published for SelVA's own files"


def test_the_video_encoder_is_recognised_and_loads_strictly() -> None:
    state = on_meta(ENCODER)
    assert len(state) == 260 and recognise(state) == Recognised("selective", "selva-sup-5")
    assert FILES["selective"].size_bytes == 4 * sum(value.numel() for value in state.values())
    assert foreign.selective_from(state).config == SELVA
    without = {key: value for key, value in state.items() if key != "sup_text_feat"}
    assert recognise(without) == Recognised("selective", "selva-sup-0")
    assert foreign.selective_from(without).config.selection.supplementary == 0
    del state["text_proj.0.bias"]
    with pytest.raises(WeightsError, match=r"video encoder of SelVA: it lacks 'selection\.project\.bias'"):
        foreign.selective_from(state)


def test_t5_is_recognised_by_its_encoder() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    with torch.device("meta"):
        sizes = {"d_model": 768, "d_ff": 2048, "num_layers": 12, "num_heads": 12, "feed_forward_proj": "gated-gelu"}
        base = T5ForConditionalGeneration(T5Config(vocab_size=32128, tie_word_embeddings=False, **sizes)).state_dict()
    assert recognise(base) == Recognised("words", "t5-base")
    assert 4 * sum(v.numel() for k, v in base.items() if k != "decoder.embed_tokens.weight"
                   and k != "encoder.embed_tokens.weight") == FILES["words"].size_bytes  # fmt: skip
    small = {key: value for key, value in base.items() if not key.startswith("encoder.block.11.")}
    assert recognise(small) == Recognised("words", "T5 of width 768, 11 layers")


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """A tiny network, as if SelVA's and MMAudio's were of its size."""
    monkeypatch.setitem(VARIANTS, "small-16k", replace(VARIANTS["small-16k"], **seeded.TINY_SIZES))
    return seeded.state(NETWORKS["tiny_v1"]["shapes"])


def test_networks_of_the_same_shapes_are_told_apart_by_their_names(
    tiny: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MMAudio's weights in SelVA's place would be heard and never seen."""
    monkeypatch.setenv("OPENFOLEY_CACHE", str(tmp_path / "cache"))
    theirs = tuple(file for file in CARDS["mmaudio-small-16k"].files if file.part == "network")
    for own, other in (((FILES["network"],), theirs), (theirs, (FILES["network"],))):
        folder = tmp_path / own[0].name
        (folder / "deep").mkdir(parents=True)
        torch.save(tiny, folder / "deep" / own[0].name)
        assert not foreign.locate(own, folder)[1] and foreign.locate(other, folder)[1] == list(other)
    (tmp_path / "renamed").mkdir()
    torch.save(tiny, tmp_path / "renamed" / "mine.pth")
    assert foreign.locate((FILES["network"],), tmp_path / "renamed")[1] == [FILES["network"]]
    assert not foreign.locate(theirs, tmp_path / "renamed")[1]
    assert main(["doctor", "--json", "--weights-dir", str(tmp_path / FILES["network"].name)]) == 0
    (found,) = json.loads(capsys.readouterr().out)["weights"]
    assert found["what"] == "network: small-16k, by its name of selva-small-16k"
    assert convert(tmp_path / FILES["network"].name / "deep" / FILES["network"].name, tmp_path / "out") == (
        "generator: SelVA small-16k"
    )


def test_t5s_files_and_clips_do_not_take_each_others_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENFOLEY_CACHE", str(tmp_path / "cache"))
    (tmp_path / "flan-t5-base").mkdir()
    for name in ("tokenizer.json", "model.safetensors"):
        (tmp_path / "flan-t5-base" / name).write_text("{}")
    wanted = (FILES["tokenizer"], FILES["words"], FILES["words-tokenizer"])
    found, missing = foreign.locate(wanted, tmp_path)
    assert missing == [FILES["tokenizer"]] and {path.parent.name for path in found.values()} == {"flan-t5-base"}
    (tmp_path / "tokenizer.json").write_text("{}")
    found, missing = foreign.locate(wanted, tmp_path)
    assert not missing and found[FILES["tokenizer"]] == tmp_path / "tokenizer.json"


def test_offline_every_file_is_named_with_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENFOLEY_CACHE", str(tmp_path))
    monkeypatch.setattr(foreign, "check_memory", lambda *_: None)
    with pytest.raises(WeightsError, match="no network") as caught:
        load_model("selva-small-16k")
    assert all(file.name in str(caught.value) and file.url in str(caught.value) for file in CARD.files)


def test_models_shows_what_is_known_of_licences(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "selva-large-44k"]) == 0
    shown = capsys.readouterr().out
    assert "licence         no licence is published for SelVA's own files" in shown
    for file in ("generator_large_44k_sup_5.pth", "video_enc_sup_5.pth"):
        assert f"{file}: no licence is published for SelVA's own files" in shown
    assert "flan_t5_base.safetensors: Apache-2.0" in shown and "v1-44.pth: CC-BY-NC 4.0" in shown


def test_a_folder_with_the_video_encoder_is_converted_to_a_selective_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, selective_model: Path
) -> None:
    """A tiny model's parts stand for the public ones, which are gigabytes."""
    model = load_model(selective_model)
    (tmp_path / "in" / "flan-t5-base").mkdir(parents=True)
    for part in conversion.WHOLE_SELVA:
        torch.save({part: torch.zeros(1)}, tmp_path / "in" / f"{part}.pth")
    known = {part: Recognised(part, FILES[part].variant) for part in conversion.WHOLE_SELVA}
    monkeypatch.setattr(conversion, "recognise", lambda state: known[next(iter(state))])
    monkeypatch.setattr(conversion, "assemble", lambda *_: model.parts.items())
    (tmp_path / "in" / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"missing words-tokenizer \(flan_t5_base_tokenizer\.json or flan-t5-base/"):
        convert(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in" / "flan-t5-base" / "tokenizer.json").write_text("{}")
    assert convert(tmp_path / "in", tmp_path / "out") == "selva-small-16k"
    made = load_model(tmp_path / "out")
    assert made.parts.keys() == model.parts.keys() == {"codec", "sync", "semantic", "generator", "words"}
    for part, module in model.parts.items():
        found = made.parts[part].state_dict()
        assert all(torch.equal(value, found[key]) for key, value in module.state_dict().items())
    (tmp_path / "out" / "words_tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"words_tokenizer\.json' is missing"):
        load_model(tmp_path / "out")
