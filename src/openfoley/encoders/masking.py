"""A mask over an encoder's patches: what of the picture its features may come from.

The mask acts where the patches' tokens are pooled into one feature, behind the trunk, which is computed once for all
masks, and behind the block in which a text selects, where a token meets words alone and never another token. A patch
of which the share s is seen, relative to the patch of its picture that is seen most, has log s added to its attention
logits: its weight is multiplied by s, and a hidden patch has none.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

MOSTLY = 0.5  # relative share from which a patch may be the one whose largest value is taken


def patch_shares(
    mask: Float[Tensor, "batch frames 3 height width"], patch_size: int
) -> Float[Tensor, "batch frames patches"]:
    """Pictures of a mask in 0..1 (hidden..seen; three equal channels) -> the seen share of each patch."""
    shares = F.avg_pool2d(mask[:, :, 0], patch_size)
    return shares.flatten(2)


def relative(seen: Float[Tensor, "*axes patches"]) -> Float[Tensor, "*axes patches"]:
    """Shares relative to the largest of each picture. Where nothing is seen nothing is hidden: the caller puts the
    tokens of an empty picture there (`synthesis.conditions`)."""
    largest = seen.amax(-1, keepdim=True)
    return torch.where(largest > 0, seen / largest, 1.0)


def attention_bias(seen: Float[Tensor, "*axes patches"]) -> Float[Tensor, "*axes patches"]:
    """What is added to the logits of each patch: 0 to -inf."""
    return relative(seen).log()


def mostly_seen(seen: Float[Tensor, "*axes patches"]) -> Bool[Tensor, "*axes patches"]:
    """The patches for a maximum; at least one in each picture."""
    return relative(seen) >= MOSTLY
