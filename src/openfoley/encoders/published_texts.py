"""The texts of published base models, of transformers' networks: CLIP's tokens for pictures, CLAP's vector for sound.

CLIP (arXiv 2103.00020) gives the U-Net of Stable Diffusion a vector for each of 77 tokens, the padding's among them.
CLAP (arXiv 2211.06687) gives AudioLDM's one vector of length 1 for the whole text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from transformers import CLIPTokenizer, RobertaTokenizer

VOCABULARY, MERGES = "vocab.json", "merges.txt"
SPECIAL = 2
"""Tokens for the start and the end of a text."""


class _Text(nn.Module):
    """name: for messages. longest: tokens, with start and end."""

    def __init__(self, network: nn.Module, tokenizer: Any, name: str, longest: int) -> None:
        super().__init__()
        self.network, self.tokenizer, self.name, self.longest = network, tokenizer, name, longest

    def check(self, text: str, model: str) -> None:
        """UsageError for a text that is longer than the network reads."""
        count, most = len(self.tokenizer(text)["input_ids"]) - SPECIAL, self.longest - SPECIAL
        if count > most:
            raise UsageError(
                f"the prompt is {count} tokens long, {self.name} of {model} reads at most {most}; shorten it: "
                f"{text[:40]!r}..."
            )

    def _on_device(self, value: Any) -> Tensor:
        return torch.tensor(value, device=next(self.network.parameters()).device)


class ClipTokens(_Text):
    """network: CLIPTextModel."""

    def __init__(self, network: nn.Module, tokenizer: CLIPTokenizer, config: Any) -> None:
        super().__init__(network, tokenizer, "CLIP", config.max_position_embeddings)

    @torch.no_grad()
    def forward(self, texts: Sequence[str]) -> Float[Tensor, "batch tokens width"]:
        rows = self.tokenizer(list(texts), padding="max_length", max_length=self.longest, truncation=True)["input_ids"]
        return self.network(input_ids=self._on_device(rows)).last_hidden_state


class ClapVector(_Text):
    """network: ClapTextModelWithProjection. RoBERTa counts positions from behind its padding's number on."""

    def __init__(self, network: nn.Module, tokenizer: RobertaTokenizer, config: Any) -> None:
        super().__init__(network, tokenizer, "CLAP", config.max_position_embeddings - config.pad_token_id - 1)

    @torch.no_grad()
    def forward(self, texts: Sequence[str]) -> Float[Tensor, "batch width"]:
        rows = self.tokenizer(list(texts), padding=True, max_length=self.longest, truncation=True)
        ids, mask = (self._on_device(rows[name]) for name in ("input_ids", "attention_mask"))
        return F.normalize(self.network(input_ids=ids, attention_mask=mask).text_embeds, dim=-1)


def clip_tokenizer(vocabulary: Path, merges: Path) -> CLIPTokenizer:
    """Padded with the end's token, as Stable Diffusion was trained. WeightsError."""
    from transformers import CLIPTokenizer

    return CLIPTokenizer(vocab=_vocabulary(vocabulary), merges=_merges(merges))


def clap_tokenizer(vocabulary: Path, merges: Path) -> RobertaTokenizer:
    """RoBERTa's. WeightsError."""
    from transformers import RobertaTokenizer

    return RobertaTokenizer(vocab=_vocabulary(vocabulary), merges=_merges(merges))


def _vocabulary(path: Path) -> dict[str, int]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{str(path)!r} holds no vocabulary: {error}") from None


def _merges(path: Path) -> Any:
    """Pairs of pieces; the first line names the version."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error}") from None
    pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    if any(len(pair) != 2 for pair in pairs):
        raise WeightsError(f"{str(path)!r} holds no merges: expected lines of two pieces")
    return pairs
