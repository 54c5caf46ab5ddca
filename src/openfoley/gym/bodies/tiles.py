"""Which tiles of the picture are traced, and against which solids."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Bool, Float, Int

from openfoley.gym.bodies.poses import Poses, bounds, box_corners, reach, thickness
from openfoley.gym.bodies.records import Stage
from openfoley.gym.bodies.view import Boxes, View

TILE = 8
SUBFRAMES = 4
SAMPLES, BLURRED_SAMPLES = 4, 8
"""Samples a pixel, usually and where something moves while the shutter is open."""
SMALL = ((3.0, 8), (2.0, 16))
"""Radius in pixels below which a solid (a ball of its size) is given at least so many samples a pixel: a hundred in
all, so that its few pixels do not flicker."""
SHARP = 0.01
"""Radius of the sun (rad) below which its share is computed for every sample."""
NEAR_SHARE = 0.8
"""How far from a body the sky is occluded (at most twice this), as a share of its thickness."""
FAINT = 0.03
"""Share of the sun below which what a body takes from it is left out."""
LOWEST_SUN = 0.05
"""Sine of the sun's height from which on shadows are taken as this long."""
NOTHING = (1.0, 0.0, 1.0, 0.0)
"""An empty box."""
Mask = Bool[np.ndarray, "frames rows columns solids"]
"""Which solids count in which tile of which frame."""


@dataclass(frozen=True)
class Work:
    """tiles: the fields of `rays.Tile`; seen, near: the lists of which each tile has a part."""

    tiles: Int[np.ndarray, "tiles 10"]
    seen: Int[np.ndarray, " seen"]
    near: Int[np.ndarray, " near"]
    subframes: int


@dataclass(frozen=True)
class TileWork:
    """frames: what is traced in every frame; plate: all tiles of frame 0 without moving solids (None: the camera moves,
    every tile is in `frames`)."""

    frames: Work
    plate: Work | None


@dataclass(frozen=True)
class Sizes:
    """Of each solid (m): radii of the balls around it and within it, half extents, how far it occludes the sky."""

    reach: Float[np.ndarray, " solids"]
    thickness: Float[np.ndarray, " solids"]
    half: Float[np.ndarray, "solids 3"]

    def faint(self, softness: float) -> Float[np.ndarray, " solids"]:
        """Beyond what way (m) a solid takes less than FAINT of a sun of this radius (rad): min(1, w / x) min(1, r / x)
        at x = way * softness, where w and r are its width and its reach."""
        width, reach = np.sort(self.half, axis=1)[:, 1], self.reach
        at = np.where(reach * FAINT <= width, np.sqrt(width * reach / FAINT), width / FAINT)
        return at / max(softness, 1e-6)

    @property
    def near(self) -> Float[np.ndarray, " solids"]:
        return 2 * NEAR_SHARE * self.thickness


def _sizes(stage: Stage) -> Sizes:
    shapes = [solid.shape for solid in stage.solids]
    around, within = (np.array([radius(shape) for shape in shapes], dtype=float) for radius in (reach, thickness))
    return Sizes(around, within, np.array([bounds(shape) for shape in shapes], dtype=float).reshape(-1, 3))


def tile_work(stage: Stage, poses: Poses, view: View, frames: int, size: tuple[int, int]) -> TileWork:
    """size: (height, width) in pixels. The times of poses and view are those of the frames' sub-frames, in order."""
    sizes = _sizes(stage)
    seen = _covered(_outlines(poses, view, sizes), poses.shown, frames, size)
    count, parts = len(stage.solids), len(view.eye) // frames
    beside = _neighbours(stage, poses, sizes).reshape(frames, parts, count, count).any(1)
    near = np.einsum("frcs,fsn->frcn", seen.astype(np.float32), beside.astype(np.float32), optimize=True) > 0
    near &= _covered(_swept(stage, poses, view, sizes), poses.shown, frames, size)
    if stage.ground is not None:
        for corners in _on_ground(stage, poses, sizes):
            near |= _covered(view.boxes_of_points(corners), poses.shown, frames, size)
    moving = poses.moving
    steady = ~np.any((seen | near) & moving, axis=-1)
    blurred = np.any(seen & moving, axis=-1) & (parts > 1)
    samples = np.where(blurred, BLURRED_SAMPLES, SAMPLES)
    swept = np.any(near & moving, axis=-1) & (parts > 1) & (stage.light.softness < SHARP)
    depth = ((poses.place - view.eye[:, None]) * view.ahead[:, None]).sum(-1)[::parts]
    metre = view.focal * size[0] / np.maximum(depth, 0.01)  # in pixels
    for radius, least in SMALL:
        small = seen & (np.sqrt(sizes.reach * sizes.thickness) * metre < radius)[:, None, None]
        samples = np.where(small.any(-1), np.maximum(samples, least), samples)
    tiles = np.stack([samples, swept, steady], axis=-1)
    if not view.still:
        return TileWork(_work(seen, near, tiles, np.ones_like(steady), parts), None)
    plate = _work(seen[:1] & ~moving, near[:1] & ~moving, tiles[:1] | (0, 0, 1), np.ones_like(steady[:1]), parts)
    return TileWork(_work(seen, near, tiles, ~steady, parts), plate)


def _work(seen: Mask, near: Mask, tiles: np.ndarray, chosen: np.ndarray, subframes: int) -> Work:
    """The chosen tiles with their lists. tiles [frames, rows, columns, 3]: samples, swept, steady."""
    columns, lists = [np.argwhere(chosen), tiles[chosen]], []
    for mask in (seen[chosen], near[chosen]):
        ends = np.cumsum(mask.sum(-1))
        columns.append(np.stack([ends - mask.sum(-1), ends], axis=1))
        lists.append(np.concatenate([np.nonzero(mask)[1], [0]]).astype(np.int32))  # never empty
    return Work(np.concatenate(columns, axis=1).astype(np.int32), lists[0], lists[1], subframes)


