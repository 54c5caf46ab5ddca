"""Convex shapes on CPU and GPU: where a ray enters them, their normal and their distance, in their own axes.

All shapes are convex, so the signed distance along a line is a convex function: the soft shadow in `shading` relies
on it. Kernel code of Warp, compiled for either device when it is first launched.
"""
# Warp compiles these functions and checks their types itself; the checker of Python knows neither its structs nor its
# overloads:
# pyright: reportOperatorIssue=false, reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false
# pyright: reportAttributeAccessIssue=false, reportReturnType=false, reportInvalidTypeForm=false
# pyright: reportGeneralTypeIssues=false, reportAssignmentType=false

import warp as wp

SPHERE = wp.constant(0)
BOX = wp.constant(1)
CYLINDER = wp.constant(2)
CAPSULE = wp.constant(3)
HULL = wp.constant(4)
MISSED = wp.constant(-1.0)
FAR = wp.constant(1.0e9)


@wp.struct
class Form:
    """A shape. size: (radius, -, -) of a sphere, the half extents of a box, (radius, half length, -) of cylinder and
    capsule; a hull is planes[first : first + count] (normal, distance from the origin). reach and thickness: radii of
    the balls around it and within it, bounds: half extents of the box around it, width: the middle one of them (m)."""

    kind: int
    first: int
    count: int
    size: wp.vec3
    reach: float
    thickness: float
    width: float
    bounds: wp.vec3


@wp.func
def slab(origin: float, direction: float, half: float) -> wp.vec2:
    """Where a line is between -half and half: (enters, leaves)."""
    if wp.abs(direction) < 1.0e-9:
        if wp.abs(origin) > half:
            return wp.vec2(FAR, -FAR)
        return wp.vec2(-FAR, FAR)
    a = (-half - origin) / direction
    b = (half - origin) / direction
    return wp.vec2(wp.min(a, b), wp.max(a, b))


@wp.func
def ball_entry(origin: wp.vec3, direction: wp.vec3, radius: float) -> float:
    """Distance at which a ray (unit direction) enters a ball, FAR if it misses."""
    b = wp.dot(origin, direction)
    # The distance of the line from the centre: b * b - |origin|^2 would lose a small ball far away to rounding.
    inside = radius * radius - wp.length_sq(origin - direction * b)
    if inside < 0.0:
        return FAR
    return -b - wp.sqrt(inside)


@wp.func
def near_bounds(form: Form, origin: wp.vec3, margin: float) -> bool:
    """Whether a point is within the shape's box, made larger by a margin (m)."""
    x = wp.abs(origin[0]) - form.bounds[0]
    y = wp.abs(origin[1]) - form.bounds[1]
    z = wp.abs(origin[2]) - form.bounds[2]
    return wp.max(x, wp.max(y, z)) < margin


@wp.func
def within_bounds(form: Form, origin: wp.vec3, direction: wp.vec3, margin: float) -> wp.vec2:
    """Where a line is within the shape's box, made larger by a margin (m): (enters, leaves)."""
    x = slab(origin[0], direction[0], form.bounds[0] + margin)
    y = slab(origin[1], direction[1], form.bounds[1] + margin)
    z = slab(origin[2], direction[2], form.bounds[2] + margin)
    return wp.vec2(wp.max(x[0], wp.max(y[0], z[0])), wp.min(x[1], wp.min(y[1], z[1])))


@wp.func
def tube(origin: wp.vec3, direction: wp.vec3, radius: float) -> wp.vec2:
    """Where a line is within an endless cylinder along z: (enters, leaves)."""
    a = direction[0] * direction[0] + direction[1] * direction[1]
    if a < 1.0e-9:
        if origin[0] * origin[0] + origin[1] * origin[1] > radius * radius:
            return wp.vec2(FAR, -FAR)
        return wp.vec2(-FAR, FAR)
    b = origin[0] * direction[0] + origin[1] * direction[1]
    cross = origin[0] * direction[1] - origin[1] * direction[0]
    inside = a * radius * radius - cross * cross
    if inside < 0.0:
        return wp.vec2(FAR, -FAR)
    root = wp.sqrt(inside)
    return wp.vec2((-b - root) / a, (root - b) / a)


