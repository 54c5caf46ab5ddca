"""The ray tracer's kernel: a pixel of a tile from its samples, on CPU or GPU."""
# Warp compiles these functions and checks their types itself; the checker of Python knows neither its structs nor its
# overloads:
# pyright: reportOperatorIssue=false, reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportInvalidTypeForm=false
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false

import warp as wp

from openfoley.gym.bodies.shading import (
    HORIZON_BLUR,
    World,
    backdrop,
    pattern_share,
    reflect_light,
    sky_share,
    sun_share,
)
from openfoley.gym.bodies.shapes import FAR, outward, ray_entry
from openfoley.gym.bodies.tiles import TILE

wp.set_module_options({"enable_backward": False, "fast_math": True})


@wp.struct
class Tile:
    """A tile to trace: its place, samples a pixel, and its parts of the two lists of solids."""

    frame: int
    row: int
    column: int
    samples: int
    seen_first: int
    seen_last: int
    near_first: int
    near_last: int


@wp.func
def trace(
    world: World,
    time: int,
    eye: wp.vec3,
    ray: wp.vec3,
    spread: float,
    tile: Tile,
    seen: wp.array[int],
    near: wp.array[int],
) -> wp.vec3:
    """Linear light along a ray from the eye. spread: angle of a pixel (rad)."""
    best = float(FAR)
    who = int(-1)  # noqa: UP018
    if world.has_ground == 1 and ray[1] < -1.0e-5 and eye[1] > 0.0:
        best = -eye[1] / ray[1]
        who = world.solids
    for i in range(tile.seen_first, tile.seen_last):
        k = seen[i]
        from_center = eye - world.place[time, k]
        along = -wp.dot(from_center, ray)
        reach = world.forms[k].reach
        if along - reach < best and wp.length_sq(from_center + ray * along) < reach * reach:
            turn = wp.transpose(world.turn[time, k])
            entry = ray_entry(world.forms[k], world.planes, turn * from_center, turn * ray)
            if entry > 0.0 and entry < best:
                best = entry
                who = k
    if who < 0:
        return backdrop(world, ray)
    p = eye + ray * best
    normal = wp.vec3(0.0, 1.0, 0.0)
    own_normal = normal
    own_p = p
    open_sky = float(1.0)  # noqa: UP018
    if who < world.solids:
        turn = world.turn[time, who]
        own_p = wp.transpose(turn) * (p - world.place[time, who])
        own_normal = outward(world.forms[who], world.planes, own_p)
        normal = turn * own_normal
        if world.has_ground == 1:
            high = 1.2 * world.forms[who].thickness
            open_sky = 1.0 - 0.6 * wp.clamp(1.0 - (p[1] + normal[1] * high) / high, 0.0, 1.0)
    facing = wp.dot(normal, world.to_sun)
    sunlit = float(1.0)  # noqa: UP018
    for i in range(tile.near_first, tile.near_last):
        k = near[i]
        if k != who:
            if facing > 0.0 and sunlit > 0.0:
                sunlit *= sun_share(world, time, k, p)
            open_sky *= sky_share(world, time, k, p, normal)
    paint = world.paints[who]
    width = best * spread / wp.sqrt(wp.max(-wp.dot(normal, ray), 0.05))
    second = paint.contrast * pattern_share(paint, own_p, own_normal, width)
    base = wp.lerp(paint.color, paint.second, second)
    light = reflect_light(world, paint, base, normal, ray, sunlit, open_sky)
    if who == world.solids:
        light = wp.lerp(world.horizon, light, wp.smoothstep(0.0, HORIZON_BLUR, -ray[1]))
    return light


@wp.kernel
def paint_tiles(
    world: World,
    tiles: wp.array[Tile],
    seen: wp.array[int],
    near: wp.array[int],
    eyes: wp.array[wp.vec3],
    axes: wp.array[wp.mat33],
    subframes: int,
    spread: float,
    picture: wp.array3d[wp.vec3],
):
    """One pixel of one tile. axes: columns right (for one picture width), up (for one height) and ahead."""
    number, pixel = wp.tid()
    tile = tiles[number]
    row = tile.row * TILE + pixel / TILE
    column = tile.column * TILE + pixel % TILE
    height = picture.shape[1]
    width = picture.shape[2]
    if row >= height or column >= width:
        return
    total = wp.vec3(0.0, 0.0, 0.0)
    for sample in range(tile.samples):
        # Hammersley points: sample / count, and the bits of sample mirrored at the point.
        mirrored = float((sample & 1) * 8 + (sample & 2) * 2 + (sample & 4) / 2 + (sample & 8) / 8) / 16.0
        x = (float(column) + (float(sample) + 0.5) / float(tile.samples)) / float(width) - 0.5
        y = 0.5 - (float(row) + mirrored + 0.5 / float(tile.samples)) / float(height)
        time = tile.frame * subframes
        if subframes > 1:
            time += (sample >> 1) & 3  # the bits that leave a sub-frame's own samples spread out
        ray = wp.normalize(axes[time] * wp.vec3(x, y, 1.0))
        total += trace(world, time, eyes[time], ray, spread, tile, seen, near)
    picture[tile.frame, row, column] = total / float(tile.samples)
