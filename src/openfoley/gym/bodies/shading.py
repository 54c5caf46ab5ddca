"""What light leaves a point: patterns of surfaces, sun with its shadow, sky, occlusion by what is near, highlight.

The shadow of a soft sun compares the angle between the sun's centre and each convex body with the sun's radius:
min over t of distance(p + t * sun) / t, which is quasi-convex in t, so a golden-section search finds it. Occlusion of
the sky is estimated from distances at two points along the normal (I. Quilez, ambient occlusion from distance fields).
"""
# Warp compiles these functions and checks their types itself; the checker of Python knows neither its structs nor its
# overloads:
# pyright: reportOperatorIssue=false, reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportInvalidTypeForm=false
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false

import warp as wp

from openfoley.gym.bodies.shapes import (
    CAPSULE,
    SPHERE,
    Form,
    capsule_gap,
    distance,
    near_bounds,
    ray_entry,
    within_bounds,
)
from openfoley.gym.bodies.tiles import FAINT, NEAR_SHARE

PLAIN = wp.constant(0)
CHECKS = wp.constant(1)
STRIPES = wp.constant(2)
DOTS = wp.constant(3)
GRAIN = wp.constant(4)
SPECKLE = wp.constant(5)
GOLDEN = wp.constant(0.618034)
SEARCH_STEPS = wp.constant(6)  # 0.618^6 = 6 % of the way through the box around the body
HORIZON_BLUR = wp.constant(0.08)
"""Height of the ray (sine of its angle) below which the ground fades into the horizon."""
SMOOTHEST = wp.constant(0.2)
"""Least roughness: sharper highlights would be smaller than a pixel and flicker."""
BRIGHTEST = wp.constant(12.0)
"""Largest peak of a highlight, in shares of the sun."""
OCCLUSION = wp.constant(0.65)
"""Largest share of the sky that one body takes away."""


@wp.struct
class Paint:
    """A Surface with its pattern's number, the direction of its stripes and the place of its pattern."""

    color: wp.vec3
    second: wp.vec3
    pattern: int
    size: float
    contrast: float
    gloss: float
    roughness: float
    axis: wp.vec3
    phase: wp.vec3
    seed: int


@wp.struct
class World:
    """Bodies at every time of a chunk, light and background. Times are those of all frames and their sub-frames."""

    forms: wp.array[Form]
    paints: wp.array[Paint]  # one a solid, then the ground's
    planes: wp.array[wp.vec4]
    place: wp.array2d[wp.vec3]  # [times, solids]
    turn: wp.array2d[wp.mat33]  # [times, solids], own axes to the world's
    sweep: wp.array2d[float]  # [frames, solids], how far a solid reaches beyond its middle pose while exposed (m)
    to_sun: wp.vec3
    sun: wp.vec3
    sky: wp.vec3
    bounce: wp.vec3
    softness: float
    horizon: wp.vec3
    zenith: wp.vec3
    has_ground: int
    solids: int


@wp.func
def square_wave(x: float, width: float) -> float:
    """-1 and 1 in turns of length 1, averaged over `width`: analytic, so that fine patterns fade instead of flickering
    (I. Quilez, filtered checkers)."""
    w = wp.max(width, 1.0e-3)
    a = (x - 0.5 * w) * 0.5
    b = (x + 0.5 * w) * 0.5
    return 2.0 * (wp.abs(a - wp.floor(a) - 0.5) - wp.abs(b - wp.floor(b) - 0.5)) / w


@wp.func
def on_face(p: wp.vec3, normal: wp.vec3) -> wp.vec2:
    """The two coordinates across the largest component of the normal."""
    x = wp.abs(normal[0])
    y = wp.abs(normal[1])
    z = wp.abs(normal[2])
    if x > y and x > z:
        return wp.vec2(p[1], p[2])
    if y > z:
        return wp.vec2(p[0], p[2])
    return wp.vec2(p[0], p[1])


