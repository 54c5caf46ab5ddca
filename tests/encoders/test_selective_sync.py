"""The Gym-size selective encoder: equal to its teacher at the start, run by run, and words from the text tower."""

from dataclasses import replace

import pytest
import torch

from openfoley.encoders import selective_sync, semantic, sync
from openfoley.encoders.base import FrameEncoder, TextConditioned, TextEncoder, frame_dim
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.encoders.semantic import SemanticEncoder
from openfoley.encoders.semantic_words import SemanticWords
from openfoley.encoders.sync import SyncEncoder, pooled
from openfoley.encoders.tokenizer import train_tokenizer

WIDE = {"image_size": 32, "patch_size": 16, "hidden_size": 32, "heads": 2, "mlp_size": 32}
BLOCK = replace(selective_sync.GYM, width=32, heads=2, text_dim=32, mlp_width=32)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def student(trained: bool = False) -> SelectiveSync:
    torch.manual_seed(0)
    encoder = SelectiveSync(SyncEncoder(replace(sync.GYM, **WIDE, appearance=None)).eval(), BLOCK).eval()
    if trained:
        for parameter in encoder.selection.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    return encoder


@pytest.fixture(scope="module")
def words() -> SemanticWords:
    tokenizer = train_tokenizer(["a wooden ball bounces on the floor"], 400).to_str()
    shape = replace(semantic.GYM, **WIDE, vision_layers=1, text_layers=1, vocabulary=400, text_length=12)
    return SemanticWords(SemanticEncoder(shape, tokenizer).eval())


def frames_of(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (1, count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_a_new_student_equals_its_teacher_bit_for_bit(words: SemanticWords) -> None:
    encoder, text = student(), words.encode_words(["ball"] * 3)
    pictures = torch.rand(3, 16, 3, 32, 32)
    assert torch.equal(encoder(pictures, *text), encoder.trunk(pictures))
    frames, (tokens, is_word) = frames_of(60), words.encode_words(["ball"])
    trunk = encoder.encode(frames)
    present = torch.ones(1, 60, dtype=torch.bool)
    torch.testing.assert_close(encoder.select(trunk, present, tokens, is_word), encoder.trunk.encode(frames))


def test_the_trunk_is_computed_once_and_any_run_of_it_is_selected_by_itself(words: SemanticWords) -> None:
    encoder = student(trained=True)
    assert isinstance(encoder, FrameEncoder) and isinstance(encoder, TextConditioned)
    trunk, text = encoder.encode(frames_of(40)), words.encode_words(["a wooden ball"])
    assert trunk.shape == (1, 40, frame_dim(encoder)) and encoder.trunk_dim == 4 * 32
    present = torch.ones(1, 40, dtype=torch.bool)
    whole = encoder.select(trunk, present, *text)
    torch.testing.assert_close(encoder.select(trunk[:, 7:19], present[:, 7:19], *text), whole[:, 7:19])
    other = encoder.select(trunk, present, *words.encode_words(["a stone"]))
    assert not torch.allclose(other, whole, atol=1e-3)
    present[:, 5:9] = False
    hidden = encoder.select(trunk, present, *text)
    assert not hidden[:, 5:9].any() and torch.equal(hidden[:, 9:], whole[:, 9:])


def test_without_a_word_the_features_are_the_sync_encoders_own(words: SemanticWords) -> None:
    encoder = student(trained=True)
    for parameter in encoder.pooling.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    frames, (tokens, is_word) = frames_of(20).repeat(2, 1, 1, 1, 1), words.encode_words(["a wooden ball", "a ball"])
    is_word[1] = False
    trunk, present = encoder.encode(frames), torch.ones(2, 20, dtype=torch.bool)
    chosen, everything = encoder.select(trunk, present, tokens, is_word)
    torch.testing.assert_close(everything, encoder.trunk.encode(frames)[1])
    torch.testing.assert_close(chosen, encoder.select(trunk[:1], present[:1], tokens[:1], is_word[:1])[0])
    assert not torch.allclose(chosen, everything, atol=1e-2)
    half = torch.tensor([1.0, 0.0, 1.0, 0.0]).expand(2, 20, 4)
    masked = encoder.select(trunk, present, tokens, is_word, half)[1]
    expected = pooled(trunk[1:].unflatten(-1, (4, 32)), encoder.trunk.pooling, encoder.trunk.peak, encoder.trunk.norm,
                      half[1:])  # fmt: skip
    torch.testing.assert_close(masked, expected[0])
    assert not torch.allclose(masked, everything, atol=1e-2)


def test_only_selection_and_pooling_are_trained_and_the_teacher_keeps_its_own() -> None:
    encoder = student()
    before = {key: value.clone() for key, value in encoder.trunk.state_dict().items()}
    for parameter in encoder.trained_parameters():
        parameter.add_(1.0)
    assert all(torch.equal(before[key], value) for key, value in encoder.trunk.state_dict().items())
    names = {key.partition(".")[0] for key in encoder.state_dict() if not key.startswith(selective_sync.TRUNK)}
    assert names == {"selection", "pooling", "peak", "norm"}


def test_gym_size_stays_below_a_megabyte_of_bfloat16() -> None:
    with torch.device("meta"):
        encoder = SelectiveSync(SyncEncoder(sync.GYM), selective_sync.GYM)
    assert 0 < 2 * sum(value.numel() for value in encoder.trained_parameters()) < 1.5e6


def test_words_are_the_tower_s_states_with_the_pooled_one_last(words: SemanticWords) -> None:
    assert isinstance(words, TextEncoder)
    texts = ["ball", "a wooden ball bounces", "a wooden ball bounces on the floor " * 4]
    tokens, is_word = words.encode_words(texts)
    counts = [min(words.token_count(text), 12) + 1 for text in texts]
    assert is_word.sum(1).tolist() == counts and tokens.shape == (3, 13, 32)
    tower = words.network.siglip.text_model(input_ids=words.network.token_ids(texts))
    for row, count in enumerate(counts):
        assert torch.equal(tokens[row, : count - 1], tower.last_hidden_state[row, : count - 1])
        assert torch.equal(tokens[row, count - 1], tower.last_hidden_state[row, -1])
    alone, _ = words.encode_words(texts[:1])
    torch.testing.assert_close(alone[0], tokens[0, : alone.shape[1]])
