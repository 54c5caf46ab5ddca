"""Pictures of several things from pictures of one: auto-mixing (SelVA, arXiv 2512.02650, section 3).

SelVA puts a target and a partner side by side, the target always on the left, with one share of the width a batch.
Here each item draws its own layout, share and place: beside, above, in one of four panels, or pasted with a soft edge
on the partner. Mixing is done on the frames themselves (0..255), so that encoders normalise once; what bicubic
resizing overshoots is clamped.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

Layout = Literal["beside", "stacked", "quads", "pasted"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
PARTNERS: dict[Layout, int] = {"beside": 1, "stacked": 1, "quads": 3, "pasted": 1}
SOFT_EDGE = 0.15  # of a pasted ellipse's radius: where it fades
Pictures = UInt8[Tensor, "time 3 height width"]


@dataclass(frozen=True)
class Mixing:
    """probability: of an item to be mixed. least: of the sides, what target and partners have at least (the paper's
    lower bound of 0.2, for both and without a point mass there). alpha: of the Beta distribution between."""

    probability: float = 0.75
    layouts: tuple[Layout, ...] = LAYOUTS
    least: float = 0.2
    alpha: float = 1.0


@dataclass(frozen=True)
class Mix:
    """share: of the width, height or both that the target has. place: side (0, 1) or panel (0..3, by rows) of the
    target; for a pasted one 0: the target, 1: the partner. at: the pasted one's corner, in shares of the free room."""

    layout: Layout
    share: float
    place: int
    at: tuple[float, float]


def draw_mix(mixing: Mixing, random: torch.Generator) -> Mix | None:
    """The layout of one item; None: it stays alone."""

    def uniform() -> float:
        return float(torch.rand((), generator=random))

    if uniform() >= mixing.probability:
        return None
    layout = mixing.layouts[int(uniform() * len(mixing.layouts))]
    share = mixing.least + (1 - 2 * mixing.least) * _beta(mixing.alpha, random)
    return Mix(layout, share, int(uniform() * (PARTNERS[layout] + 1)), (uniform(), uniform()))


def mixed(target: Pictures, partners: UInt8[Tensor, "partners time 3 height width"], mix: Mix) -> Pictures:
    """The target among its partners (`PARTNERS` of them), as large as each."""
    height, width = target.shape[-2:]
    if mix.layout == "pasted":
        over, under = (target, partners[0]) if mix.place == 0 else (partners[0], target)
        return _pasted(over, under, mix)
    columns = 1 if mix.layout == "stacked" else 2
    left = width if columns == 1 else _edge(mix.share, width, is_first=mix.place % 2 == 0)
    top = height if mix.layout == "beside" else _edge(mix.share, height, is_first=mix.place < columns)
    sizes = [(h, w) for h in (top, height - top) for w in (left, width - left) if h > 0 and w > 0]
    shown = [*partners]
    shown.insert(mix.place, target)
    panels = [_whole(squeezed(one.float(), *size)) for one, size in zip(shown, sizes, strict=True)]
    rows = [torch.cat(panels[k : k + columns], -1) for k in range(0, len(panels), columns)]
    return torch.cat(rows, -2)


def squeezed(
    pictures: Float[Tensor, "time 3 height width"], high: int, wide: int
) -> Float[Tensor, "time 3 {high} {wide}"]:
    """All of the pictures in another size, bicubic with antialiasing; not clamped."""
    return F.interpolate(pictures, size=(high, wide), mode="bicubic", antialias=True, align_corners=False)


def ellipse(high: int, wide: int) -> Float[Tensor, "{high} {wide}"]:
    """Opacity 1 in an ellipse that fills the box, fading to 0 at its edge."""
    y = (torch.arange(high) + 0.5) / high * 2 - 1
    x = (torch.arange(wide) + 0.5) / wide * 2 - 1
    return ((1 - (x.square() + y[:, None].square()).sqrt()) / SOFT_EDGE).clamp(0, 1)


def _pasted(over: Pictures, under: Pictures, mix: Mix) -> Pictures:
    """A smaller picture on another, with an alpha mask."""
    height, width = under.shape[-2:]
    share = mix.share if mix.place == 0 else 1 - mix.share
    high, wide = round(share * height), round(share * width)
    top, left = round(mix.at[1] * (height - high)), round(mix.at[0] * (width - wide))
    result, opacity = under.clone(), ellipse(high, wide).to(under.device)
    box = result[..., top : top + high, left : left + wide]
    box.copy_(_whole(torch.lerp(box.float(), squeezed(over.float(), high, wide), opacity)))
    return result


def _edge(share: float, size: int, *, is_first: bool) -> int:
    """Where the target's panel meets the next."""
    own = int(share * size)
    return own if is_first else size - own


def _whole(values: Float[Tensor, "time 3 height width"]) -> UInt8[Tensor, "time 3 height width"]:
    return values.round().clamp(0, 255).to(torch.uint8)


def _beta(alpha: float, random: torch.Generator) -> float:
    """Beta(alpha, alpha) from uniform numbers (Johnk's method), which a generator seeds."""
    while True:
        x, y = (torch.rand(2, generator=random, dtype=torch.float64) ** (1 / alpha)).tolist()
        if 0 < x + y <= 1:
            return x / (x + y)