@wp.func
def pattern_share(paint: Paint, p: wp.vec3, normal: wp.vec3, size: wp.vec3) -> float:
    """Share of the second colour, 0..1, at a point and normal in the solid's axes; size: of a pixel there, along each
    axis (m)."""
    if paint.pattern == PLAIN:
        return 0.0
    q = p / paint.size + paint.phase
    reach = size / paint.size
    if paint.pattern == CHECKS:
        face = on_face(q, normal)
        width = on_face(reach, normal)
        return 0.5 - 0.5 * square_wave(face[0], width[0]) * square_wave(face[1], width[1])
    if paint.pattern == STRIPES:
        axis = paint.axis
        wide = wp.abs(axis[0]) * reach[0] + wp.abs(axis[1]) * reach[1] + wp.abs(axis[2]) * reach[2]
        return 0.5 + 0.5 * square_wave(wp.dot(q, axis), wide)
    w = wp.max(reach[0], wp.max(reach[1], reach[2]))
    if paint.pattern == DOTS:
        face = on_face(q, normal)
        x = face[0] - wp.floor(face[0]) - 0.5
        y = face[1] - wp.floor(face[1]) - 0.5
        inside = wp.clamp(0.5 + (0.3 - wp.sqrt(x * x + y * y)) / wp.max(w, 0.02), 0.0, 1.0)
        return wp.lerp(inside, 0.28, wp.clamp(2.0 * w - 0.5, 0.0, 1.0))  # pi * 0.3^2: the share of the dots
    fade = wp.clamp(1.3 - 1.5 * w, 0.0, 1.0)  # gone before it is finer than a pixel
    if fade == 0.0:
        return 0.5
    if paint.pattern == GRAIN:
        along = wp.dot(q, paint.axis)
        across = wp.length(q - paint.axis * along)
        ring = across + 0.35 * wp.noise(wp.rand_init(paint.seed), wp.vec3(q[0], q[1], 0.3 * q[2]))
        return 0.5 + 0.5 * fade * wp.sin(6.2832 * ring)
    grains = wp.noise(wp.rand_init(paint.seed), q * 2.0) + 0.5 * wp.noise(wp.rand_init(paint.seed + 1), q * 4.3)
    return 0.5 + fade * wp.clamp(2.0 * grains, -0.5, 0.5)


@wp.func
def backdrop(world: World, direction: wp.vec3) -> wp.vec3:
    """The sky behind all: from the horizon's colour to the zenith's."""
    return wp.lerp(world.horizon, world.zenith, wp.smoothstep(0.0, 0.9, direction[1]))


@wp.func
def sun_share(world: World, time: int, k: int, p: wp.vec3) -> float:
    """Share of the sun, 0..1, that body k leaves to a point p of another."""
    form = world.forms[k]
    toward = world.place[time, k] - p
    along = wp.dot(toward, world.to_sun)
    off_axis = wp.length_sq(toward - world.to_sun * along)
    wide = form.reach + world.softness * wp.max(along + form.reach, 0.0)
    if along < -form.reach or off_axis > wide * wide:
        return 1.0
    aside = wp.sqrt(off_axis)
    # A body that looks smaller than the sun covers a part of it only.
    sun_radius = wp.max(along * world.softness, 1.0e-6)
    small = wp.min(form.width / sun_radius, 1.0) * wp.min(form.reach / sun_radius, 1.0)
    if small < FAINT:
        return 1.0
    turn = wp.transpose(world.turn[time, k])
    origin = turn * (-toward)
    ray = turn * world.to_sun
    span = within_bounds(form, origin, ray, wide - form.reach)
    low = wp.max(span[0], 1.0e-3)
    high = span[1]
    if low >= high:
        return 1.0
    if world.softness < 1.0e-3:
        if ray_entry(form, world.planes, origin, ray, 0.0) > 0.0:
            return 0.0
        return 1.0
    angle = (aside - form.reach) / wp.max(along, 1.0e-3)  # from the sun's centre to the outline, negative inside it
    if form.kind == CAPSULE:
        beside = capsule_gap(form, origin, ray)
        angle = beside[1] / beside[0]
    elif form.kind != SPHERE:
        first = high - GOLDEN * (high - low)
        second = low + GOLDEN * (high - low)
        at_first = distance(form, world.planes, origin + ray * first) / first
        at_second = distance(form, world.planes, origin + ray * second) / second
        for _step in range(SEARCH_STEPS):
            if wp.min(at_first, at_second) > -world.softness:  # else all of the sun is behind the body
                if at_first < at_second:
                    high = second
                    second = first
                    at_second = at_first
                    first = high - GOLDEN * (high - low)
                    at_first = distance(form, world.planes, origin + ray * first) / first
                else:
                    low = first
                    first = second
                    at_first = at_second
                    second = low + GOLDEN * (high - low)
                    at_second = distance(form, world.planes, origin + ray * second) / second
        angle = wp.min(at_first, at_second)
    covered = 1.0 - wp.smoothstep(-world.softness, world.softness, angle)
    return 1.0 - covered * small


