"""The Gym's picture: painted (the flat world) or ray-traced (`bodies.raytrace`), then graded like footage.

The flat world's parts are projected through a pinhole and painted back to front in torch. Each part is a rounded box
(ball, plate, rod ...) painted from its signed distance: anti-aliased edge, Lambert and highlight from a bulged normal,
a procedural texture that turns with it, a soft shadow on the floor. Only pixels near a part are computed, so the cost
is proportional to the covered area.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.gym.records import Camera, Grade, Look, Part, Scene, Shot

FRAMES_AT_ONCE = 48
METER_SIZE, METER_GREY, METER_SHARE = 32, 0.3, 0.6
"""Exposure of traced pictures: pixels of the metered picture, the linear grey it aims at, and the share of the way (in
stops) it goes there, so that bright scenes stay brighter than dark ones."""
LINEAR_TO_SCREEN = 1 / 2.2
SHUTTER = 0.5
"""Share of the frame interval that motion blur covers."""


@dataclass(frozen=True)
class Raster:
    """Frames of height x width pixels, `aspect` times as wide as high when shown, at `times` (s) [frames]."""

    height: int
    width: int
    aspect: float
    times: np.ndarray
    device: torch.device

    @property
    def margin(self) -> int:
        """Pixels around the picture that are painted too: parts larger than the picture are cut at its own size."""
        return (max(self.height, self.width) + 1) // 2


@dataclass(frozen=True)
class RoundedBox:
    """What one part looks like in every frame: centre (m) [frames, 3], angle [frames] (None: does not turn), opacity
    [frames]. squash: of its height on the screen; soft: width of its edge as a share of the radius, 0 for a sharp one.
    """

    half: tuple[float, float]
    radius: float
    look: Look
    centre: np.ndarray
    angle: np.ndarray | None
    opacity: np.ndarray
    squash: float = 1.0
    soft: float = 0.0


@dataclass(frozen=True)
class Surface:
    """Pixels of a rounded box, each [frames, high, wide]: place in its own plane, how far beyond the inner box, signed
    distance to the outline (m), and the size of a pixel (m)."""

    x: Tensor
    y: Tensor
    beyond_x: Tensor
    beyond_y: Tensor
    distance: Tensor
    pixel: Tensor


Frames = UInt8[Tensor, "frames 3 height width"]


def project(
    camera: Camera, aspect: float, points: Float[np.ndarray, "n 3"], times: Float[np.ndarray, " n"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """World points [n, 3] at times [n] -> x, y in 0..1 from the top left, depth (m), scale (picture heights per
    metre)."""
    yaw, pitch, roll = camera.turn(times).T
    d = points - camera.eye(times)
    x, z = d[:, 0] * np.cos(yaw) + d[:, 2] * np.sin(yaw) * -1, d[:, 0] * np.sin(yaw) + d[:, 2] * np.cos(yaw)
    y, depth = d[:, 1] * np.cos(pitch) - z * np.sin(pitch), d[:, 1] * np.sin(pitch) + z * np.cos(pitch)
    depth = np.maximum(depth, 0.2)
    scale = camera.focal / depth
    u, v = x * scale, y * scale
    u, v = u * np.cos(roll) - v * np.sin(roll), u * np.sin(roll) + v * np.cos(roll)
    return 0.5 + u / aspect, 0.5 - v, depth, scale


def render_picture(scene: Scene, *, rate: Fraction, height: int, width: int) -> Frames:
    """Pictures uint8 [ceil(duration * rate), 3, height, width]; the scene's own aspect is squashed into these."""
    return torch.cat(list(scene_frames(scene, rate, height, width, aspect=scene.aspect)))


def frame_count(duration_s: float, rate: Fraction) -> int:
    return int(np.ceil(duration_s * float(rate) - 1e-9))


