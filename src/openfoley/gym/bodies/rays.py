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
    Paint,
    World,
    backdrop,
    highlight,
    pattern_share,
    reflect_light,
    sky_share,
    sun_share,
)
from openfoley.gym.bodies.shapes import FAR, SPHERE, outward, ray_entry
from openfoley.gym.bodies.tiles import SHARP, TILE

GROUND_SHARE = wp.constant(1.2)
"""Height up to which the ground occludes a solid's sky, as a share of its thickness."""
SAME_NORMAL = wp.constant(0.95)
THIN = wp.constant(0.8)
"""Half the thickness in pixels below which a solid may lie between the middles of pixels."""
FAST = wp.constant(0.25)
"""Pixels that a solid moves from its middle pose during an exposure, from which on it is blurred."""
EDGE = wp.constant(0.15)
"""Difference of the sun's share and highlight between neighbours from which on a pixel gets all samples."""

BLOCK = wp.constant(4)
"""Pixels, height and width, that one thread refines."""

COMPILER_FLAGS = (
    "-march=native -ffast-math -Wno-nan-infinity-disabled -fno-vectorize -fno-slp-vectorize"
    " -mllvm=-inline-threshold=100000"
)
"""Of the CPU's code. What is not inlined copies the whole World at every call: 40 % more time (log G13)."""
wp.set_module_options(
    {"enable_backward": False, "fast_math": True, "optimization_level": 3, "cpu_compiler_flags": COMPILER_FLAGS}
)


@wp.struct
class Tile:
    """A tile to trace: its place, samples a pixel, and its parts of the two lists of solids."""

    frame: int
    row: int
    column: int
    samples: int
    swept: int  # 1 where a sharp shadow may move during the exposure
    steady: int  # 1 where nothing moves during the exposure but the camera
    seen_first: int
    seen_last: int
    near_first: int
    near_last: int


@wp.struct
class TileLists:
    """Tiles, and the lists of solids that they share: those that their rays may meet and those that may shade these."""

    tiles: wp.array[Tile]
    seen: wp.array[int]
    near: wp.array[int]


@wp.struct
class Lens:
    """The camera at every time of a chunk. axes: columns right (for one picture width), up (for one height) and ahead.
    subframes: times of a frame."""

    eyes: wp.array[wp.vec3]
    axes: wp.array[wp.mat33]
    subframes: int


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
    grown: int  # 1 if it is met only or may be met because it was made larger


@wp.struct
class Shade:
    """Shares of sun and sky that reach a point, and whose point it was."""

    who: int
    time: int
    normal: wp.vec3
    sun: float
    sky: float


@wp.func
def first_hit(
    world: World, time: int, eye: wp.vec3, ray: wp.vec3, tile: Tile, seen: wp.array[int], spread: float
) -> Hit:
    """spread: the angle of a pixel (rad) to make what is thin or fast so large that no pixel misses it; 0 for none."""
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
        grow = float(0.0)  # noqa: UP018
        if spread > 0.0:
            pixel = spread * wp.max(along, 0.0)
            if world.sweep[tile.frame, k] > FAST * pixel:
                grow = world.sweep[tile.frame, k]
            if world.forms[k].thickness < THIN * pixel:
                grow += THIN * pixel
        reach = world.forms[k].reach + grow * 1.75  # of a box's corner
        if along - reach < hit.way and wp.length_sq(from_center + ray * along) < reach * reach:
            turn = wp.transpose(world.turn[time, k])
            entry = ray_entry(world.forms[k], world.planes, turn * from_center, turn * ray, grow)
            if entry > 0.0 and entry < hit.way:
                hit.way = entry
                hit.who = k
            if entry > 0.0 and grow > 0.0:
                hit.grown = 1
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
def footprint(hit: Hit, world_to_own: wp.mat33, ray: wp.vec3, side: wp.vec3) -> wp.vec3:
    """How far (m) a pixel reaches along each of the solid's axes: its side, a step of the ray at distance 1, is
    followed to the plane that touches the solid there."""
    toward = wp.min(wp.dot(hit.normal, ray), -0.02)
    step = (side - ray * (wp.dot(hit.normal, side) / toward)) * hit.way
    own = world_to_own * step
    return wp.vec3(wp.abs(own[0]), wp.abs(own[1]), wp.abs(own[2]))


@wp.func
def shade(world: World, time: int, hit: Hit, tile: Tile, near: wp.array[int], known: Shade, same: bool) -> Shade:
    """same: the sky's share is the known one."""
    found = known
    found.sun = 1.0
    if not same:
        found.who = hit.who
        found.time = time
        found.normal = hit.normal
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
            if not same:
                found.sky *= sky_share(world, time, k, hit.p, hit.normal)
    return found


