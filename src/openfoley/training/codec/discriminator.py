"""Spectrogram discriminators for larger codec trainings (Encodec, arXiv 2210.13438, section 3.4).

Each takes the complex spectrum of one resolution as an image and gives one score per patch; hinge loss, and
the distance between its features of the true and of the decoded sound (feature matching).
"""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

SLOPE = 0.1  # of the leaky rectifiers


Judged = list[list[Float[Tensor, "batch _ _ _"]]]  # frames of another number at each resolution
"""The features of every layer of every judge."""


class SpectrogramJudge(nn.Module):
    """Sound -> the features of every layer, the last being the scores [batch, 1, frames, bands]."""

    def __init__(self, window: int, channels: int, width: int) -> None:
        super().__init__()
        self.window = window
        layers: list[nn.Module] = [nn.Conv2d(2 * channels, width, (3, 9), padding=(1, 4))]
        for dilation in (1, 2, 4):
            layers.append(nn.Conv2d(width, width, (3, 9), stride=(1, 2), dilation=(dilation, 1), padding=(dilation, 4)))
        layers += [nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, 1, 3, padding=1)]
        self.layers = nn.ModuleList(weight_norm(layer) for layer in layers)

    def forward(self, samples: Float[Tensor, "batch channels time"]) -> list[Float[Tensor, "batch _ frames _"]]:
        shape = torch.hann_window(self.window, device=samples.device)
        spectrum = torch.stft(
            samples.flatten(0, 1), self.window, self.window // 4, window=shape, normalized=True, return_complex=True
        )
        parts = torch.view_as_real(spectrum)
        hidden = rearrange(parts, "(b c) bins frames part -> b (c part) frames bins", b=len(samples))
        features = []
        for layer in self.layers:
            hidden = layer(hidden)
            features.append(hidden)
            hidden = functional.leaky_relu(hidden, SLOPE)
        return features


class Discriminator(nn.Module):
    """One judge per window length (samples)."""

    def __init__(self, windows: Sequence[int], channels: int, width: int) -> None:
        super().__init__()
        self.judges = nn.ModuleList(SpectrogramJudge(window, channels, width) for window in windows)

    def forward(self, samples: Float[Tensor, "batch channels time"]) -> Judged:
        return [judge(samples) for judge in self.judges]


def judge_loss(true: Judged, decoded: Judged) -> Float[Tensor, ""]:
    """Hinge: scores of true sound above 1, of decoded sound below -1."""
    pairs = zip(true, decoded, strict=True)
    losses = [functional.relu(1 - a[-1]).mean() + functional.relu(1 + b[-1]).mean() for a, b in pairs]
    return torch.stack(losses).mean()


def codec_losses(true: Judged, decoded: Judged) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """(adversarial: -score of the decoded sound, feature matching: relative L1 of the features)."""
    adversarial = torch.stack([-features[-1].mean() for features in decoded]).mean()
    distances = [
        (a.detach() - b).abs().mean() / a.detach().abs().mean().clamp(min=1e-6)
        for judged_true, judged in zip(true, decoded, strict=True)
        for a, b in zip(judged_true[:-1], judged[:-1], strict=True)
    ]
    return adversarial, torch.stack(distances).mean()