def scene_frames(
    scene: Scene,
    rate: Fraction,
    height: int,
    width: int,
    device: torch.device | str = "cpu",
    aspect: float | None = None,
) -> Iterator[Frames]:
    """The scene's frames in chunks uint8 [n, 3, height, width]. aspect: width / height as shown, their own if None."""
    times = np.arange(frame_count(scene.duration_s, rate)) / float(rate)
    raster = Raster(height, width, aspect or width / height, times, torch.device(device))
    exposures = [_exposure(shot, raster) for shot in scene.shots]
    for first in range(0, len(times), FRAMES_AT_ONCE):
        chunk = replace(raster, times=times[first : first + FRAMES_AT_ONCE])
        yield _frames_at(scene, chunk, rate, first, exposures)


def render_frames(
    scene: Scene,
    first: int,
    count: int,
    *,
    rate: Fraction,
    height: int,
    width: int,
    device: torch.device,
    aspect: float,
) -> Frames:
    """Frames first ... first + count - 1 of a scene, uint8 [count, 3, height, width]."""
    times = (first + np.arange(count)) / float(rate)
    return _frames_at(scene, Raster(height, width, aspect, times, device), rate, first)


def _frames_at(
    scene: Scene, raster: Raster, rate: Fraction, first: int, exposures: Sequence[float] | None = None
) -> Frames:
    """Frames at the raster's times, the first of which is frame `first`. exposures: of the scene's shots, metered here
    if None."""
    starts = np.array([shot.start_s for shot in scene.shots])
    which = np.searchsorted(starts, raster.times + 1e-9, side="right") - 1
    pieces = []
    for number in np.unique(which):
        shot, own = scene.shots[number], replace(raster, times=raster.times[which == number])
        rng = torch.Generator(device="cpu").manual_seed(scene.seed * 1009 + int(number) * 31 + first)
        if shot.stage is not None:
            gain = exposures[number] if exposures else _exposure(shot, raster)
            linear = gain * _trace_stage(shot, own, SHUTTER / float(rate) if shot.grade.motion_blur else 0.0)
        else:
            linear = _paint_shot(shot, own)
            if shot.grade.motion_blur:
                earlier = replace(own, times=own.times - SHUTTER / 2 / float(rate))
                linear = (linear + _paint_shot(shot, earlier)) / 2
        pieces.append(_grade(linear, shot.grade, rng))
    return torch.cat(pieces)


def _texture(look: Look, x: Tensor, y: Tensor) -> Tensor:
    """Grain in -1..1 from two warped waves; sharp waves make checks and stripes."""
    kx, ky, wx, wy = look.waves
    wave = kx * x + ky * y + look.phase
    if look.warp:
        wave = wave + look.warp * torch.sin(wx * x + wy * y)
    if look.sharpness > 2:
        return torch.tanh(look.sharpness * torch.sin(wave) * (torch.sin(wx * x + wy * y + 0.7) if wx or wy else 1.0))
    return torch.sin(wave)


def _background(shot: Shot, raster: Raster) -> Tensor:
    """Floor and wall seen by the camera, [frames, height, width, 3]; one frame is enough when the camera stands
    still."""
    camera, grade = shot.camera, shot.grade
    height, width, times, device = raster.height, raster.width, raster.times, raster.device
    eye, turn = camera.eye(times), camera.turn(times)
    if np.allclose(eye, eye[:1], atol=1e-6) and np.allclose(turn, turn[:1], atol=1e-6):
        eye, turn = eye[:1], turn[:1]
    f = torch.as_tensor(np.concatenate([eye, turn], axis=1), dtype=torch.float32, device=device)[:, :, None, None]
    v = (0.5 - (torch.arange(height, device=device) + 0.5) / height)[None, :, None] / camera.focal
    u = ((torch.arange(width, device=device) + 0.5) / width - 0.5)[None, None, :] * raster.aspect / camera.focal
    u, v = u * torch.cos(f[:, 5]) + v * torch.sin(f[:, 5]), v * torch.cos(f[:, 5]) - u * torch.sin(f[:, 5])
    up, ahead = v * torch.cos(f[:, 4]) + torch.sin(f[:, 4]), torch.cos(f[:, 4]) - v * torch.sin(f[:, 4])
    c, s = torch.cos(f[:, 3]), torch.sin(f[:, 3])
    right, ahead = u * c + ahead * s, ahead * c - u * s
    to_wall = (grade.wall_z - f[:, 2]) / ahead.clamp(min=0.05)
    to_floor = torch.where(up < -1e-4, f[:, 1] / (-up).clamp(min=1e-4), torch.full_like(up, 1e6))
    on_floor = (to_floor < to_wall)[..., None]
    distance = torch.minimum(to_floor, to_wall)
    x, y, z = f[:, 0] + right * distance, f[:, 1] + up * distance, f[:, 2] + ahead * distance
    tex_floor, tex_wall = _texture(grade.floor, x, z), _texture(grade.wall, x, y)
    near = torch.exp(-0.05 * distance)[..., None]
    floor = torch.tensor(grade.floor.color, device=device) * (1 + grade.floor.contrast * tex_floor[..., None]) * near
    wall = torch.tensor(grade.wall.color, device=device) * (1 + grade.wall.contrast * tex_wall[..., None])
    wall = wall * (0.8 + 0.2 * torch.clamp(y[..., None] / 2, 0, 1))
    return torch.where(on_floor, floor, wall).expand(len(times), height, width, 3).contiguous()