def _outlines(poses: Poses, view: View, sizes: Sizes) -> Boxes:
    """What each solid covers at most: both the ball and the box around it."""
    box, ball = view.boxes_of_points(box_corners(poses, sizes.half)), view.boxes(poses.place, sizes.reach[None])
    least, most = np.maximum(box, ball), np.minimum(box, ball)
    return np.stack([least[..., 0], most[..., 1], least[..., 2], most[..., 3]], axis=-1)


def _covered(boxes: Boxes, shown: np.ndarray, frames: int, size: tuple[int, int]) -> Mask:
    """Tiles that a box touches in one of a frame's sub-frames."""
    times, solids = boxes.shape[:2]
    boxes = np.where(shown[..., None], boxes, NOTHING).reshape(frames, times // frames, solids, 4)
    left, right, top, bottom = boxes[..., 0].min(1), boxes[..., 1].max(1), boxes[..., 2].min(1), boxes[..., 3].max(1)
    rows, columns = ((np.arange(-(-n // TILE)) * TILE / n)[None, :, None] for n in size)
    high, wide = TILE / size[0], TILE / size[1]
    in_row = (rows <= bottom[:, None]) & (rows + high >= top[:, None]) & (top < bottom)[:, None]
    in_column = (columns <= right[:, None]) & (columns + wide >= left[:, None]) & (left < right)[:, None]
    return in_row[:, :, None] & in_column[:, None]


def _neighbours(stage: Stage, poses: Poses, sizes: Sizes) -> Bool[np.ndarray, "times solids solids"]:
    """[time, a, b]: b may shade a, as it is beside it or towards the sun."""
    apart = poses.place[:, None] - poses.place[:, :, None]  # from a to b
    both = sizes.reach[:, None] + sizes.reach
    beside = np.linalg.norm(apart, axis=-1) < both + sizes.near
    along = apart @ np.array(stage.light.direction)
    aside = np.sqrt(np.maximum((apart**2).sum(-1) - along**2, 0))
    shades = (along > -both) & (along < both + sizes.faint(stage.light.softness))
    shades &= aside < both + stage.light.softness * np.maximum(along + both, 0)
    return (beside | shades) & poses.shown[:, None] & ~np.eye(len(sizes.reach), dtype=bool)


def _ways(stage: Stage, poses: Poses, sizes: Sizes) -> Float[np.ndarray, "times solids"]:
    """How far (m) a solid's shadow goes: to the ground, or beyond all solids if there is none, or until it is faint."""
    faint = sizes.faint(stage.light.softness) + sizes.reach
    if stage.ground is None:
        across = np.ptp(poses.place, axis=(0, 1)).sum() + 2 * sizes.reach.max() if poses.place.size else 0.0
        return np.minimum(np.full(poses.shown.shape, across), faint)
    return np.minimum(_to_ground(stage, poses, sizes), faint)


def _to_ground(stage: Stage, poses: Poses, sizes: Sizes) -> Float[np.ndarray, "times solids"]:
    return (np.maximum(poses.place[..., 1], 0) + sizes.reach) / max(stage.light.direction[1], LOWEST_SUN)


def _swept(stage: Stage, poses: Poses, view: View, sizes: Sizes) -> Boxes:
    """What each solid's shadow passes through, and the space beside the solid."""
    ways = _ways(stage, poses, sizes)
    beside = box_corners(poses, sizes.half + sizes.near[:, None])
    ends = box_corners(poses, sizes.half + (stage.light.softness * ways)[..., None])
    ends -= np.array(stage.light.direction) * ways[..., None, None]
    return view.boxes_of_points(np.concatenate([beside, ends], axis=2))


def _on_ground(stage: Stage, poses: Poses, sizes: Sizes) -> list[Float[np.ndarray, "times solids 4 3"]]:
    """Corners of rectangles on the ground that hold each solid's shadow, and the ground beside each solid that occludes
    the sky."""
    sun = np.array(stage.light.direction)
    ways = _to_ground(stage, poses, sizes)
    shadow = box_corners(poses, sizes.half + (stage.light.softness * ways)[..., None])
    shadow = shadow - sun * (shadow[..., 1:2] / max(float(sun[1]), LOWEST_SUN))
    fades = ways - 2 * sizes.reach > sizes.faint(stage.light.softness)
    shadow = np.where(fades[..., None, None], poses.place[:, :, None], shadow)
    beside = box_corners(poses, sizes.half + sizes.near[:, None])
    low = beside[..., 1].min(-1) < 0
    beside = np.where(low[..., None, None], beside, poses.place[:, :, None])
    return [_rectangle(points, side) for points, side in ((shadow, sun), (beside, np.array([1.0, 0.0, 0.0])))]


def _rectangle(
    points: Float[np.ndarray, "times solids n 3"], side: np.ndarray
) -> Float[np.ndarray, "times solids 4 3"]:
    """Corners of the rectangle on the ground around points, one side of it along the direction `side`."""
    flat = np.array([side[0], 0.0, side[2]]) + (1e-6, 0, 0)
    along = flat / np.linalg.norm(flat)
    across = np.array([-along[2], 0.0, along[0]])
    sides = [(axis, points @ axis) for axis in (along, across)]
    ends = [[axis * end[..., None] for end in (at.min(-1), at.max(-1))] for axis, at in sides]
    return np.stack([a + b for a, b in product(*ends)], axis=2)
