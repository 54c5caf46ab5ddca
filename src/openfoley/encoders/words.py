"""A prompt as word numbers, for small models whose captions have few words: learned vectors, nothing pretrained.

The video's U-Net attends to a vector for each word; the sound's is given one, the mean, of length 1 (as AudioLDM gets
CLAP's, arXiv 2301.12503).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

PADDING, UNKNOWN = 0, 1
RESERVED = 2
START_DEVIATION = 0.5
"""Of the vectors before training."""


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", text.lower())


def vocabulary_of(captions: Iterable[str]) -> tuple[str, ...]:
    """Their words, in alphabetical order."""
    return tuple(sorted({word for caption in captions for word in words_of(caption)}))


class WordNumbers:
    """longest: words that are read; a longer text is an error of the caller's."""

    def __init__(self, vocabulary: Sequence[str], longest: int) -> None:
        self.vocabulary, self.longest = tuple(vocabulary), longest
        self._numbers = {word: RESERVED + number for number, word in enumerate(self.vocabulary)}

    def __len__(self) -> int:
        return RESERVED + len(self.vocabulary)

    def __call__(self, texts: Sequence[str]) -> Int64[Tensor, "batch words"]:
        rows = [[self._numbers.get(word, UNKNOWN) for word in words_of(text)][: self.longest] for text in texts]
        return torch.tensor([row + [PADDING] * (self.longest - len(row)) for row in rows])

    def unknown(self, text: str) -> list[str]:
        return [word for word in dict.fromkeys(words_of(text)) if word not in self._numbers]


class WordSequence(nn.Module):
    """A vector for each word, by its place."""

    def __init__(self, numbers: WordNumbers, width: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.word = nn.Embedding(len(numbers), width)
        self.place = nn.Parameter(START_DEVIATION * torch.randn(numbers.longest, width))

    def forward(self, texts: Sequence[str]) -> Float[Tensor, "batch words width"]:
        return self.word(self.numbers(texts).to(self.place.device)) + self.place


class WordMean(nn.Module):
    """One vector of length 1; a learned one for a text without words."""

    def __init__(self, numbers: WordNumbers, width: int) -> None:
        super().__init__()
        self.numbers = numbers
        self.word = nn.Embedding(len(numbers), width)
        self.project = nn.Linear(width, width)

    def forward(self, texts: Sequence[str]) -> Float[Tensor, "batch width"]:
        numbers = self.numbers(texts).to(self.word.weight.device)
        is_word: Bool[Tensor, "batch words"] = numbers != PADDING
        is_word[:, 0] |= ~is_word.any(1)  # the padding's vector stands for no words
        weight = is_word.float() / is_word.sum(1, keepdim=True)
        return F.normalize(self.project((self.word(numbers) * weight[..., None]).sum(1)), dim=-1)