def _paint_shot(shot: Shot, raster: Raster) -> Tensor:
    """Linear light [frames, height, width, 3] of one shot."""
    height, width, margin, times = raster.height, raster.width, raster.margin, raster.times
    padded = torch.empty(len(times), height + 2 * margin, width + 2 * margin, 3, device=raster.device)
    picture = padded[:, margin : margin + height, margin : margin + width]
    picture[:] = _background(shot, raster)
    parts = [p for act in shot.performances for p in act.parts]
    # Shadows fall first, then things from far to near in the order of their mean depth; panels in front come last.
    depth = [float(np.mean(p.position(times)[:, 2])) - (100 if p.in_front else 0) for p in parts]
    for part in (p for p in parts if p.shadow):
        _paint(padded, _shadow(part, shot, times), shot, raster)
    for k in sorted(range(len(parts)), key=lambda k: -depth[k]):
        _paint(padded, _box(parts[k], times), shot, raster)
    return picture


def _exposure(shot: Shot, raster: Raster) -> float:
    """Gain of a shot's linear light, as by a camera with locked exposure: metered on a small picture of the shot's
    middle. 1 in the flat world."""
    if shot.stage is None:
        return 1.0
    middle = np.array([(shot.start_s + shot.end_s) / 2])
    meter = _trace_stage(shot, replace(raster, height=METER_SIZE, width=METER_SIZE, times=middle), shutter_s=0.0)
    return float((METER_GREY / meter.mean().clamp(min=1e-3)) ** METER_SHARE)


def _trace_stage(shot: Shot, raster: Raster, shutter_s: float) -> Tensor:
    """Linear light [frames, height, width, 3] of one shot of solid bodies, before exposure."""
    assert shot.stage is not None
    try:
        from openfoley.gym.bodies.raytrace import render_stage
    except ModuleNotFoundError as error:
        raise UsageError(f"scenes of bodies need {error.name}: pip install 'openfoley[gym]'") from None
    form = {"aspect": raster.aspect, "size": (raster.height, raster.width), "device": raster.device}
    return render_stage(shot.stage, shot.camera, raster.times, shutter_s=shutter_s, **form)


def _shadow(part: Part, shot: Shot, times: np.ndarray) -> RoundedBox:
    """A dark, soft ellipse on the floor below the part, shifted away from the light, fainter with height."""
    where = part.position(times)
    up = np.maximum(where[:, 1], 0.0)
    light = shot.grade.light
    ground = np.stack([where[:, 0] - light[0] / light[1] * up * 0.5, 0 * up, where[:, 2]], axis=1)
    span = max(part.half) + part.radius if part.angle is not None else part.half[0] + part.radius
    fade = shot.grade.shadow * np.exp(-0.8 * up)
    if part.opacity is not None:
        fade = fade * part.opacity(times)
    dark = Look((0.0, 0.0, 0.0), 0.0, 1.0, 0.0)
    tilt = float(np.clip(abs(shot.camera.turn(times[:1])[0, 1]), 0.08, 1.2))
    return RoundedBox((0.0, 0.0), span, dark, ground, None, fade, squash=np.sin(tilt), soft=0.6)


