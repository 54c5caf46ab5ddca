"""T5's encoder for what is selected: padding changes nothing, nothing is cut off, the public names fit."""

from dataclasses import replace

import pytest
import torch

from openfoley.encoders.base import TextEncoder
from openfoley.encoders.t5 import END_ID, FLAN_T5_BASE, T5TextEncoder, from_t5
from openfoley.errors import UsageError, WeightsError

TINY = replace(FLAN_T5_BASE, width=16, layers=2, heads=2, head_width=8, mlp_width=24, vocabulary=64, longest=8)


def tokenizer() -> str:
    """Letters and blanks as T5 has them: unigrams, </s> put at the end unless it is refused."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    pieces += [(letter, -3.0) for letter in "abcdefghijklmnopqrstuvwxyz"]
    made = Tokenizer(models.Unigram(pieces, unk_id=2))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(single=["$A", "</s>"], special_tokens=[("</s>", END_ID)])
    made.enable_truncation(3)
    made.enable_padding()
    return made.to_str()


@pytest.fixture
def encoder() -> T5TextEncoder:
    torch.manual_seed(0)
    made = T5TextEncoder(TINY, tokenizer()).eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def test_each_text_is_encoded_as_if_it_were_alone(encoder: T5TextEncoder) -> None:
    assert isinstance(encoder, TextEncoder)
    both, is_word = encoder.encode_words(["dog", "a cat"])
    assert both.shape == (2, 7, 16) and is_word.sum(1).tolist() == [5, 7]  # a blank in front, </s> behind
    for row, text in enumerate(["dog", "a cat"]):
        alone = encoder.encode_text([text])[0]
        torch.testing.assert_close(both[row, is_word[row]], alone, atol=1e-5, rtol=0)
    assert not torch.allclose(encoder.encode_text(["god"]), encoder.encode_text(["dog"]), atol=1e-3)
    assert encoder.encode_text([""]).shape == (1, 1, 16)


def test_a_text_that_is_too_long_is_refused_and_never_cut(encoder: T5TextEncoder) -> None:
    assert (encoder.longest, encoder.token_count("abcdef"), encoder.token_count("abcdefg")) == (7, 7, 8)
    assert encoder.encode_text(["abcdef"]).shape == (1, 8, 16)
    with pytest.raises(UsageError, match="8 tokens long, T5 reads at most 7; shorten it: 'abcdefg'"):
        encoder.encode_text(["abcdefg"])
    assert FLAN_T5_BASE.longest == 512


def test_letters_that_the_vocabulary_lacks_are_told(encoder: T5TextEncoder, caplog: pytest.LogCaptureFixture) -> None:
    encoder.encode_text(["a cat"])
    assert not caplog.text and encoder.unread("a cat") == ""
    encoder.encode_text(["ボール"])
    assert "T5 cannot read 'ボール' in 'ボール'; name the thing in English" in caplog.text
    assert encoder.unread("a ⚽ b~") == "⚽ ~"
    assert torch.equal(encoder.encode_text(["ボール"]), encoder.encode_text(["ドア"])), "all unknown names are alike"


def test_the_public_t5s_names_are_those_of_the_whole_network_and_of_its_encoder() -> None:
    from transformers import T5Config, T5ForConditionalGeneration

    encoder = T5TextEncoder(TINY, tokenizer())
    whole = T5ForConditionalGeneration(
        T5Config(
            vocab_size=64, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu",
            tie_word_embeddings=False,
        )
    )  # fmt: skip
    state = from_t5(whole.state_dict())
    encoder.load_state_dict(state, strict=True)
    encoder.eval()
    ids = torch.tensor([[5, 9, END_ID]])
    expected = whole.eval().encoder(input_ids=ids).last_hidden_state
    torch.testing.assert_close(encoder.network(input_ids=ids).last_hidden_state, expected)
    assert not any("decoder" in key for key in state)
    with pytest.raises(WeightsError, match="lacks 'shared.weight'"):
        from_t5({"encoder.x": torch.zeros(1)})


def test_the_full_size_has_the_public_number_of_parameters() -> None:
    with torch.device("meta"):
        encoder = T5TextEncoder(FLAN_T5_BASE, tokenizer())
    assert sum(value.numel() for value in encoder.parameters()) == 109_628_544
