"""The sync encoder whose features a text selects: SelVA's idea (arXiv 2512.02650, section 3) on SALSA-V's encoder.

    patch tokens of the sync encoder (frozen, computed once for all texts) -> one block of `text_selection` -> pooling

The words are the tokens of the model's own semantic text tower (`semantic_words`). A token meets the words alone, so
any run of frames may be selected by itself. Selection and pooling are trained; the pooling is a copy. Every training
item has a name: where none is given, as beside a cue that selects, the sync encoder's own pooling sees all (with the
words of no text the pair is silent there). A second of trunk is 24 x 36 x 128 numbers at Gym size, 0.4 MB in float32.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from openfoley.encoders.base import Frames, Inputs, Outputs
from openfoley.encoders.pooling import AttentionPooling
from openfoley.encoders.streams import encoded_by_rows
from openfoley.encoders.sync import SyncEncoder, SyncStream, pooled
from openfoley.encoders.text_selection import TextSelection, TextSelectionConfig
from openfoley.types import WORDS

GYM = TextSelectionConfig(
    width=128, heads=4, text_dim=128, mlp_width=384, supplementary=5, start="random", mixing="cross-attention"
)
TRUNK = "trunk."


class SelectiveSync(nn.Module):
    """`forward` is for a batch of snippets, `stream` (the trunk) and `select` for whole videos. trunk: shared with the
    model that does not select; the pooling starts as its copy."""

    def __init__(self, trunk: SyncEncoder, config: TextSelectionConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = trunk
        self.selection = TextSelection(config)
        shape = trunk.config
        self.pooling = AttentionPooling(trunk.dim, shape.heads, shape.mlp_size)
        self.peak = None if trunk.peak is None else nn.Linear(trunk.dim, trunk.dim)
        self.norm = nn.LayerNorm(trunk.dim)
        own = self.state_dict()
        self.load_state_dict({key: value for key, value in trunk.state_dict().items() if key in own}, strict=False)
        self.patches = trunk.patches
        self.trunk_dim = trunk.patches * trunk.dim

    def forward(
        self,
        pictures: Float[Tensor, "batch frames 3 height width"],
        text: Float[Tensor, "batch tokens text_dim"],
        is_word: Bool[Tensor, "batch tokens"],
    ) -> Float[Tensor, "batch frames dim"]:
        """Pictures in 0..1 and the text of each snippet -> one feature a frame."""
        return self.selected(self.trunk.tokens(pictures), text, is_word)

    def selected(
        self,
        tokens: Float[Tensor, "batch frames patches dim"],
        text: Float[Tensor, "batch words text_dim"],
        is_word: Bool[Tensor, "batch words"],
        seen: Float[Tensor, "batch frames patches"] | None = None,
    ) -> Float[Tensor, "batch frames dim"]:
        """The trunk's tokens -> one feature a frame. seen: the share of each patch that counts (`masking`)."""
        words, counts = self.selection.words(text.to(self.selection.empty), is_word)
        chosen = self.selection(tokens.flatten(1, 2), words, counts).unflatten(1, tokens.shape[1:3])
        return pooled(chosen, self.pooling, self.peak, self.norm, seen)

    def select(
        self,
        trunk: Float[Tensor, "batch n trunk_dim"],
        present: Bool[Tensor, "batch n"],
        text: Float[Tensor, "batch tokens text_dim"],
        is_word: Bool[Tensor, "batch tokens"],
        seen: Float[Tensor, "batch n patches"] | None = None,
    ) -> Float[Tensor, "batch n dim"]:
        """Frames that are not present give zeros, a row without a word the sync encoder's own features."""
        tokens, is_named = trunk.unflatten(-1, (-1, self.trunk.dim)), is_word.any(1)
        features = self.selected(tokens, text, is_word, seen)
        if not is_named.all():
            own = pooled(tokens, self.trunk.pooling, self.trunk.peak, self.trunk.norm, seen)
            features = torch.where(is_named[:, None, None], features, own)
        return torch.where(present[..., None], features, 0.0).to(trunk)

    def encode(self, frames: UInt8[Tensor, "batch time 3 height width"]) -> Float[Tensor, "batch n trunk_dim"]:
        """The trunk, row by row."""
        return encoded_by_rows(self, frames)

    def stream(self, live: bool = False) -> SyncStream:
        return self.trunk.token_stream(live)

    def mask_stream(self) -> SyncStream:
        return self.trunk.mask_stream()

    def trained_parameters(self) -> Iterator[nn.Parameter]:
        """What stage 1 trains: the selection and the pooling."""
        return (value for name, value in self.named_parameters() if not name.startswith(TRUNK))

    @property
    def inputs(self) -> Inputs:
        trunk = self.trunk
        return Inputs(Frames(trunk.rate, trunk.height, trunk.width), text=True, words=WORDS)

    @property
    def outputs(self) -> Outputs:
        return self.trunk.outputs