@wp.func
def sky_share(world: World, time: int, k: int, p: wp.vec3, normal: wp.vec3) -> float:
    """Share of the sky, 0..1, that body k leaves to a point p beside it."""
    form = world.forms[k]
    from_center = p - world.place[time, k]
    near = NEAR_SHARE * form.thickness
    if wp.length_sq(from_center) > (form.reach + 2.0 * near) * (form.reach + 2.0 * near):
        return 1.0
    turn = wp.transpose(world.turn[time, k])
    origin = turn * from_center
    if not near_bounds(form, origin, 2.0 * near):
        return 1.0
    way = turn * normal
    close = 0.3 * near
    taken = 0.5 * wp.clamp(1.0 - distance(form, world.planes, origin + way * close) / close, 0.0, 1.0)
    taken += 0.5 * wp.clamp(1.0 - distance(form, world.planes, origin + way * near) / near, 0.0, 1.0)
    return 1.0 - OCCLUSION * taken


@wp.func
def highlight(world: World, paint: Paint, normal: wp.vec3, ray: wp.vec3) -> float:
    """The sun's reflection in a rough surface, in shares of the sun (Blinn's, normalized)."""
    facing = wp.dot(normal, world.to_sun)
    if paint.gloss == 0.0 or facing < 0.0:
        return 0.0
    rough = wp.max(paint.roughness, SMOOTHEST)
    power = 2.0 / (rough * rough * rough * rough)
    below_peak = power * (1.0 - wp.dot(normal, wp.normalize(world.to_sun - ray)))
    if below_peak > 8.0:
        return 0.0
    peak = wp.min((power + 8.0) / 25.0, BRIGHTEST)
    return paint.gloss * 0.3 * peak * wp.exp(-below_peak) * facing  # cos^n = exp(-n (1 - cos)) nearly, e^-8 = 0.0003


@wp.func
def reflect_light(
    world: World, paint: Paint, base: wp.vec3, normal: wp.vec3, ray: wp.vec3, sunlit: float, open_sky: float
) -> wp.vec3:
    """Light towards the eye from a surface of colour `base`: diffuse, and a reflection of the backdrop."""
    facing = wp.max(wp.dot(normal, world.to_sun), 0.0) * sunlit
    ambient = wp.lerp(world.bounce, world.sky, 0.5 + 0.5 * normal[1]) * open_sky
    light = wp.cw_mul(base, world.sun * facing + ambient)
    if paint.gloss > 0.0:
        graze = 1.0 - wp.max(-wp.dot(normal, ray), 0.0)  # Schlick's rise of reflections towards grazing views
        square = graze * graze
        rough = wp.max(paint.roughness, SMOOTHEST)
        mirror = paint.gloss * (0.1 + 0.9 * square * square * graze) * (1.0 - rough) * open_sky
        away = ray - normal * (2.0 * wp.dot(ray, normal))
        light += wp.lerp(world.bounce * 0.5, backdrop(world, away), wp.smoothstep(-0.15, 0.1, away[1])) * mirror
    return light