@wp.func
def ray_entry(form: Form, planes: wp.array[wp.vec4], origin: wp.vec3, direction: wp.vec3, grow: float) -> float:
    """Distance > 0 along a ray (unit direction, in the shape's axes) to where it enters the shape, made larger on all
    sides by `grow` (m), else MISSED."""
    radius = form.size[0] + grow
    near = float(-FAR)
    far = float(FAR)
    if form.kind == SPHERE:
        near = ball_entry(origin, direction, radius)
        if near == FAR:
            return MISSED
    elif form.kind == BOX:
        for axis in range(3):
            span = slab(origin[axis], direction[axis], form.size[axis] + grow)
            near = wp.max(near, span[0])
            far = wp.min(far, span[1])
    elif form.kind == CYLINDER:
        side = tube(origin, direction, radius)
        ends = slab(origin[2], direction[2], form.size[1] + grow)
        near = wp.max(side[0], ends[0])
        far = wp.min(side[1], ends[1])
    elif form.kind == CAPSULE:
        side = tube(origin, direction, radius)
        if side[0] > side[1]:
            return MISSED
        height = origin[2] + side[0] * direction[2]
        near = side[0]
        if wp.abs(height) > form.size[1] or near == -FAR:  # enters through an end, if at all
            near = FAR
            end = wp.vec3(0.0, 0.0, form.size[1])
            near = wp.min(ball_entry(origin - end, direction, radius), near)
            near = wp.min(ball_entry(origin + end, direction, radius), near)
            if near == FAR:
                return MISSED
    else:
        for k in range(form.first, form.first + form.count):
            plane = planes[k]
            normal = wp.vec3(plane[0], plane[1], plane[2])
            toward = wp.dot(normal, direction)
            height = wp.dot(normal, origin) - plane[3] - grow
            if toward < -1.0e-9:
                near = wp.max(near, -height / toward)
            elif toward > 1.0e-9:
                far = wp.min(far, -height / toward)
            elif height > 0.0:
                return MISSED
    if near > far or near <= 1.0e-4:
        return MISSED
    return near


@wp.func
def distance(form: Form, planes: wp.array[wp.vec4], p: wp.vec3) -> float:
    """Signed distance (m) from p to the surface, negative inside; of a hull a lower bound outside."""
    if form.kind == SPHERE:
        return wp.length(p) - form.size[0]
    if form.kind == BOX:
        x = wp.abs(p[0]) - form.size[0]
        y = wp.abs(p[1]) - form.size[1]
        z = wp.abs(p[2]) - form.size[2]
        out = wp.vec3(wp.max(x, 0.0), wp.max(y, 0.0), wp.max(z, 0.0))
        return wp.length(out) + wp.min(wp.max(x, wp.max(y, z)), 0.0)
    if form.kind == CYLINDER:
        across = wp.sqrt(p[0] * p[0] + p[1] * p[1]) - form.size[0]
        along = wp.abs(p[2]) - form.size[1]
        beyond = wp.vec2(wp.max(across, 0.0), wp.max(along, 0.0))
        return wp.length(beyond) + wp.min(wp.max(across, along), 0.0)
    if form.kind == CAPSULE:
        axis = wp.clamp(p[2], -form.size[1], form.size[1])
        return wp.length(wp.vec3(p[0], p[1], p[2] - axis)) - form.size[0]
    highest = float(-FAR)
    for k in range(form.first, form.first + form.count):
        plane = planes[k]
        highest = wp.max(highest, plane[0] * p[0] + plane[1] * p[1] + plane[2] * p[2] - plane[3])
    return highest


@wp.func
def capsule_gap(form: Form, origin: wp.vec3, direction: wp.vec3) -> wp.vec2:
    """Where a ray comes nearest to a capsule's axis, and its signed distance (m) from the surface there."""
    across = wp.max(1.0 - direction[2] * direction[2], 1.0e-6)
    start = wp.dot(origin, direction)
    way = (origin[2] * direction[2] - start) / across
    axis = wp.clamp(origin[2] + way * direction[2], -form.size[1], form.size[1])
    way = wp.max(axis * direction[2] - start, 1.0e-3)
    nearest = origin + direction * way
    nearest[2] = nearest[2] - axis
    return wp.vec2(way, wp.length(nearest) - form.size[0])


@wp.func
def outward(form: Form, planes: wp.array[wp.vec4], p: wp.vec3) -> wp.vec3:
    """Unit normal at a point p of the surface."""
    if form.kind == SPHERE:
        return wp.normalize(p)
    if form.kind == BOX:
        x = wp.abs(p[0]) - form.size[0]
        y = wp.abs(p[1]) - form.size[1]
        z = wp.abs(p[2]) - form.size[2]
        if x >= y and x >= z:
            return wp.vec3(wp.sign(p[0]), 0.0, 0.0)
        if y >= z:
            return wp.vec3(0.0, wp.sign(p[1]), 0.0)
        return wp.vec3(0.0, 0.0, wp.sign(p[2]))
    if form.kind == CYLINDER:
        across = wp.sqrt(p[0] * p[0] + p[1] * p[1])
        if across - form.size[0] > wp.abs(p[2]) - form.size[1]:
            return wp.vec3(p[0] / across, p[1] / across, 0.0)
        return wp.vec3(0.0, 0.0, wp.sign(p[2]))
    if form.kind == CAPSULE:
        axis = wp.clamp(p[2], -form.size[1], form.size[1])
        return wp.normalize(wp.vec3(p[0], p[1], p[2] - axis))
    highest = float(-FAR)
    normal = wp.vec3(0.0, 1.0, 0.0)
    for k in range(form.first, form.first + form.count):
        plane = planes[k]
        height = plane[0] * p[0] + plane[1] * p[1] + plane[2] * p[2] - plane[3]
        if height > highest:
            highest = height
            normal = wp.vec3(plane[0], plane[1], plane[2])
    return normal
