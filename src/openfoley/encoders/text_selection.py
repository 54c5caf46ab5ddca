"""A text selects from the tokens of a picture encoder (SelVA, arXiv 2512.02650, section 3).

One block between an encoder's tokens and its pooling: the tokens are queries, the text's tokens keys and values.

    words = project([SUP]; text)              supplementary tokens are prepended before the projection
    x = x + norm1(attention(x, words))        the norms lie on the branches' outputs, x itself enters unnormalised
    x = x + unit(norm2(x))                    SwiGLU

norm1 and the unit's last matrix start at zero: a new block is the identity, and an encoder with it equals the one
without it. There are no positions: words have no order beyond what their encoder gives them.

Supplementary tokens that start at zero stay equal to each other for ever (they get the same gradients), so that n of
them act as one whose logit is ln n higher; `start="random"` is for training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from openfoley.nn.gated import GatedUnit

HEAD_NORM_EPSILON = 2.0**-23  # float32's spacing at 1, PyTorch's default for RMS norm
RANDOM_STD = 0.02  # of supplementary tokens at a random start
Tokens = Float[Tensor, "rows tokens width"]
Words = Float[Tensor, "rows words width"]
IsWord = Bool[Tensor, "rows words"]
Heads = Float[Tensor, "rows heads tokens head_width"]


@dataclass(frozen=True)
class TextSelectionConfig:
    """width: of the picture's tokens. supplementary: number of [SUP] tokens. mixing: how the tokens meet the text;
    "concatenation", for comparison, joins the mean of the words to each token."""

    width: int
    heads: int
    text_dim: int
    mlp_width: int
    supplementary: int
    start: Literal["zero", "random"]
    mixing: Literal["cross-attention", "concatenation"]


class TextSelection(nn.Module):
    """Tokens of pictures and of a text -> the tokens as the text has them."""

    empty: Float[Tensor, "1 text_dim"]

    def __init__(self, config: TextSelectionConfig) -> None:
        super().__init__()
        self.supplementary = nn.Parameter(torch.zeros(config.supplementary, config.text_dim))
        self.register_buffer("empty", torch.zeros(1, config.text_dim))  # the words of no text; not trained
        self.project = nn.Linear(config.text_dim, config.width)
        self.project_unit = GatedUnit(config.width, config.mlp_width, 1)
        self.mix = CrossAttention(config) if config.mixing == "cross-attention" else Concatenation(config)
        self.norm1 = nn.LayerNorm(config.width)
        self.norm2 = nn.LayerNorm(config.width)
        self.unit = GatedUnit(config.width, config.mlp_width, 1)
        self._initialise(config.start)

    def _initialise(self, start: str) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for zero in (self.norm1.weight, self.norm1.bias, self.unit.contract.weight):
            assert isinstance(zero, Tensor)
            nn.init.zeros_(zero)
        if start == "random":
            nn.init.normal_(self.supplementary, std=RANDOM_STD)

    def forward(self, x: Tokens, words: Words, is_word: IsWord) -> Tokens:
        """words, is_word: of `words`."""
        x = x + self.norm1(self.mix(x, words, is_word))
        return x + self.unit(self.norm2(x))

    def words(
        self, text: Float[Tensor, "rows tokens text_dim"], is_word: Bool[Tensor, "rows tokens"]
    ) -> tuple[Words, IsWord]:
        """The projected words and which of them count, supplementary tokens first. A row without any word has the
        stored words of no text."""
        has_none = ~is_word.any(1, keepdim=True)
        first = torch.arange(text.shape[1], device=text.device) == 0
        text = torch.where((has_none & first)[..., None], self.empty.to(text.dtype), text)
        supplementary = self.supplementary.to(text.dtype).expand(len(text), -1, -1)
        always = is_word.new_ones(len(text), len(self.supplementary))
        words = self.project_unit(F.silu(self.project(torch.cat([supplementary, text], 1))))
        return words, torch.cat([always, is_word | (has_none & first)], 1)


class CrossAttention(nn.Module):
    """Tokens attend to the words, with RMS-normed queries and keys."""

    def __init__(self, config: TextSelectionConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.query = nn.Linear(config.width, config.width)
        self.key_value = nn.Linear(config.width, 2 * config.width)
        self.query_norm = nn.RMSNorm(config.width // config.heads, HEAD_NORM_EPSILON)
        self.key_norm = nn.RMSNorm(config.width // config.heads, HEAD_NORM_EPSILON)
        self.out = nn.Linear(config.width, config.width)

    def forward(self, x: Tokens, words: Words, is_word: IsWord) -> Tokens:
        key, value = self.keys_values(words)
        mixed = F.scaled_dot_product_attention(self.queries(x), key, value, is_word[:, None, None])
        return self.out(rearrange(mixed, "r h n d -> r n (h d)"))

    def weights(self, x: Tokens, words: Words, is_word: IsWord) -> Float[Tensor, "rows heads tokens words"]:
        """How each token's attention is divided among the words; each row adds up to 1."""
        key, _ = self.keys_values(words)
        logits = self.queries(x) @ key.mT * key.shape[-1] ** -0.5
        return logits.masked_fill(~is_word[:, None, None], float("-inf")).softmax(-1)

    def queries(self, x: Tokens) -> Heads:
        return self.query_norm(rearrange(self.query(x), "r n (h d) -> r h n d", h=self.heads))

    def keys_values(self, words: Words) -> tuple[Heads, Heads]:
        key, value = rearrange(self.key_value(words), "r m (which h d) -> which r h m d", which=2, h=self.heads)
        return self.key_norm(key), value