def _box(part: Part, times: np.ndarray) -> RoundedBox:
    opacity = np.full(len(times), part.look.alpha) if part.opacity is None else part.look.alpha * part.opacity(times)
    angle = None if part.angle is None else part.angle(times)
    return RoundedBox(part.half, part.radius, part.look, part.position(times), angle, opacity)


def _paint(canvas: Tensor, box: RoundedBox, shot: Shot, raster: Raster) -> None:
    """Composite one rounded box over the canvas [frames, padded height, padded width, 3], in place."""
    height, width, aspect, margin = raster.height, raster.width, raster.aspect, raster.margin
    half, radius, angle, opacity, squash = box.half, box.radius, box.angle, box.opacity, box.squash
    x, y, depth, scale = project(shot.camera, aspect, box.centre, raster.times)
    shown = (opacity > 0) & (depth > 0.25)
    if not shown.any():
        return
    device, index = canvas.device, np.nonzero(shown)[0]
    px, py, scale = x[index] * width, y[index] * height, scale[index]
    reach = float(np.hypot(*half)) + radius if angle is not None else max(half[0], half[1]) + radius
    reach *= 1 + box.soft
    wide = min(int(np.ceil(2 * reach * scale.max() * width / aspect)) + 4, 2 * margin)
    high = min(int(np.ceil(2 * reach * squash * scale.max() * height)) + 4, 2 * margin)
    left = np.clip(np.floor(px - wide / 2).astype(np.int64) + margin, 0, canvas.shape[2] - wide)
    top = np.clip(np.floor(py - high / 2).astype(np.int64) + margin, 0, canvas.shape[1] - high)
    outside = (left + wide <= margin) | (left >= margin + width) | (top + high <= margin) | (top >= margin + height)
    if outside.all():
        return
    index, px, py, scale, left, top = (a[~outside] for a in (index, px, py, scale, left, top))

    def put(a: np.ndarray) -> Tensor:
        return torch.as_tensor(a, dtype=torch.float32, device=device)[:, None, None]

    rows = torch.as_tensor(top, device=device)[:, None] + torch.arange(high, device=device)
    columns = torch.as_tensor(left, device=device)[:, None] + torch.arange(wide, device=device)
    # Metres from the part's centre, in its own plane.
    x = ((columns - margin + 0.5).float()[:, None, :] - put(px)) * (aspect / width) / put(scale)
    y = -((rows - margin + 0.5).float()[:, :, None] - put(py)) / (height * squash) / put(scale)
    light = shot.grade.light
    lx, ly, lz = light
    if angle is not None:
        c, s = put(np.cos(angle[index])), put(np.sin(angle[index]))
        x, y = x * c + y * s, y * c - x * s
        lx, ly = light[0] * c + light[1] * s, light[1] * c - light[0] * s
    qx, qy = x.abs() - half[0], y.abs() - half[1]
    ox, oy = qx.clamp(min=0), qy.clamp(min=0)
    distance = torch.sqrt(ox * ox + oy * oy + 1e-12) + torch.maximum(qx, qy).clamp(max=0) - radius
    pixel = 1.0 / (put(scale) * height)
    edge = pixel if box.soft == 0 else pixel + box.soft * radius
    alpha = torch.clamp(0.5 - distance / edge, 0, 1) * put(opacity[index])
    painted = torch.as_tensor(index, device=device)[:, None, None], rows[:, :, None], columns[:, None, :]
    shaded = _shade(box, Surface(x, y, ox, oy, distance, pixel), shot.grade, (lx, ly, lz))
    canvas[painted] = torch.lerp(canvas[painted], shaded, alpha[..., None])