@wp.func
def is_swept(world: World, subframes: int, hit: Hit, pixel: float, tile: Tile, near: wp.array[int]) -> bool:
    """Whether a shadow that moves during the exposure may pass over a point. pixel: its size there (m)."""
    time = tile.frame * subframes + subframes / 2
    if wp.dot(hit.normal, world.to_sun) > 0.0:
        for i in range(tile.near_first, tile.near_last):
            k = near[i]
            sweep = world.sweep[tile.frame, k]
            if sweep > FAST * pixel and k != hit.who:
                toward = world.place[time, k] - hit.p
                along = wp.dot(toward, world.to_sun)
                wide = world.forms[k].reach + sweep
                if along > -wide and wp.length_sq(toward) - along * along < wide * wide:
                    least = float(1.0)  # noqa: UP018
                    most = float(0.0)  # noqa: UP018
                    for part in range(subframes):
                        share = sun_share(world, tile.frame * subframes + part, k, hit.p)
                        least = wp.min(least, share)
                        most = wp.max(most, share)
                    if most - least > EDGE:
                        return True
    return False


@wp.func
def face_number(world: World, hit: Hit) -> float:
    """A number of the solid and its face: pixels with different ones have an edge between them."""
    face = 0
    if hit.who >= 0 and hit.who < world.solids and world.forms[hit.who].kind != SPHERE:
        n = hit.own_normal
        face = int(n[0] + 1.5) + 3 * int(n[1] + 1.5) + 9 * int(n[2] + 1.5)
    return float((hit.who + 1) * 32 + face)


@wp.func
def beside(marks: wp.array3d[wp.vec2], frame: int, row: int, column: int, k: int) -> wp.vec2:
    """The mark of neighbour k, 0..3, of a pixel, its own at the picture's border. A straight edge through the
    pixel separates its middle from that of one of these four."""
    i = wp.clamp(row + (k / 2) * (2 * (k % 2) - 1), 0, marks.shape[1] - 1)
    j = wp.clamp(column + (1 - k / 2) * (2 * (k % 2) - 1), 0, marks.shape[2] - 1)
    return marks[frame, i, j]


@wp.func
def has_edge(marks: wp.array3d[wp.vec2], frame: int, row: int, column: int) -> bool:
    """Whether a pixel's face or its sunlight differs from a neighbour's, or something thin or fast is there."""
    own = marks[frame, row, column]
    if own[0] < 0.0:
        return True
    for k in range(4):
        other = beside(marks, frame, row, column, k)
        if own[0] != other[0] or wp.abs(own[1] - other[1]) > EDGE:
            return True
    return False


@wp.func
def has_shadow_edge(marks: wp.array3d[wp.vec2], frame: int, row: int, column: int, subframes: int) -> bool:
    """Whether a pixel's sunlight differs from a neighbour's, or a shadow may pass over it, or it over a shadow."""
    own = marks[frame, row, column]
    if own[0] < -1.0 or (own[0] < 0.0 and subframes > 1):
        return True
    for k in range(4):
        other = beside(marks, frame, row, column, k)
        if other[0] < -1.0 or wp.abs(own[1] - other[1]) > EDGE:
            return True
    return False


@wp.func
def is_plain(marks: wp.array3d[wp.vec2], frame: int, row: int, column: int) -> bool:
    """Whether a block of pixels and those around it show one face in even sunlight: none has an edge."""
    own = marks[frame, row, column]
    if own[0] < 0.0:
        return False
    for i in range(wp.max(row - 1, 0), wp.min(row + BLOCK + 1, marks.shape[1])):
        for j in range(wp.max(column - 1, 0), wp.min(column + BLOCK + 1, marks.shape[2])):
            other = marks[frame, i, j]
            if own[0] != other[0] or wp.abs(own[1] - other[1]) > 0.5 * EDGE:
                return False
    return True


@wp.func
def middle_of(row: int, column: int, height: int, width: int) -> wp.vec2:
    """Of a pixel, in picture widths and heights from the picture's middle."""
    return wp.vec2((float(column) + 0.5) / float(width) - 0.5, 0.5 - (float(row) + 0.5) / float(height))


@wp.func
def sample_of(i: int, count: int, row: int, column: int, height: int, width: int) -> wp.vec2:
    """Sample i of a pixel, as `middle_of`: Hammersley points, i / count and the bits of i mirrored at the point."""
    mirrored = float((i & 1) * 8 + (i & 2) * 2 + (i & 4) / 2 + (i & 8) / 8) / 16.0
    x = (float(column) + (float(i) + 0.5) / float(count)) / float(width) - 0.5
    return wp.vec2(x, 0.5 - (float(row) + mirrored + 0.5 / float(count)) / float(height))


@wp.func
def subframe_of(i: int, count: int, subframes: int) -> int:
    """Of sample i."""
    if subframes == 1:
        return 0
    if count <= 4:
        return i & 3
    return (i >> 1) & 3  # the bits that leave a sub-frame's own samples spread out


@wp.func
def second_share(
    world: World, time: int, hit: Hit, paint: Paint, camera: wp.mat33, ray: wp.vec3, height: int, width: int
) -> float:
    """Share of the paint's second colour, blurred to a pixel."""
    if paint.contrast <= 0.0:
        return 0.0
    to_own = wp.identity(n=3, dtype=float)
    if hit.who < world.solids:
        to_own = wp.transpose(world.turn[time, hit.who])
    right = wp.vec3(camera[0, 0], camera[1, 0], camera[2, 0]) / float(width)
    up = wp.vec3(camera[0, 1], camera[1, 1], camera[2, 1]) / float(height)
    size = footprint(hit, to_own, ray, right) + footprint(hit, to_own, ray, up)
    return paint.contrast * pattern_share(paint, hit.own_p, hit.own_normal, size)


