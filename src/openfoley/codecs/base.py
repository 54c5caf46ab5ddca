"""What a codec declares and does: sound to a sequence of latents and back, and decoding of endless sequences in chunks.

Latent n covers the samples [hop n, hop (n + 1)); an impulse at sample n comes back at sample n.
"""

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

Sound = Float[Tensor, "batch channels time"]  # in -1..1
Latents = Float[Tensor, "batch latents dim"]
ChannelsFirst = Float[Tensor, "batch dim latents"]  # as the networks have them, before normalisation


class Codec(Protocol):
    """sample_rate in Hz, hop_length in samples per latent, latent_rate = sample_rate / hop_length in Hz exactly.

    decoder_context: latents on either side of latent n that its samples can depend on.
    """

    sample_rate: int
    hop_length: int
    channels: int
    latent_dim: int
    decoder_context: int

    @property
    def latent_rate(self) -> Fraction: ...

    def encode(self, samples: Sound) -> Latents:
        """ceil(time / hop_length) latents, zero mean per channel and a mean variance of 1 over the training data; the
        posterior's mean, so the same sound gives the same latents."""
        ...

    def decode(self, latent: Latents) -> Sound:
        """latents * hop_length samples."""
        ...


@runtime_checkable
class DecodesParts(Protocol):
    """A codec that spares the samples of the context, where only its middle is costly."""

    def decode_part(self, latent: Latents, first: int, end: int) -> Sound:
        """The samples of latents first .. end - 1."""
        ...


class NormalisedCodec(nn.Module, ABC):
    """What our codecs share: latents of zero mean and unit variance per channel."""

    latent_mean: Float[Tensor, " dim"]  # over the training data, of the posterior's mean
    latent_std: Float[Tensor, " dim"]

    def __init__(self, sample_rate: int, hop_length: int, latent_dim: int) -> None:
        super().__init__()
        self.sample_rate, self.hop_length, self.latent_dim = sample_rate, hop_length, latent_dim
        self.register_buffer("latent_mean", torch.zeros(latent_dim))
        self.register_buffer("latent_std", torch.ones(latent_dim))

    @property
    def latent_rate(self) -> Fraction:
        return Fraction(self.sample_rate, self.hop_length)

    @abstractmethod
    def posterior(self, samples: Sound) -> tuple[ChannelsFirst, ChannelsFirst]:
        """Mean and standard deviation; the end is padded with silence to a whole latent."""

    def encode(self, samples: Sound) -> Latents:
        mean, _ = self.posterior(samples)
        return (mean.mT - self.latent_mean) / self.latent_std

    def unnormalised(self, latent: Latents) -> ChannelsFirst:
        return (latent * self.latent_std + self.latent_mean).mT


class StreamingDecoder:
    """Decodes an endless latent sequence in chunks: the joined result is the unchunked one.

    Each chunk is decoded with `decoder_context` real latents on both sides, whose samples are thrown away; so pushing
    n latents gives the samples of all latents that have their whole right context, and `flush` the rest.
    chunk: latents decoded at once at least; larger wastes less on context and holds more memory.
    """

    def __init__(self, codec: Codec, chunk: int = 256) -> None:
        self.codec = codec
        self.chunk = chunk
        self._left = 0  # latents in the buffer whose samples are out already
        self._buffer: Tensor | None = None

    def push(self, latent: Latents) -> Sound:
        """The samples that are ready, perhaps none. One sequence at a time."""
        self._buffer = latent if self._buffer is None else torch.cat([self._buffer, latent], 1)
        ready = self._buffer.shape[1] - self._left - self.codec.decoder_context
        return self._decode(ready) if ready >= self.chunk else self._nothing(latent)

    def flush(self) -> Sound:
        """The samples of the last latents; the decoder is as new afterwards."""
        if self._buffer is None:
            raise ValueError("nothing was pushed; push latents before flush")
        samples = self._decode(self._buffer.shape[1] - self._left)
        self._buffer, self._left = None, 0
        return samples

    @property
    def state(self) -> tuple[Latents | None, int]:
        """What it holds; `restore` in another decoder continues from there, to the bit."""
        return self._buffer, self._left

    def restore(self, buffer: Latents | None, left: int) -> None:
        self._buffer, self._left = buffer, left

    def _decode(self, count: int) -> Tensor:
        """Samples of the next `count` latents; afterwards only what is needed as left context is kept."""
        assert self._buffer is not None
        context, hop = self.codec.decoder_context, self.codec.hop_length
        end = self._left + count
        near = self._buffer[:, : end + context]
        if isinstance(self.codec, DecodesParts):
            samples = self.codec.decode_part(near, self._left, end)
        else:
            samples = self.codec.decode(near)[..., self._left * hop : end * hop]
        first = max(0, end - context)
        self._buffer, self._left = self._buffer[:, first:], end - first
        return samples

    def _nothing(self, latent: Tensor) -> Tensor:
        return latent.new_zeros(latent.shape[0], self.codec.channels, 0)