def _shade(box: RoundedBox, at: Surface, grade: Grade, light: tuple[Tensor | float, Tensor | float, float]) -> Tensor:
    """Colour [frames, high, wide, 3]: texture, Lambert from a bulged normal, a highlight, an outline in the held-out
    style. light: its direction in the box's own plane."""
    look = box.look
    color = torch.tensor(look.color, device=at.x.device)
    shade = torch.ones_like(at.x)
    if look.contrast:
        shade = 1 + look.contrast * _texture(look, at.x, at.y)
    if grade.outline:
        return color * (shade * torch.where(at.distance > -2.5 * at.pixel, 0.1, 1.0))[..., None]
    if look.bulge > 0 and box.radius > 0:
        inverse = look.bulge / max(box.radius, 0.04)
        nx = torch.clamp(torch.sign(at.x) * at.beyond_x * inverse, -1, 1)
        ny = torch.clamp(torch.sign(at.y) * at.beyond_y * inverse, -1, 1)
        nz = torch.sqrt(torch.clamp(1 - nx * nx - ny * ny, min=0.0))
        lit = torch.clamp(nx * light[0] + ny * light[1] - nz * light[2], min=0.0)
    else:
        lit = torch.full_like(at.x, max(-light[2], 0.0) + 0.2)
    lit = shade * (grade.ambient + (1.1 - grade.ambient) * lit)
    spot = look.gloss * torch.clamp(lit - 0.55, min=0) ** 2 * 1.5 if look.gloss else None
    paint = color * lit[..., None]
    return paint if spot is None else paint + spot[..., None]


def _grade(linear: Tensor, grade: Grade, rng: torch.Generator) -> Tensor:
    """Linear light [frames, height, width, 3] -> uint8 [frames, 3, height, width]: tint, gamma, blur, noise,
    compression."""
    picture = linear * torch.tensor(grade.tint, device=linear.device)
    if grade.saturation != 1:
        grey = picture.mean(-1, keepdim=True)
        picture = grey + grade.saturation * (picture - grey)
    picture = picture.clamp_(1e-4, 1).pow_(LINEAR_TO_SCREEN * grade.gamma * 1.4)
    picture = picture.permute(0, 3, 1, 2)
    if grade.blur:
        picture = _blur(picture, grade.blur * picture.shape[2] / 96)
    if grade.noise:
        noise = torch.randn(picture.shape[0], 1, *picture.shape[2:], generator=rng).to(picture.device)
        picture = picture + grade.noise * noise
    if grade.quantization:
        picture = _compress(picture, grade.quantization)
    return picture.clamp_(0, 1).mul_(255).add_(0.5).to(torch.uint8)


def _blur(picture: Tensor, sigma: float) -> Tensor:
    reach = max(1, int(2.5 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 0.2)) ** 2)
    weights /= weights.sum()
    for axis in (2, 3):  # shifted sums: torch's CPU convolution of one channel is ten times slower
        size = picture.shape[axis]
        around = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        padded = torch.nn.functional.pad(picture, around, mode="replicate")
        picture = sum(float(w) * padded.narrow(axis, k, size) for k, w in enumerate(weights))  # type: ignore[assignment]
    return picture


def _compress(picture: Tensor, step: float) -> Tensor:
    """What block coding does: 8 x 8 cosine transform, coefficients rounded, coarser for higher frequencies."""
    n, c, h, w = picture.shape
    if h % 8 or w % 8:
        return picture
    k = torch.arange(8, device=picture.device, dtype=picture.dtype)
    basis = torch.cos(torch.pi / 8 * (k[None] + 0.5) * k[:, None]) * 0.5
    basis[0] *= 0.5**0.5
    blocks = picture.reshape(n, c, h // 8, 8, w // 8, 8).permute(0, 1, 2, 4, 3, 5)
    steps = step * (1 + k[:, None] + k[None, :])
    coefficients = torch.round(basis @ blocks @ basis.T / steps) * steps
    return (basis.T @ coefficients @ basis).permute(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)
