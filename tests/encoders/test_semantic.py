from dataclasses import replace

import pytest
import torch

from openfoley.encoders.semantic import GYM, SemanticEncoder
from openfoley.encoders.tokenizer import load_tokenizer, token_ids, train_tokenizer
from openfoley.errors import WeightsError

TINY = replace(GYM, image_size=32, hidden_size=16, heads=2, mlp_size=32, vision_layers=1, text_layers=1, vocabulary=600)


@pytest.fixture(scope="module")
def encoder() -> SemanticEncoder:
    torch.manual_seed(0)
    return SemanticEncoder(TINY, train_tokenizer(["a wooden ball bounces"] * 5, 600).to_str()).eval()


@pytest.mark.parametrize("chunk", [1, 13, 70])
def test_streamed_features_equal_those_of_the_whole_video(encoder: SemanticEncoder, chunk: int) -> None:
    frames = torch.randint(0, 256, (70, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    whole = encoder.encode(frames[None])[0]
    stream = encoder.stream()
    parts = [part for start in range(0, 70, chunk) for part in stream.push(frames[start : start + chunk], start)]
    assert torch.equal(torch.cat(parts + stream.flush()), whole)


def test_rows_together_are_as_rows_alone(encoder: SemanticEncoder) -> None:
    """What a GPU does, here on the CPU."""
    size = encoder.config.image_size
    pictures = torch.randint(0, 256, (2, 3, 3, size, size), dtype=torch.uint8)
    torch.testing.assert_close(encoder.encode_together(pictures), encoder.encode(pictures), atol=1e-4, rtol=1e-4)


def test_vectors_have_unit_mean_square(encoder: SemanticEncoder) -> None:
    vectors = encoder.encode_text(["a wooden ball", "", "Ω 鐘 🎬 never seen", "word " * 500])
    torch.testing.assert_close(vectors.square().mean(-1), torch.ones(4))


def test_a_text_does_not_depend_on_its_neighbours(encoder: SemanticEncoder) -> None:
    both = encoder.encode_text(["a wooden ball", "glass"])
    torch.testing.assert_close(both[:1], encoder.encode_text(["a wooden ball"]), atol=1e-5, rtol=1e-4)


def test_any_text_survives_the_tokenizer() -> None:
    tokenizer = load_tokenizer(train_tokenizer(["a wooden ball bounces"], 1000).to_str(), 1000)
    for text in ("a wooden ball bounces", "ünïcode", "鐘が鳴る", "🎬!?"):
        ids = [i for i in token_ids(tokenizer, [text], 64)[0].tolist() if i]
        assert tokenizer.decode(ids).strip() == text
    assert len(tokenizer.encode("bounces").ids) == 1


def test_capital_letters_do_not_matter() -> None:
    tokenizer = train_tokenizer([], 600)
    assert torch.equal(token_ids(tokenizer, ["Glass"], 8), token_ids(tokenizer, ["glass"], 8))


def test_a_tokenizer_that_is_too_large_is_refused() -> None:
    with pytest.raises(WeightsError, match="vocabulary"):
        SemanticEncoder(replace(TINY, vocabulary=300), train_tokenizer([], 600).to_str())
