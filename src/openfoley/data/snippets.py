"""The snippets of a contrastive step, and its positive pairs (arXiv 2510.02916, sections 3.1 and A.4).

Most negatives come from the same video. Adjacent snippets alone would teach only offsets of 0.667 s, so each picture
snippet is also compared with sound 2 to 10 frames (83 to 417 ms) early or late. Sound is about fifty times cheaper to
encode than pictures, so these shifted snippets are sound only.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

SNIPPET_FRAMES = 16  # 0.667 s at 24 fps
FRAME_RATE = 24  # Hz
SAMPLE_RATE = 16000  # Hz
SNIPPET_SAMPLES = 10667  # 16 frames x 666.67 samples
NEAREST_SHIFT, FARTHEST_SHIFT = 2, 10  # frames; closer pairs are ignored
RATIO_TOLERANCE = 0.05  # arXiv 2510.02916, A.4


@dataclass(frozen=True)
class Snippets:
    """Snippets of several videos: video index and first frame of each."""

    video: Int[Tensor, " snippets"]
    start: Int[Tensor, " snippets"]


def audio_ratio_is_right(samples: int, frames: int, sample_rate: int, frame_rate: float) -> bool:
    """Whether a video has the nominal number of samples per frame within 5 % (16000 / 24 = 666.67, A.4).

    In other files sound and picture differ in length: events would be learned at wrong times.
    """
    if frames <= 0 or samples <= 0:
        return False
    expected = sample_rate / frame_rate
    return abs(samples / frames - expected) <= RATIO_TOLERANCE * expected


def first_sample(frame: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """The 16 kHz sample at which a frame is shown: frame k at k / 24 s, rounded to the nearest sample."""
    return (frame * (2 * SAMPLE_RATE) + FRAME_RATE) // (2 * FRAME_RATE)


def random_snippets(videos: int, per_video: int, frames: int, generator: torch.Generator) -> Snippets:
    """Random starts, uniform over all positions where a snippet fits."""
    start = torch.randint(0, frames - SNIPPET_FRAMES + 1, (videos, per_video), generator=generator)
    video = torch.arange(videos)[:, None].expand_as(start)
    return Snippets(video.reshape(-1), start.reshape(-1))


def shifted_snippets(snippets: Snippets, per_snippet: int, frames: int, generator: torch.Generator) -> Snippets:
    """For each snippet `per_snippet` others of its video, 2 to 10 frames earlier or later (turned round at the ends;
    in a video of under 36 frames that may not fit either, and the pair ends up left out)."""
    shape = (len(snippets.start), per_snippet)
    shift = torch.randint(NEAREST_SHIFT, FARTHEST_SHIFT + 1, shape, generator=generator)
    sign = torch.randint(0, 2, shape, generator=generator) * 2 - 1
    moved = snippets.start[:, None] + sign * shift
    outside = (moved < 0) | (moved > frames - SNIPPET_FRAMES)
    moved = torch.where(outside, snippets.start[:, None] - sign * shift, moved).clamp(0, frames - SNIPPET_FRAMES)
    return Snippets(snippets.video.repeat_interleave(per_snippet), moved.reshape(-1))


def joined(first: Snippets, second: Snippets) -> Snippets:
    return Snippets(torch.cat([first.video, second.video]), torch.cat([first.start, second.start]))


def pair_labels(
    pictures: Snippets,
    sounds: Snippets,
    picture_activity: Float[Tensor, " pictures *activity"],
    sound_activity: Float[Tensor, " sounds *activity"],
    *,
    alike: float,
    still: float,
) -> Float[Tensor, "pictures sounds"]:
    """z of Eq. 1 with a third value: 1 the same time, -1 another one, 0 ignored.

    activity: of the sounds over time, in 0..1 (`onset_targets`); for picture snippets that of their own sound. Ignored
    are pairs of the same video closer than 2 frames; pairs whose sounds differ by less than `alike` (mean absolute
    difference: silence, or steady rain); and the positive pair of a snippet without an onset (largest under `still`).
    On the activity's device.
    """
    device = picture_activity.device
    same_video = (pictures.video[:, None] == sounds.video).to(device)
    shift = (pictures.start[:, None] - sounds.start).abs().to(device)
    positive = same_video & (shift == 0)
    difference = torch.cdist(picture_activity.flatten(1), sound_activity.flatten(1), p=1)
    difference = difference / picture_activity[0].numel()
    is_still = picture_activity[..., :-1].flatten(1).amax(1) < still
    left_out = (same_video & (shift < NEAREST_SHIFT)) | (difference < alike)
    labels = torch.where(left_out, 0.0, -1.0)
    return torch.where(positive, torch.where(is_still[:, None], 0.0, 1.0), labels)
