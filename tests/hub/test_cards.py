"""What the cards say is true: of the files, of the shipped weights, of the words of the training."""

import json
import math
import re
import struct
from pathlib import Path

import pytest

from openfoley.cli import main
from openfoley.gym.scene import sample_scene
from openfoley.hub import registry
from openfoley.hub.cards import CARDS
from openfoley.hub.parts import PARTS
from openfoley.hub.registry import (
    CONFIG_NAME,
    SELECTION,
    SHIPPED,
    SHIPPED_FOLDER,
    generator_kind,
    published,
    selects,
)


def test_the_words_are_those_of_the_training_scenes() -> None:
    said = {
        word
        for seed in range(300)
        for caption in sample_scene(seed, 4.0).captions
        for word in re.findall("[a-z]+", caption.lower())
    }
    assert said == set(CARDS["salsa-v-gym"].words)
    assert not {"dog", "brass", "clay"} & said


def test_the_shipped_card_counts_its_weights() -> None:
    card, elements = CARDS["salsa-v-gym"], {}
    for path in ((SHIPPED_FOLDER / card.name / f"{part}.safetensors") for part in (*PARTS, SELECTION)):
        with path.open("rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
        elements[path.stem] = sum(math.prod(shape) for shape in shapes)
    assert elements["generator"] == card.parameters and 4 * sum(elements.values()) == card.weights_bytes
    config = json.loads((SHIPPED_FOLDER / card.name / CONFIG_NAME).read_text())
    codec = config["codec"]
    assert (codec["sample_rate"], codec["channels"]) == (card.sample_rate, card.channels)


def test_each_card_is_either_shipped_or_published_and_its_family_is_a_generator() -> None:
    assert SHIPPED == ("salsa-v-gym",)
    for name, card in CARDS.items():
        assert card.name == name and (published(name) is None) == (name in SHIPPED)
        assert generator_kind(name) == card.family
        whole = {"network", "vae", "vocoder", "clip", "tokenizer"}
        whole |= {"selective", "words", "words-tokenizer"} if selects(name) else {"sync"}
        assert {file.part for file in card.files} in (set(), whole)


def test_models_says_what_selects_by_text_and_has_adapters(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the files: the shipped model without its selection and without adapters says so."""
    name = "salsa-v-gym"

    def said(model: str) -> dict[str, str]:
        assert main(["models", model]) == 0
        return {line[:16].strip(): line[16:] for line in capsys.readouterr().out.splitlines()}

    for model, selection, adapters in (
        (name, "yes (--select)", "yes (--whole-video)"),
        ("selva-small-16k", "yes (--select)", "none"),
        ("mmaudio-small-16k", "no", "none"),
    ):
        assert (shown := said(model))["selects by text"] == selection and shown["name"] == model
        assert shown["adapters"] == adapters
    config = json.loads((SHIPPED_FOLDER / name / CONFIG_NAME).read_text())
    (tmp_path / name).mkdir()
    (tmp_path / name / CONFIG_NAME).write_text(json.dumps({k: v for k, v in config.items() if k != SELECTION}))
    monkeypatch.setattr(registry, "SHIPPED_FOLDER", tmp_path)
    shown = said(name)
    assert shown["selects by text"] == "no" and shown["adapters"] == "none"
    assert main(["models", name, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert row["selects_by_text"] is False and row["adapters"] is False


def test_a_model_is_shown_with_the_words_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "salsa-v-gym"]) == 0
    shown = capsys.readouterr().out
    assert "44100" in shown and "not for real footage" in shown and "words it knows (90)" in shown
    assert " marble " in shown and " dog " not in shown
    assert main(["models", "mmaudio-small-16k"]) == 0
    shown = capsys.readouterr().out
    assert "157 M" in shown and "CC-BY-NC 4.0" in shown and "open_clip_pytorch_model.bin: Apple" in shown
    assert main(["models", "nonsense"]) == 2
    assert "salsa-v-gym" in capsys.readouterr().err
    assert main(["models"]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "none" in rows["salsa-v-gym"] and "6.7 GB" in rows["mmaudio-small-16k"]
