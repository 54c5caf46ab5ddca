"""The tokens of a semantic encoder's text tower, for what selects word by word (`text_selection`).

A text's words are the states of its pieces and, as </s> in T5, the state of the last position, which the tower pools
into the vector of the whole text.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from openfoley.encoders.base import TextTower
from openfoley.encoders.semantic import SemanticEncoder


@dataclass(frozen=True)
class SemanticWords(TextTower):
    """A semantic encoder's text tower, token by token."""

    network: SemanticEncoder

    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "texts tokens dim"]:
        return self.encode_words(texts)[0]

    @torch.no_grad()
    def encode_words(
        self, texts: Sequence[str]
    ) -> tuple[Float[Tensor, "texts tokens dim"], Bool[Tensor, "texts tokens"]]:
        """The tokens of each text, the whole text's last, and which belong to it: shorter ones are padded."""
        device = next(self.network.parameters()).device
        states = self.network.siglip.text_model(input_ids=self.network.token_ids(list(texts)).to(device))
        states = states.last_hidden_state.float()
        counts = torch.tensor([min(self.token_count(text), self.longest) for text in texts], device=device)
        position = torch.arange(int(counts.max()) + 1, device=device)
        last = states[:, -1:].expand(-1, len(position), -1)
        words = torch.where((position == counts[:, None])[..., None], last, _padded(states)[:, position])
        return words, position <= counts[:, None]


def _padded(states: Float[Tensor, "texts tokens dim"]) -> Float[Tensor, "texts more dim"]:
    """One position more, for texts that fill all."""
    return torch.cat([states, torch.zeros_like(states[:, :1])], 1)
