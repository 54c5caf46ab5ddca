"""The student of SelVA's first stage, of either size, beside its frozen teacher.

The teacher is an encoder as it is; the student is the same with a selection (`encoders.text_selection`) behind its
trunk and a pooling of its own, which starts as the teacher's: a new student equals its teacher.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import torch
from jaxtyping import Bool, Float, Shaped, UInt8
from torch import Tensor, nn

from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.encoders.selective_synchformer import SelectiveSynchformer, SelectiveSynchformerConfig
from openfoley.encoders.semantic import SemanticEncoder
from openfoley.encoders.semantic_words import SemanticWords
from openfoley.encoders.sync import SyncEncoder
from openfoley.encoders.synchformer import PIXEL_MEAN, PIXEL_STD, SynchformerEncoder
from openfoley.encoders.text_selection import TextSelectionConfig
from openfoley.errors import UsageError
from openfoley.hub.parts import Model
from openfoley.types import WORDS

BRIGHTEST = 255
SYNCHFORMER_FRAMES = 200  # 8 s, 24 segments (SelVA)
Trained = Literal["selection", "all"]
"""What stage 1 trains: selection and pooling behind a frozen trunk (SelVA), or the trunk too."""
Pictures = UInt8[Tensor, "items frames 3 height width"]
Tokens = Float[Tensor, "items n places channels"]
Features = Float[Tensor, "items n dim"]


class WordEncoder(Protocol):
    """Texts to the tokens that select."""

    def encode_words(
        self, texts: Sequence[str]
    ) -> tuple[Float[Tensor, "texts tokens text_dim"], Bool[Tensor, "texts tokens"]]: ...


class Student(Protocol):
    """frames: of an item. Features are those of the items' pictures, one after another."""

    @property
    def network(self) -> SelectiveSync | SelectiveSynchformer: ...
    @property
    def frames(self) -> int: ...
    def tokens(self, pictures: Pictures) -> Tokens:
        """What the trunk sees, with gradients where it is trained."""
        ...

    def taught(self, pictures: Pictures) -> Features:
        """The teacher's."""
        ...

    def unselected(self, tokens: Tokens) -> Features:
        """The teacher's pooling of them."""
        ...

    def selected(
        self, tokens: Tokens, text: Float[Tensor, "items words text_dim"], is_word: Bool[Tensor, "items words"]
    ) -> Features: ...


@dataclass(frozen=True)
class GymStudent:
    """On the Gym's sync encoder, whose snippets are the items."""

    network: SelectiveSync
    teacher: SyncEncoder

    @property
    def frames(self) -> int:
        return self.teacher.config.snippet_frames

    def tokens(self, pictures: Pictures) -> Tokens:
        return self.network.trunk.tokens(self._shown(pictures))

    @torch.no_grad()
    def taught(self, pictures: Pictures) -> Features:
        return self.teacher(self._shown(pictures))

    @torch.no_grad()
    def unselected(self, tokens: Tokens) -> Features:
        return self.teacher.pool(tokens)

    def selected(
        self, tokens: Tokens, text: Float[Tensor, "items words text_dim"], is_word: Bool[Tensor, "items words"]
    ) -> Features:
        return self.network.selected(tokens, text, is_word)

    def _shown(self, pictures: Pictures) -> Float[Tensor, "items frames 3 height width"]:
        return pictures.to(self.network.norm.weight.device).float() / BRIGHTEST


@dataclass(frozen=True)
class SynchformerStudent:
    """On Synchformer. The segments of an item meet its text each for itself. frames: of an item."""

    network: SelectiveSynchformer
    teacher: SynchformerEncoder
    frames: int = SYNCHFORMER_FRAMES

    def tokens(self, pictures: Pictures) -> Tokens:
        return self.network.trunk.tokens(self._segments(pictures)).unflatten(0, (len(pictures), -1)).flatten(1, 2)

    @torch.no_grad()
    def taught(self, pictures: Pictures) -> Features:
        return self.teacher(self._segments(pictures)).unflatten(0, (len(pictures), -1)).flatten(1, 2)

    @torch.no_grad()
    def unselected(self, tokens: Tokens) -> Features:
        return self.teacher.spatial_attn_agg(tokens)

    def selected(
        self, tokens: Tokens, text: Float[Tensor, "items words text_dim"], is_word: Bool[Tensor, "items words"]
    ) -> Features:
        group = self.teacher.config.segment_features
        words, counts = self.network.selection.words(text, is_word)
        segments, each = tokens.unflatten(1, (-1, group)).flatten(0, 1), tokens.shape[1] // group
        features = self.network.selected(segments, words.repeat_interleave(each, 0), counts.repeat_interleave(each, 0))
        return features.unflatten(0, (len(tokens), -1)).flatten(1, 2)

    def _segments(self, pictures: Pictures) -> Float[Tensor, "segments window 3 height width"]:
        shape = self.teacher.config
        device = self.network.trunk.cls_token.device
        windows = pictures.to(device).unfold(1, shape.segment_frames, shape.segment_hop).movedim(-1, 2).flatten(0, 1)
        return (windows.float() / BRIGHTEST - PIXEL_MEAN) / PIXEL_STD


