"""Pictures of a Stage by ray tracing: one kernel for CPU and GPU, over all frames of a chunk at once.

The picture is cut into tiles. For each tile and frame two lists are made from bounding balls: solids that may be seen
in it, and solids whose shadow or nearness may darken it; a ray meets these only. Where the camera stands still, tiles
without moving solids are traced once. A pixel averages samples in the Hammersley pattern; with motion blur they are
spread over sub-frames too.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
import torch
import warp as wp
from jaxtyping import Float
from torch import Tensor

from openfoley.gym.bodies.kernel_cache import kernel_cache
from openfoley.gym.bodies.pack import pack_world, records
from openfoley.gym.bodies.poses import poses_of
from openfoley.gym.bodies.rays import BLOCK, Lens, Tile, TileLists, paint_tiles
from openfoley.gym.bodies.records import Stage
from openfoley.gym.bodies.shading import World
from openfoley.gym.bodies.tiles import SUBFRAMES, TILE, Work, tile_work
from openfoley.gym.bodies.view import View, view_of
from openfoley.gym.records import Camera


def render_stage(
    stage: Stage,
    camera: Camera,
    times: Float[np.ndarray, " frames"],
    *,
    aspect: float,
    size: tuple[int, int],
    shutter_s: float,
    device: torch.device,
) -> Float[Tensor, "frames height width 3"]:
    """Linear light of a stage at these times (s). size: (height, width) in pixels of a picture `aspect` times as wide
    as high; shutter_s: how long the shutter is open around each time, 0 for no motion blur."""
    start()
    parts = SUBFRAMES if shutter_s > 0 else 1
    moments = (times[:, None] + shutter_s * ((np.arange(parts) + 0.5) / parts - 0.5)).reshape(-1)
    view, poses = view_of(camera, aspect, moments), poses_of(stage.solids, moments)
    picture = torch.empty(len(times), *size, 3, dtype=torch.float32, device=device)
    world = pack_world(stage, poses, parts, wp.device_from_torch(picture.device))  # with its number, unlike `device`
    work = tile_work(stage, poses, view, len(times), size)
    marks = torch.empty(len(times), *size, 2, dtype=torch.float32, device=device)
    if work.plate is not None:
        _paint(world, work.plate, view, picture[:1], marks[:1])
        picture[1:], marks[1:] = picture[0], marks[0]
    _paint(world, work.frames, view, picture, marks)
    return picture


def _paint(world: World, work: Work, view: View, picture: Tensor, marks: Tensor) -> None:  # pyright: ignore[reportGeneralTypeIssues]
    """Trace these tiles into picture [frames, height, width, 3], in place. marks [frames, height, width, 2]: what the
    middle of each pixel shows, as `rays.has_edge` reads it."""
    if not len(work.tiles):
        return
    device = wp.device_from_torch(picture.device)
    axes = np.stack([view.right * view.aspect / view.focal, view.up / view.focal, view.ahead], axis=-1)
    lists, lens = TileLists(), Lens()
    lists.tiles = records(Tile, dict(zip(Tile.numpy_dtype()["names"], work.tiles.T, strict=True)), device)
    lists.seen, lists.near = (wp.array(which, dtype=int, device=device) for which in (work.seen, work.near))
    lens.eyes = wp.array(view.eye.astype(np.float32), dtype=wp.vec3, device=device)
    lens.axes = wp.array(axes.astype(np.float32), dtype=wp.mat33, device=device)
    lens.subframes = work.subframes
    targets = [wp.from_torch(marks, dtype=wp.vec2), wp.from_torch(picture, dtype=wp.vec3)]
    stream = wp.stream_from_torch(picture.device) if device.is_cuda else None
    for refine, side in ((0, 2), (1, int(BLOCK))):
        given = [world, lists, lens, refine, *targets]
        wp.launch(paint_tiles, dim=(len(work.tiles), (TILE // side) ** 2), inputs=given, device=device, stream=stream)


@cache
def start() -> None:
    """Start Warp, once, without its greeting and, on a machine without a GPU, its warning that there is none."""
    wp.config.log_level = wp.LOG_ERROR
    if wp.config.kernel_cache_dir is None and not os.environ.get("WARP_CACHE_PATH"):
        wp.config.kernel_cache_dir = str(kernel_cache())
    with _native_warnings_dropped():
        wp.init()


@contextmanager
def _native_warnings_dropped() -> Iterator[None]:
    """Warp's native library writes to the process's error stream itself, whatever its log level."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
