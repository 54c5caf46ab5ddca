"""Published checkpoints: recognised by content, loaded strictly, never executed; what is missing is named."""

import json
import pickle
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import seeded
import torch
from safetensors.torch import load_file, save_file

from openfoley.cli import main
from openfoley.errors import UsageError, WeightsError
from openfoley.generators.mmaudio.config import VARIANTS
from openfoley.generators.mmaudio.foreign import from_mmaudio
from openfoley.hub import convert as conversion
from openfoley.hub import filling, foreign, memory
from openfoley.hub.cards import CARDS
from openfoley.hub.checkpoint import Recognised, read_checkpoint, recognise
from openfoley.hub.convert import convert
from openfoley.hub.load import load_model, load_part

SHAPES = json.loads((seeded.FOLDER / "mmaudio_network_shapes.json").read_text())
TINY = replace(VARIANTS["large-44k-v2"], **seeded.TINY_SIZES)


def on_meta(name: str) -> dict[str, torch.Tensor]:
    return {key: torch.empty(shape, device="meta") for key, shape in SHAPES[name]["shapes"].items()}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """The tiny network as if it were published."""
    monkeypatch.setitem(VARIANTS, "tiny", TINY)
    known = CARDS["mmaudio-small-16k"]
    file = replace(known.files[0], name="mmaudio_tiny.pth", variant="tiny", md5=None)
    monkeypatch.setitem(CARDS, "mmaudio-tiny", replace(known, variant="tiny", files=(file,)))
    return seeded.state(SHAPES["tiny_v2"]["shapes"])


@pytest.mark.parametrize("name", VARIANTS)
def test_each_published_network_is_recognised_by_its_content_and_loads_strictly(name: str) -> None:
    state = on_meta(name.replace("-", "_")) | {"latent_rot": torch.empty(2, device="meta")}
    recognised = recognise(state)
    assert recognised is not None and (recognised.part, recognised.variant) == ("network", name)
    assert "latent_rot" in recognised.note
    foreign.generator_from(name, state)
    del state["sync_pos_emb"]
    with pytest.raises(WeightsError, match="sync_place"):
        foreign.generator_from(name, state)


def test_a_network_of_another_variant_is_named(tiny: dict[str, torch.Tensor]) -> None:
    with pytest.raises(WeightsError, match="another variant|should be"):
        foreign.generator_from("small-44k", on_meta("small_16k"))
    file = CARDS["mmaudio-small-16k"].files[0]
    with pytest.raises(WeightsError, match="holds the network large-44k, expected the network small-16k"):
        foreign.check_variant(on_meta("large_44k"), file, Path("mmaudio_small_16k.pth"))
    with pytest.raises(WeightsError, match="nothing known"):
        foreign.check_variant({"a": torch.zeros(1)}, file, Path("x.pth"))


@pytest.mark.parametrize("wrapped", [None, "state_dict", "generator"])
def test_a_checkpoint_is_read_whatever_is_wrapped_around_it(
    tiny: dict[str, torch.Tensor], tmp_path: Path, wrapped: str | None
) -> None:
    path = tmp_path / "anything.bin"
    torch.save({wrapped: tiny, "epoch": 3} if wrapped else tiny, path)
    state = read_checkpoint(path)
    assert state.keys() == tiny.keys() and all(torch.equal(state[key], tiny[key]) for key in tiny)


