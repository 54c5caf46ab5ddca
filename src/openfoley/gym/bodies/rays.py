"""The ray tracer's kernel: a pixel of a tile from its samples, on CPU or GPU."""
# Warp compiles these functions and checks their types itself; the checker of Python knows neither its structs nor its
# overloads:
# pyright: reportOperatorIssue=false, reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportInvalidTypeForm=false
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false

import warp as wp

from openfoley.gym.bodies.shading import (
    GRAIN,
    HORIZON_BLUR,
    OCCLUSION,
    World,
    backdrop,
    pattern_share,
    reflect_light,
    sky_share,
    sun_share,
)
from openfoley.gym.bodies.shapes import FAR, outward, ray_entry
from openfoley.gym.bodies.tiles import SOFT, TILE

GROUND_SHARE = wp.constant(1.2)
"""Height up to which the ground occludes a solid's sky, as a share of its thickness."""
SAME_NORMAL = wp.constant(0.95)
SHARP = wp.constant(SOFT)

wp.set_module_options({"enable_backward": False, "fast_math": True})


@wp.struct
class Tile:
    """A tile to trace: its place, samples a pixel, and its parts of the two lists of solids."""

    frame: int
    row: int
    column: int
    samples: int
    steady: int  # 1 where nothing moves during the exposure but the camera
    seen_first: int
    seen_last: int
    near_first: int
    near_last: int


@wp.struct
class Hit:
    """What a ray meets: the solid's number (the ground's is the number of solids, that of the sky -1), where, its
    normal; place and normal in the solid's own axes too."""

    who: int
    way: float
    p: wp.vec3
    normal: wp.vec3
    own_p: wp.vec3
    own_normal: wp.vec3


@wp.struct
class Shade:
    """Shares of sun and sky that reach a point, and whose point it was."""

    who: int
    time: int
    normal: wp.vec3
    sun: float
    sky: float


@wp.func
def first_hit(world: World, time: int, eye: wp.vec3, ray: wp.vec3, tile: Tile, seen: wp.array[int]) -> Hit:
    hit = Hit()
    hit.way = FAR
    hit.who = -1
    if world.has_ground == 1 and ray[1] < -1.0e-5 and eye[1] > 0.0:
        hit.way = -eye[1] / ray[1]
        hit.who = world.solids
    for i in range(tile.seen_first, tile.seen_last):
        k = seen[i]
        from_center = eye - world.place[time, k]
        along = -wp.dot(from_center, ray)
        reach = world.forms[k].reach
        if along - reach < hit.way and wp.length_sq(from_center + ray * along) < reach * reach:
            turn = wp.transpose(world.turn[time, k])
            entry = ray_entry(world.forms[k], world.planes, turn * from_center, turn * ray)
            if entry > 0.0 and entry < hit.way:
                hit.way = entry
                hit.who = k
    hit.p = eye + ray * hit.way
    hit.normal = wp.vec3(0.0, 1.0, 0.0)
    hit.own_p = hit.p
    hit.own_normal = hit.normal
    if hit.who >= 0 and hit.who < world.solids:
        turn = world.turn[time, hit.who]
        hit.own_p = wp.transpose(turn) * (hit.p - world.place[time, hit.who])
        hit.own_normal = outward(world.forms[hit.who], world.planes, hit.own_p)
        hit.normal = turn * hit.own_normal
    return hit


@wp.func
def shade(world: World, time: int, hit: Hit, tile: Tile, near: wp.array[int]) -> Shade:
    found = Shade()
    found.who = hit.who
    found.time = time
    found.normal = hit.normal
    found.sun = 1.0
    found.sky = 1.0
    if hit.who < world.solids and world.has_ground == 1:
        high = GROUND_SHARE * world.forms[hit.who].thickness
        found.sky = 1.0 - OCCLUSION * wp.clamp(-hit.p[1] / high - hit.normal[1] + 1.0, 0.0, 1.0)
    lit = wp.dot(hit.normal, world.to_sun) > 0.0
    for i in range(tile.near_first, tile.near_last):
        k = near[i]
        if k != hit.who:
            if lit and found.sun > 0.0:
                found.sun *= sun_share(world, time, k, hit.p)
            found.sky *= sky_share(world, time, k, hit.p, hit.normal)
    return found


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
    """One pixel of one tile. axes: columns right (for one picture width), up (for one height) and ahead; spread: the
    angle of a pixel (rad)."""
    number, pixel = wp.tid()
    tile = tiles[number]
    row = tile.row * TILE + pixel / TILE
    column = tile.column * TILE + pixel % TILE
    height = picture.shape[1]
    width = picture.shape[2]
    if row >= height or column >= width:
        return
    total = wp.vec3(0.0, 0.0, 0.0)
    known = Shade()
    known.who = -1
    share = float(0.0)  # noqa: UP018
    for sample in range(tile.samples):
        # Hammersley points: sample / count, and the bits of sample mirrored at the point.
        mirrored = float((sample & 1) * 8 + (sample & 2) * 2 + (sample & 4) / 2 + (sample & 8) / 8) / 16.0
        x = (float(column) + (float(sample) + 0.5) / float(tile.samples)) / float(width) - 0.5
        y = 0.5 - (float(row) + mirrored + 0.5 / float(tile.samples)) / float(height)
        time = tile.frame * subframes
        if subframes > 1:
            if tile.samples <= 4:
                time += sample & 3
            else:
                time += (sample >> 1) & 3  # the bits that leave a sub-frame's own samples spread out
        eye = eyes[time]
        ray = wp.normalize(axes[time] * wp.vec3(x, y, 1.0))
        hit = first_hit(world, time, eye, ray, tile, seen)
        if hit.who < 0:
            total += backdrop(world, ray)
        else:
            paint = world.paints[hit.who]
            same = known.who == hit.who and wp.dot(known.normal, hit.normal) > SAME_NORMAL
            # The slow patterns are blurred to a pixel: once is enough, unless the body moves.
            if paint.pattern < GRAIN or not same or (known.time != time and tile.steady == 0):
                size = hit.way * spread / wp.sqrt(wp.max(-wp.dot(hit.normal, ray), 0.05))
                share = paint.contrast * pattern_share(paint, hit.own_p, hit.own_normal, size)
            # Shares of sun and sky vary little within a pixel and an exposure, unless the sun is sharp.
            if not same or world.softness < SHARP:
                known = shade(world, time, hit, tile, near)
            base = wp.lerp(paint.color, paint.second, share)
            light = reflect_light(world, paint, base, hit.normal, ray, known.sun, known.sky)
            if hit.who == world.solids:
                light = wp.lerp(world.horizon, light, wp.smoothstep(0.0, HORIZON_BLUR, -ray[1]))
            total += light
    picture[tile.frame, row, column] = total / float(tile.samples)