def new_student(model: Model, selection: TextSelectionConfig, seed: int, *, trained: Trained = "selection") -> Student:
    """A selection on the model's sync encoder that changes nothing yet, in a random state of `seed`. UsageError for a
    model whose encoder is none that can learn to select."""
    teacher = model.parts["sync"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        student = _student(teacher, selection, trained)
    if student is None:
        raise UsageError(
            f"{model.name} has no encoder that can learn to select; pass salsa-v-gym, mmaudio-small-16k or a model "
            "like one of them"
        )
    student.network.to(model.device).requires_grad_(trained == "all")
    for weight in student.network.trained_parameters():
        weight.requires_grad_(True)
    return student


def _student(teacher: nn.Module, selection: TextSelectionConfig, trained: Trained) -> Student | None:
    if isinstance(teacher, SyncEncoder):
        return GymStudent(SelectiveSync(teacher if trained == "selection" else deepcopy(teacher), selection), teacher)
    if isinstance(teacher, SynchformerEncoder):
        network = SelectiveSynchformer(SelectiveSynchformerConfig(teacher.config, selection))
        network.trunk.load_state_dict(teacher.state_dict())
        if trained == "selection":
            network.trunk.blocks = teacher.blocks  # frozen: one copy for both
        return SynchformerStudent(network, teacher)
    return None


def word_encoder(model: Model) -> WordEncoder:
    """What a model's selection reads: its T5, else the tokens of its semantic encoder. UsageError if it has neither."""
    if WORDS in model.parts:
        return _checked_words(model.parts[WORDS])
    meaning = model.parts["semantic"]
    if not isinstance(meaning, SemanticEncoder):
        raise UsageError(f"{model.name} has no text encoder that a selection reads")
    return SemanticWords(meaning)


def _checked_words(module: nn.Module) -> WordEncoder:
    from openfoley.encoders.t5 import T5TextEncoder

    assert isinstance(module, T5TextEncoder)
    return module


@dataclass(frozen=True)
class KnownWords:
    """The tokens of names, each encoded once."""

    words: WordEncoder

    @cached_property
    def _known(self) -> dict[str, Float[Tensor, "tokens dim"]]:
        return {}

    def encode_words(
        self, texts: Sequence[str]
    ) -> tuple[Float[Tensor, "texts tokens text_dim"], Bool[Tensor, "texts tokens"]]:
        """As the encoder, up to what the padding of a batch rounds."""
        for text in texts:
            if text not in self._known:
                tokens, is_word = self.words.encode_words([text])
                self._known[text] = tokens[0, is_word[0]]
        rows = [self._known[text] for text in texts]
        tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True)
        counts = torch.tensor([len(row) for row in rows], device=tokens.device)
        return tokens, torch.arange(tokens.shape[1], device=tokens.device) < counts[:, None]


class Own:
    """A student's state without what is frozen, for checkpoints and files."""

    def __init__(self, network: SelectiveSync | SelectiveSynchformer) -> None:
        self.network = network
        frozen = {name for name, value in network.named_parameters() if not value.requires_grad}
        trunk = {name for name, _ in network.trunk.named_buffers(prefix="trunk")}
        self.left_out = frozen | (trunk if frozen else set())

    def state_dict(self) -> dict[str, Any]:
        return {key: value for key, value in self.network.state_dict().items() if key not in self.left_out}

    def load_state_dict(self, state_dict: dict[str, Shaped[Tensor, "..."]]) -> None:
        """RuntimeError for other keys or shapes."""
        self.network.load_state_dict({**self.network.state_dict(), **state_dict})