class Bomb:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("way", ["torch", "pickle"])
def test_a_pickle_that_is_no_weights_is_never_executed(tmp_path: Path, way: str) -> None:
    path, mark = tmp_path / "evil.pth", tmp_path / "executed"
    if way == "torch":
        torch.save({"a": torch.zeros(2), "b": Bomb(mark)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(mark)))
    with pytest.raises(WeightsError, match="nothing in it was executed"):
        read_checkpoint(path)
    assert not mark.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_truncated_file_is_named(tiny: dict[str, torch.Tensor], tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"whole{suffix}"
    if suffix == ".pth":
        torch.save(tiny, path)
    else:
        save_file(tiny, path)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(WeightsError, match="cut"):
        read_checkpoint(cut)


def test_a_converted_network_is_the_network_exactly(tiny: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(tiny, tmp_path / "x.pth")
    assert convert(tmp_path / "x.pth", tmp_path / "out") == "generator: MMAudio tiny"
    model = load_part("generator", tmp_path / "out")
    for key, value in from_mmaudio(tiny).items():
        assert torch.equal(model.state_dict()[key], value)
    statistics = load_file(tmp_path / "out" / "latent_statistics.safetensors")
    assert torch.equal(statistics["latent_mean"], tiny["latent_mean"].flatten())
    with pytest.raises(UsageError, match="force=True"):
        convert(tmp_path / "x.pth", tmp_path / "out")
    convert(tmp_path / "x.pth", tmp_path / "out", force=True)


def test_a_folder_without_everything_says_what_is_missing(tiny: dict[str, torch.Tensor], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    torch.save(tiny, tmp_path / "in" / "x.pth")
    with pytest.raises(WeightsError, match="missing vae, vocoder, sync, clip, tokenizer"):
        convert(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_converted_folder_is_the_model_exactly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # the shipped model's parts stand for the published ones, which are gigabytes
    model, variants = load_model(), {file.part: file.variant for file in CARDS["mmaudio-small-16k"].files}
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "tokenizer.json").write_text("{}")
    for part in conversion.WHOLE:
        torch.save({part: torch.zeros(1)}, tmp_path / "in" / f"{part}.pth")
    known = {part: Recognised(part, variants[part]) for part in conversion.WHOLE}
    monkeypatch.setattr(conversion, "recognise", lambda state: known[next(iter(state))])
    monkeypatch.setattr(conversion, "assemble", lambda *_: model.parts.items())
    assert convert(tmp_path / "in", tmp_path / "out") == "mmaudio-small-16k"
    converted = load_model(tmp_path / "out")
    assert converted.name == "mmaudio-small-16k"
    for part, module in model.parts.items():
        found = converted.parts[part].state_dict()
        assert all(torch.equal(value, found[key]) for key, value in module.state_dict().items())
    written = (tmp_path / "out" / "tokenizer.json").read_text()
    assert json.loads(written) == json.loads(model.parts["semantic"].tokenizer.to_str())


def test_files_are_found_by_content_whatever_they_are_called(tiny: dict[str, torch.Tensor], tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    torch.save(tiny, tmp_path / "deep" / "renamed.ckpt")
    found, missing = foreign.locate(CARDS["mmaudio-tiny"].files, tmp_path)
    assert not missing and [path.name for path in found.values()] == ["renamed.ckpt"]


@pytest.mark.parametrize("name", ["tokenizer.json", "merges.txt", "bpe_simple_vocab_16e6.txt.gz"])
def test_clips_merges_are_taken_from_any_file_that_holds_them(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("merges")
    files = [file for file in CARDS["mmaudio-small-16k"].files if file.part == "tokenizer"]
    found, missing = foreign.locate(files, tmp_path)
    assert not missing and list(found.values()) == [tmp_path / name]


def test_offline_without_weights_names_every_file_within_five_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENFOLEY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(memory, "available_bytes", lambda _device: None)
    begun = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        load_model("mmaudio-large-44k-v2", weights_dir=tmp_path)
    assert time.monotonic() - begun < 5
    message = str(caught.value)
    assert "no network" in message and str(tmp_path) in message
    for file in CARDS["mmaudio-large-44k-v2"].files:
        assert file.name in message


def test_a_tampered_file_is_named_with_what_was_expected(
    tiny: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENFOLEY_CACHE", str(tmp_path / "cache"))
    known = CARDS["mmaudio-small-16k"]
    (tmp_path / known.files[0].name).write_bytes(b"something else")
    with pytest.raises(WeightsError, match=f"md5 .* expected {known.files[0].md5}"):
        foreign.obtain(replace(known, files=known.files[:1]), tmp_path)


def test_a_model_that_does_not_fit_says_how_much_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda _device: 2_000_000_000)
    with pytest.raises(WeightsError, match=r"needs about 8\.1 GB of memory on cpu, 2.0 GB are free"):
        load_model("mmaudio-large-44k-v2")


def test_models_and_doctor_list_what_is_present(
    tiny: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OPENFOLEY_CACHE", str(tmp_path / "cache"))
    torch.save(tiny, tmp_path / "mmaudio_tiny.pth")
    (tmp_path / "broken.pth").write_bytes(b"\x80")
    assert main(["models", "--json", "--weights-dir", str(tmp_path)]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert rows["salsa-v-gym"]["on_disk"] == "all" and rows["mmaudio-small-16k"]["licence"] == "CC-BY-NC 4.0"
    assert rows["mmaudio-large-44k"]["on_disk"] == "none"
    assert main(["doctor", "--json", "--weights-dir", str(tmp_path)]) == 0
    report = json.loads(capsys.readouterr().out)
    found = {entry["file"]: entry["what"] for entry in report["weights"]}
    assert found["mmaudio_tiny.pth"] == "network: tiny" and found["broken.pth"].startswith("damaged")


def test_parts_made_without_memory_are_whole_once_filled() -> None:
    """Buffers that no checkpoint holds are there; random weights are not made."""
    from openfoley.encoders.clip import DFN5B_VIT_H_14, ClipEncoder
    from openfoley.encoders.clip_tokenizer import clip_tokenizer
    from openfoley.encoders.synchformer import SYNCHFORMER, SynchformerEncoder

    narrow = {"vision_width": 32, "vision_layers": 1, "vision_heads": 2, "vision_mlp": 32, "embedding": 16}
    narrow |= {"text_width": 32, "text_layers": 1, "text_heads": 2, "text_mlp": 32}
    clip_config = replace(DFN5B_VIT_H_14, **narrow, shown_size=30, image_size=28, vocabulary=600)
    text = clip_tokenizer(["h e", "he l"]).to_str()
    small = replace(SYNCHFORMER, image_size=32, hidden_size=32, heads=2, mlp_size=32, layers=1)
    frames = torch.randint(255, (1, 17, 3, 32, 32), dtype=torch.uint8)
    for make, shown in (
        (lambda: ClipEncoder(clip_config, text), frames[..., :30, :30]),
        (lambda: SynchformerEncoder(small), frames),
    ):
        whole = make().eval()
        empty = filling.unfilled(make)
        assert all(parameter.is_meta for parameter in empty.parameters())
        filling.fill(empty, whole.state_dict(), "part", assign=True)
        made = empty.eval()
        with torch.no_grad():
            assert torch.equal(made.encode(shown), whole.encode(shown))  # type: ignore[operator]
            if isinstance(made, ClipEncoder):
                assert torch.equal(made.encode_text(["hell"]), whole.encode_text(["hell"]))  # type: ignore[operator]
