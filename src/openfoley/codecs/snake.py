"""BigVGAN's activation (arXiv 2206.04658, section 3.2): snake at twice the rate, between two 12-tap low-pass filters.

Snake is s(u) = u + sin^2(a u) / b. The plain form takes up to half of the network's time; here it is two depthwise
convolutions and a cosine:

1. sin^2(a u) / b = 1 / 2b - cos(2 a u) / 2b.
2. Upsampling x by the zero-stuffed filter is a 6-tap filter for the even and one for the odd samples of u. Scaled by
   2a per channel they give the angle 2 a u at once, as the two rows of a picture of height 2.
3. The constant 1 / 2b and the factor -1 / 2b pass through the filter that goes down again, whose taps sum to one.
4. What is left of snake, u itself, goes up and down unchanged: both filters together are one filter of 11 taps on x.

So y = filter_11 * x + bias - (filters_down / 2b) * cos((2a filters_up) * x), exactly, but for 5 samples at each end,
where the edge values repeat (`Snake._exact`).
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

TAPS = 12  # of the low-pass at twice the rate
LOW_PASS_CUTOFF = 0.25  # of the doubled rate: the Nyquist frequency of the plain one
LOW_PASS_HALF_WIDTH = 0.3
HALF = TAPS // 4  # samples of x on either side of a sample of u
REACH = 2 * HALF - 1  # samples of x on either side that a sample of y depends on
EDGE = 16  # samples whose exact form gives the first (last) REACH of a longer signal
BETA_FLOOR = 1e-9


class Snake(nn.Module):
    """The anti-aliased activation; alpha and beta [channels] are logarithms of a and b."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "batch channels 1 time"]) -> Float[Tensor, "batch channels 1 time"]:
        if x.shape[-1] <= 2 * EDGE:
            return self._exact(x)
        y = self._interior(x)
        first, last = self._exact(torch.cat([x[..., :EDGE], x[..., -EDGE:]])).chunk(2)
        y[..., :REACH] = first[..., :REACH]
        y[..., -REACH:] = last[..., -REACH:]
        return y

    def _interior(self, x: Tensor) -> Tensor:
        """Right everywhere but within REACH of the ends."""
        width = x.shape[1]
        up, down = filters(x.device)
        angle_gain, amplitude = self._gains()
        angle = F.conv2d(x, (up.flip(0) * angle_gain).to(x.dtype), padding=(1, HALF), groups=width)
        cosine = angle.cos() if angle.requires_grad else angle.cos_()
        y = F.conv2d(
            cosine, (-down * amplitude).to(x.dtype), amplitude.flatten().to(x.dtype), padding=(0, HALF), groups=width
        )
        through = round_trip(up, down).expand(width, 1, 1, -1).to(x.dtype)
        return y + F.conv2d(x, through, padding=(0, REACH), groups=width)

    def _exact(self, x: Tensor) -> Tensor:
        """The same with edge values repeated, as the two filters of the plain form do it: first x, then snake's result
        (both phases repeat the first even value on the left, the last odd one on the right)."""
        width = x.shape[1]
        up, down = filters(x.device)
        angle_gain, amplitude = self._gains()
        padded = F.pad(x.float(), (HALF, HALF, 0, 0), mode="replicate")
        u = F.conv2d(padded, up.flip(0).expand(width, 1, -1, -1), padding=(1, 0), groups=width)
        snake = u + amplitude[:, 0] * (1 - (angle_gain[:, 0] * u).cos())
        left = snake[:, :, :1, :1].expand(-1, -1, 2, HALF)
        right = snake[:, :, 1:, -1:].expand(-1, -1, 2, HALF)
        snake = torch.cat([left, snake, right], 3)
        return F.conv2d(snake, down.expand(width, 1, -1, -1), groups=width).to(x.dtype)

    def _gains(self) -> tuple[Tensor, Tensor]:
        """2 a and 1 / 2b, each float32 [channels, 1, 1, 1]."""
        angle_gain = 2 * self.alpha.float().exp()
        amplitude = 0.5 / (self.beta.float().exp() + BETA_FLOOR)
        return angle_gain[:, None, None, None], amplitude[:, None, None, None]


def low_pass(device: torch.device | str = "cpu") -> Float[Tensor, " taps"]:
    """The Kaiser-windowed sinc of TAPS and unit sum (arXiv 2206.04658; Kaiser's formulas for beta)."""
    attenuation = 2.285 * (TAPS // 2 - 1) * math.pi * 4 * LOW_PASS_HALF_WIDTH + 7.95  # dB
    beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)  # for 21 to 50 dB
    beta = 0.1102 * (attenuation - 8.7) if attenuation > 50 else beta
    time = torch.arange(-(TAPS // 2), TAPS // 2, device=device) + 0.5
    window = torch.kaiser_window(TAPS, periodic=False, beta=beta, device=device)
    taps = 2 * LOW_PASS_CUTOFF * window * torch.sinc(2 * LOW_PASS_CUTOFF * time)
    return taps / taps.sum()


def filters(device: torch.device | str = "cpu") -> tuple[Float[Tensor, "2 offsets"], Float[Tensor, "2 offsets"]]:
    """Up and down: even and odd samples, offsets -HALF .. HALF.

    With the low-pass h, u[2n] = 2 sum_k h[5 - 2k] x[n + k] and u[2n + 1] = 2 sum_k h[6 - 2k] x[n + k]; going down,
    y[n] = sum_j h[j] u[2n + j - 5].
    """
    taps = low_pass(device)
    zero = taps.new_zeros(1)
    even, odd = torch.cat([taps[1::2].flip(0), zero]), torch.cat([zero, taps[0::2].flip(0)])
    return 2 * torch.stack([even, odd]), torch.stack([even.flip(0), odd.flip(0)])


def round_trip(up: Float[Tensor, "2 offsets"], down: Float[Tensor, "2 offsets"]) -> Float[Tensor, " taps"]:
    """Up and down without anything between: 2 REACH + 1 taps."""
    size = up.shape[1]
    both = F.conv1d(up[None], down.flip(1)[None].transpose(0, 1), groups=2, padding=size - 1).sum(1)[0]
    return both[both.numel() // 2 - REACH : both.numel() // 2 + REACH + 1]