class Concatenation(nn.Module):
    """The baseline without attention: one linear layer of a token and the mean of the words."""

    def __init__(self, config: TextSelectionConfig) -> None:
        super().__init__()
        self.out = nn.Linear(2 * config.width, config.width)

    def forward(self, x: Tokens, words: Words, is_word: IsWord) -> Tokens:
        weights = is_word.to(words.dtype)[..., None]
        mean = (weights * words).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
        return self.out(torch.cat([x, mean.expand_as(x)], -1))


RENAMED = {
    "sup_text_feat": "supplementary",
    "empty_string_feat": "empty",
    "text_proj.0.weight": "project.weight",
    "text_proj.0.bias": "project.bias",
    "text_proj.2.w2.weight": "project_unit.contract.weight",
}
BLOCK = "synch_text_cross_blocks.0."
IN_BLOCK = {
    "attn.q_proj.": "mix.query.",
    "attn.q_norm.": "mix.query_norm.",
    "attn.k_norm.": "mix.key_norm.",
    "linear1.": "mix.out.",
    "norm1.": "norm1.",
    "norm2.": "norm2.",
    "ffn.w2.": "unit.contract.",
}


def from_selva(state: Mapping[str, Shaped[Tensor, "..."]], heads: int) -> dict[str, Float[Tensor, "..."]]:
    """`TextSelection`'s state from a published encoder's; other keys are kept, for strict loading to name.

    Keys and values are interleaved there (row (head * d + i) * 2 + which), ours follow each other; W1 and W3 of a gated
    unit are stacked.
    """
    result: dict[str, Tensor] = {}
    for key, value in state.items():
        value = value.float()
        if key.endswith(".w3.weight"):
            continue  # goes with its w1
        if key.endswith(".w1.weight"):
            stem = key.removesuffix(".w1.weight")
            unit = "unit" if stem.startswith(BLOCK) else "project_unit"
            result[f"{unit}.expand.weight"] = torch.cat((value, state[stem + ".w3.weight"].float()))
        elif key.startswith(BLOCK + "attn.kv_proj."):
            leaf = key.rpartition(".")[2]
            pairs = value.unflatten(0, (heads, -1, 2))
            result[f"mix.key_value.{leaf}"] = torch.cat([part.flatten(0, 1) for part in pairs.unbind(2)])
        else:
            result[_plain(key)] = value
    return result


def _plain(key: str) -> str:
    for theirs, ours in IN_BLOCK.items():
        if key.startswith(BLOCK + theirs):
            return ours + key.removeprefix(BLOCK + theirs)
    return RENAMED.get(key, key)
