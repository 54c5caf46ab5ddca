"""The encoder of FLAN-T5 (arXiv 2210.11416), whose tokens select from a picture in SelVA (arXiv 2512.02650).

The network is transformers' T5. A text's tokens end with </s>; nothing is cut off: what is too long is refused. Letters
that its vocabulary lacks (of many scripts, "~", "{") are all one token, <unk>, which is said in a warning.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from openfoley.encoders.base import Inputs, Outputs
from openfoley.encoders.tokenizer import load_tokenizer
from openfoley.errors import UsageError, WeightsError

logger = logging.getLogger(__name__)
UNKNOWN = "<unk>"
PAD_ID, END_ID = 0, 1  # of SentencePiece in T5
ENCODER, EMBEDDING = "encoder.", "shared.weight"  # of a checkpoint of the whole T5


@dataclass(frozen=True)
class T5TextConfig:
    """buckets, farthest: of the relative positions (tokens). longest: tokens of a text with its end."""

    width: int
    layers: int
    heads: int
    head_width: int
    mlp_width: int
    buckets: int
    farthest: int
    vocabulary: int
    longest: int


FLAN_T5_BASE = T5TextConfig(
    width=768,
    layers=12,
    heads=12,
    head_width=64,
    mlp_width=2048,
    buckets=32,
    farthest=128,
    vocabulary=32128,
    longest=512,
)


class T5TextEncoder(nn.Module):
    """Texts to tokens. tokenizer: path of tokenizer.json, or its JSON text."""

    inputs = Inputs(text=True)

    def __init__(self, config: T5TextConfig, tokenizer: Path | str) -> None:
        from transformers import T5Config, T5EncoderModel

        super().__init__()
        self.config = config
        self.tokenizer = load_tokenizer(tokenizer, config.vocabulary)
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        whole = T5EncoderModel(
            T5Config(
                vocab_size=config.vocabulary,
                d_model=config.width,
                d_kv=config.head_width,
                d_ff=config.mlp_width,
                num_layers=config.layers,
                num_heads=config.heads,
                relative_attention_num_buckets=config.buckets,
                relative_attention_max_distance=config.farthest,
                feed_forward_proj="gated-gelu",
                dropout_rate=0.0,
            )
        )
        self.network = whole.encoder  # holds the embedding too

    @property
    def outputs(self) -> Outputs:
        return Outputs(self.config.width)

    @property
    def longest(self) -> int:
        """Tokens of a text without its end; a longer one is refused."""
        return self.config.longest - 1

    def token_count(self, text: str) -> int:
        return len(self._pieces(text))

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "texts tokens dim"]:
        return self.encode_words(texts)[0]

    @torch.no_grad()
    def encode_words(
        self, texts: Sequence[str]
    ) -> tuple[Float[Tensor, "texts tokens dim"], Bool[Tensor, "texts tokens"]]:
        """The tokens of each text, and which belong to it: shorter ones are padded. UsageError for one too long."""
        for text in texts:
            if unread := self.unread(text):
                logger.warning("T5 cannot read %r in %r; name the thing in English", unread, text)
        rows = [[*self._pieces(text), END_ID] for text in texts]
        for row, text in zip(rows, texts, strict=True):
            if len(row) > self.config.longest:
                raise UsageError(
                    f"the text is {len(row) - 1} tokens long, T5 reads at most {self.longest}; shorten it: "
                    f"{text[:40]!r}..."
                )
        device = next(self.parameters()).device
        counts = torch.tensor([len(row) for row in rows], device=device)
        is_word = torch.arange(max(map(len, rows)), device=device) < counts[:, None]
        ids = torch.full(is_word.shape, PAD_ID, device=device)
        ids[is_word] = torch.tensor([piece for row in rows for piece in row], device=device)
        return self.network(input_ids=ids, attention_mask=is_word).last_hidden_state.float(), is_word

    def unread(self, text: str) -> str:
        """The parts of a text that the vocabulary has no pieces for."""
        unknown, encoded = self.tokenizer.token_to_id(UNKNOWN), self.tokenizer.encode(text, add_special_tokens=False)
        parts = zip(encoded.ids, encoded.offsets, strict=True)
        return " ".join(text[first:end].strip() for id, (first, end) in parts if id == unknown)

    def _pieces(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, add_special_tokens=False).ids


def from_t5(state: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Float[Tensor, "..."]]:
    """`T5TextEncoder`'s state from a whole T5 or its encoder alone; the decoder and the head are left out by name."""
    if EMBEDDING not in state:
        raise WeightsError(f"this is no T5 checkpoint: it lacks {EMBEDDING!r}")
    kept = {key.removeprefix(ENCODER): value for key, value in state.items() if key.startswith(ENCODER)}
    kept["embed_tokens.weight"] = state[EMBEDDING]
    return {f"network.{key}": value.float() for key, value in kept.items()}
