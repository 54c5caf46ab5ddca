"""Sigmoid contrastive loss (Zhai et al. 2023, arXiv 2303.15343; SALSA-V Eq. 1, arXiv 2510.02916, section 3.1):

    L = -1/|B| sum_i sum_j log 1 / (1 + exp(z_ij (-t x_i . y_j + b)))

with z = 1 for a pair and -1 for a stranger; t and b are learned. Note the sign: b is taken from the logit t x.y.
Beyond the paper z may be 0: that pair is left out (it is neither, for example two moments of silence).
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor, nn

START_TEMPERATURE = 10.0  # arXiv 2303.15343, section 3.2: t' = log 10
START_BIAS = 10.0  # the same: b = -10 added to the logit; Eq. 1 of SALSA-V subtracts it


def siglip_loss(
    first: Float[Tensor, "n dim"],
    second: Float[Tensor, "m dim"],
    pairs: Num[Tensor, "n m"],
    scale: Float[Tensor, ""],
    bias: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """first and second of length 1, pairs in {1, -1, 0}, scale: t; a mean over the n rows."""
    logits = scale * first @ second.T - bias
    labels = pairs.to(logits.dtype)
    # log 1/(1 + exp(-z l)) = logsigmoid(z l); |z| removes the pairs that are left out
    return -(F.logsigmoid(labels * logits) * labels.abs()).sum() / len(first)


class SiglipLoss(nn.Module):
    """The loss with its two learned numbers; features of any length come in and are brought to length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.log_temperature = nn.Parameter(torch.tensor(math.log(START_TEMPERATURE)))
        self.bias = nn.Parameter(torch.tensor(START_BIAS))

    def forward(
        self, first: Float[Tensor, "n dim"], second: Float[Tensor, "m dim"], pairs: Num[Tensor, "n m"]
    ) -> Float[Tensor, ""]:
        first, second = F.normalize(first.float(), dim=-1), F.normalize(second.float(), dim=-1)
        return siglip_loss(first, second, pairs, self.log_temperature.exp(), self.bias)
