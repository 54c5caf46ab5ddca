"""CLIP: outputs of the published towers on seeded weights, every key used, tokenizer without open_clip."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
import seeded
import torch
from safetensors.torch import load_file

from openfoley.encoders import clip, clip_tokenizer
from openfoley.encoders.clip import DFN5B_VIT_H_14, ClipEncoder, from_open_clip
from openfoley.encoders.clip_tokenizer import END, END_OF_WORD, START, token_rows
from openfoley.errors import UsageError, WeightsError

NAME = "dfn5b_clip_vit_h14"
SHAPES = json.loads((seeded.FOLDER / "mmaudio_parts_shapes.json").read_text())[NAME]
WORDS = ["dog", "bark", "the", "a"]


def merges_of(words: list[str]) -> list[str]:
    """The merges that make each word one piece, letter by letter."""
    merges = []
    for word in words:
        made = word[0] if len(word) > 1 else word + END_OF_WORD
        for index, letter in enumerate(word[1:], 1):
            piece = letter + (END_OF_WORD if index == len(word) - 1 else "")
            merges.append(f"{made} {piece}")
            made += piece
    return list(dict.fromkeys(merges))


TOKENIZER = clip_tokenizer.clip_tokenizer(merges_of(WORDS))
TINY = replace(
    DFN5B_VIT_H_14,
    shown_size=30,
    image_size=28,
    vision_width=32,
    vision_layers=2,
    vision_heads=2,
    vision_mlp=48,
    embedding=16,
    text_width=24,
    text_layers=2,
    text_heads=2,
    text_mlp=40,
    vocabulary=TOKENIZER.get_vocab_size(),
)


@pytest.fixture(scope="module")
def tiny() -> ClipEncoder:
    torch.manual_seed(0)
    return ClipEncoder(TINY, TOKENIZER.to_str()).eval()


def test_every_key_and_shape_of_the_checkpoint_is_used() -> None:
    with torch.device("meta"):
        encoder = ClipEncoder(DFN5B_VIT_H_14, TOKENIZER.to_str())
    converted = from_open_clip({key: torch.empty(shape, device="meta") for key, shape in SHAPES.items()})
    given = {key: tuple(value.shape) for key, value in converted.items()}
    assert given == {key: tuple(value.shape) for key, value in encoder.state_dict().items()}


@pytest.mark.parametrize("change", [{"visual.strange": torch.zeros(1)}, {"strange": torch.zeros(1)}])
def test_a_key_of_another_network_is_refused(change: dict[str, torch.Tensor]) -> None:
    with pytest.raises(WeightsError, match="strange"):
        from_open_clip({"visual.class_embedding": torch.zeros(4), **change})


@pytest.mark.slow
@pytest.mark.parametrize("tower", ["vision", "text"])
def test_tower_equals_the_published_one(tower: str) -> None:
    """Suggested tolerance 2e-4 for outputs of order 1; these are of unit length, and one tower needs 3 GB."""
    goldens = load_file(seeded.FOLDER / "mmaudio_parts.safetensors")
    with torch.device("meta"):
        encoder = ClipEncoder(DFN5B_VIT_H_14, TOKENIZER.to_str())
    shapes = {key: shape for key, shape in SHAPES.items() if key.startswith("visual.") == (tower == "vision")}
    state = from_open_clip({**seeded.state(shapes), "visual.class_embedding": torch.zeros(1280)} | seeded.state(shapes))
    part = getattr(encoder, tower)
    part.load_state_dict(
        {key.removeprefix(f"{tower}."): value for key, value in state.items() if key.startswith(f"{tower}.")},
        strict=True,
        assign=True,
    )
    with torch.no_grad():
        if tower == "vision":
            image = (0.5 + 0.2 * seeded.noise("input.clip_image", (1, 3, 384, 384))).clamp(0, 1)
            ours, expected = encoder.pictures(image), goldens["clip.out.image"]
        else:
            ours, expected = encoder.texts(goldens["clip.in.tokens"].long())[:, ::4], goldens["clip.out.text"]
    torch.testing.assert_close(ours, expected, atol=4e-6, rtol=0)


def test_vectors_have_unit_length_and_their_shapes(tiny: ClipEncoder) -> None:
    frames = torch.randint(0, 256, (1, 11, 3, 30, 30), dtype=torch.uint8)
    features, texts = tiny.encode(frames), tiny.encode_text(["a dog", ""])
    assert features.shape == (1, 11, 16) and texts.shape == (2, 77, 24)
    torch.testing.assert_close(features.norm(dim=-1), torch.ones(1, 11))
    torch.testing.assert_close(texts.norm(dim=-1), torch.ones(2, 77))


def test_the_last_rows_and_columns_are_not_seen(tiny: ClipEncoder) -> None:
    frame = torch.randint(0, 256, (1, 1, 3, 30, 30), dtype=torch.uint8)
    changed = frame.clone()
    changed[..., 28:, :] = 0
    changed[..., 28:] = 255
    assert torch.equal(tiny.encode(frame), tiny.encode(changed))


@pytest.mark.parametrize("chunks", [[19], [1] * 19, [8, 8, 3], [5, 14]])
def test_chunks_do_not_change_features(tiny: ClipEncoder, chunks: list[int]) -> None:
    frames = torch.randint(0, 256, (19, 3, 30, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    stream, parts, index = tiny.stream(), [], 0
    for part in frames.split(chunks):
        parts += stream.push(part, index)
        index += len(part)
    assert torch.equal(torch.cat(parts + stream.flush()), tiny.encode(frames[None])[0])
    assert len(stream.held) < clip.FRAMES_PER_CALL


def test_text_attention_is_causal_and_includes_padding(tiny: ClipEncoder) -> None:
    texts = tiny.encode_text(["a dog", "a dog bark"])
    torch.testing.assert_close(texts[0, :3], texts[1, :3])
    assert not torch.allclose(texts[0, 3], texts[1, 3], atol=1e-3)
    assert texts[0, 10:].std(0).mean() > 1e-3


def test_pieces_are_numbered_as_clip_s() -> None:
    numbers = TOKENIZER.get_vocab()
    assert numbers["!"] == 0 and numbers["a"] == 64 and numbers["a" + END_OF_WORD] == 64 + 256
    assert (numbers[START], numbers[END]) == (len(numbers) - 2, len(numbers) - 1)
    rows = token_rows(TOKENIZER, ["A  Dog\nbark", "a&amp;lt;dog"], 77)
    dog, bark = numbers["dog</w>"], numbers["bark</w>"]
    assert rows[0, :6].tolist() == [numbers[START], 320, dog, bark, numbers[END], 0]
    assert rows[1, :6].tolist() == [numbers[START], 320, numbers["<</w>"], dog, numbers[END], 0]
    assert TOKENIZER.encode("<|endoftext|>").ids[0] != numbers[END]  # a prompt cannot end the text


def test_a_prompt_that_is_too_long_is_an_error() -> None:
    assert token_rows(TOKENIZER, ["dog " * 75], 77)[0, -1] == TOKENIZER.token_to_id(END)
    with pytest.raises(UsageError, match="76 tokens long, this model reads at most 75"):
        token_rows(TOKENIZER, ["dog " * 76], 77)


@pytest.mark.parametrize("form", ["merges.txt", "bpe_simple_vocab_16e6.txt.gz", "tokenizer.json"])
def test_merges_are_read_from_what_is_published(tmp_path: Path, form: str) -> None:
    merges = [f"a{i} b{i}" for i in range(clip_tokenizer.MERGES)]
    text = "\n".join(["#version: 0.2", *merges, *(["more lines"] * 5 if form.endswith("gz") else []), ""])
    path = tmp_path / form
    if form.endswith("json"):
        path.write_text(json.dumps({"model": {"merges": [merge.split(" ") for merge in merges]}}))
    else:
        path.write_bytes(gzip.compress(text.encode()) if form.endswith("gz") else text.encode())
    assert clip_tokenizer.read_merges(path) == merges
    path.write_bytes(b"\x1f\x8bnonsense")
    with pytest.raises(WeightsError, match="holds no CLIP merges"):
        clip_tokenizer.read_merges(path)