@wp.func
def light_from(world: World, hit: Hit, paint: Paint, share: float, ray: wp.vec3, known: Shade, glint: float) -> wp.vec3:
    """Light towards the eye from what a ray meets; the ground fades into the horizon."""
    base = wp.lerp(paint.color, paint.second, share)
    light = reflect_light(world, paint, base, hit.normal, ray, known.sun, known.sky) + world.sun * glint
    if hit.who == world.solids:
        light = wp.lerp(world.horizon, light, wp.smoothstep(0.0, HORIZON_BLUR, -ray[1]))
    return light


@wp.func
def paint_samples(
    world: World,
    lists: TileLists,
    lens: Lens,
    tile: Tile,
    refine: int,
    first_row: int,
    first_column: int,
    marks: wp.array3d[wp.vec2],
    picture: wp.array3d[wp.vec3],
):
    """refine 0: one ray for each of 2 x 2 pixels, to their marks and the picture. 1: all samples of one pixel."""
    height = picture.shape[1]
    width = picture.shape[2]
    row = first_row
    column = first_column
    count = 4
    uneven = world.softness < SHARP  # shares of the sun vary from sample to sample
    if refine == 1:
        count = tile.samples
        if uneven:
            uneven = has_shadow_edge(marks, tile.frame, row, column, lens.subframes)
    total = wp.vec3(0.0, 0.0, 0.0)
    known = Shade()
    known.who = -1
    share = float(0.0)  # noqa: UP018
    for i in range(count):
        time = tile.frame * lens.subframes
        if refine == 0:
            row = first_row + i / 2
            column = first_column + i % 2
            place = middle_of(row, column, height, width)
            time += lens.subframes / 2
        else:
            place = sample_of(i, count, row, column, height, width)
            time += subframe_of(i, count, lens.subframes)
        camera = lens.axes[time]
        ray = wp.normalize(camera * wp.vec3(place[0], place[1], 1.0))
        spread = float(0.0)  # noqa: UP018
        if refine == 0:
            spread = wp.length(wp.vec3(camera[0, 1], camera[1, 1], camera[2, 1])) / float(height)
        hit = first_hit(world, time, lens.eyes[time], ray, tile, lists.seen, spread)
        mark = wp.vec2(face_number(world, hit), 1.0)
        light = backdrop(world, ray)
        if hit.who >= 0:
            paint = world.paints[hit.who]
            same = known.who == hit.who and wp.dot(known.normal, hit.normal) > SAME_NORMAL
            # The slow patterns are blurred to a pixel: once is enough, unless the body moves.
            if refine == 0 or paint.pattern < GRAIN or not same or (known.time != time and tile.steady == 0):
                share = second_share(world, time, hit, paint, camera, ray, height, width)
            # Shares of sun and sky vary little from pixel to pixel and in an exposure, unless the sun is sharp.
            if not same or uneven:
                known = shade(world, time, hit, tile, lists.near, known, same)
            glint = highlight(world, paint, hit.normal, ray) * known.sun
            mark[1] = known.sun + glint
            light = light_from(world, hit, paint, share, ray, known, glint)
        total += light
        if refine == 0 and row < height and column < width:
            if hit.grown == 1:
                mark[0] = -1.0
            elif tile.swept == 1 and hit.who >= 0:
                if is_swept(world, lens.subframes, hit, spread * hit.way, tile, lists.near):
                    mark[0] = -2.0
            marks[tile.frame, row, column] = mark
            picture[tile.frame, row, column] = light
    if refine == 1:
        picture[tile.frame, row, column] = total / float(count)


@wp.kernel
def paint_tiles(
    world: World,
    lists: TileLists,
    lens: Lens,
    refine: int,
    marks: wp.array3d[wp.vec2],
    picture: wp.array3d[wp.vec3],
):
    """First (refine 0) one ray through the middle of each of 2 x 2 pixels of a tile, which leaves in marks the face it
    met and the sunlight there; then (refine 1), of a block of pixels, all samples of those where there is an edge, or
    something thin or fast may be."""
    number, item = wp.tid()
    tile = lists.tiles[number]
    height = picture.shape[1]
    width = picture.shape[2]
    side = 2
    pixels = 1
    if refine == 1:
        side = BLOCK
        pixels = BLOCK * BLOCK
    first_row = tile.row * TILE + item / (TILE / side) * side
    first_column = tile.column * TILE + item % (TILE / side) * side
    if first_row >= height or first_column >= width:
        return
    if refine == 1 and is_plain(marks, tile.frame, first_row, first_column):
        return
    for pixel in range(pixels):
        row = first_row + pixel / BLOCK
        column = first_column + pixel % BLOCK
        if refine == 0 or (row < height and column < width and has_edge(marks, tile.frame, row, column)):
            paint_samples(world, lists, lens, tile, refine, row, column, marks, picture)
