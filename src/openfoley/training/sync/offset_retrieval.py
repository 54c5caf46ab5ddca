"""Does a sync encoder find the right offset within a video? (arXiv 2510.02916, section 3.1)

For a picture snippet, the sound of its own video at all offsets of +-reach frames competes; the most similar one is the
encoder's answer. Only snippets with an onset are tested. Chance is 1 / (2 reach + 1).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from openfoley.data.snippets import FRAME_RATE, Snippets, random_snippets
from openfoley.data.sync_clips import SyncClips
from openfoley.encoders.audio_tower import AudioTower
from openfoley.encoders.sync import SyncEncoder

MILLISECONDS = 1000.0


@dataclass(frozen=True)
class OffsetRetrieval:
    """accuracy: share of answers within one frame (42 ms); median_error_ms: of the absolute offset; count: snippets."""

    accuracy: float
    median_error_ms: float
    chance_accuracy: float
    chance_error_ms: float
    count: int


@torch.no_grad()
def offset_retrieval(
    sync: SyncEncoder,
    tower: AudioTower,
    clips: SyncClips,
    *,
    videos: int,
    per_video: int,
    reach: int,
    still: float,
    generator: torch.Generator,
) -> OffsetRetrieval:
    """Asks about `per_video` snippets of the first `videos` clips whose whole reach lies inside the clip."""
    device = next(sync.parameters()).device
    answers: list[Tensor] = []
    for video in range(min(videos, len(clips))):
        starts = random_snippets(1, per_video, clips.frame_count - 2 * reach, generator).start + reach
        asked = Snippets(torch.full_like(starts, video), starts)
        moving = clips.activity(asked)[..., :-1].flatten(1).amax(1).cpu() >= still
        if not moving.any():
            continue
        asked = Snippets(asked.video[moving], asked.start[moving])
        pictures = sync(clips.pictures(asked).to(device).float() / 255).float().mean(1)
        offers = asked.start[:, None] + torch.arange(-reach, reach + 1)
        distinct = torch.arange(int(offers.min()), int(offers.max()) + 1)
        sounds = tower(clips.sounds(Snippets(torch.full_like(distinct, video), distinct)).to(device)).float().mean(1)
        similar = (F.normalize(pictures, dim=-1) @ F.normalize(sounds, dim=-1).T).cpu()
        answers.append(similar.gather(1, offers - distinct[0]).argmax(1) - reach)
    return _summary(torch.cat(answers) if answers else torch.zeros(0), reach)


def _summary(answers: Tensor, reach: int) -> OffsetRetrieval:
    """Chance: all 2 reach + 1 offsets equally often."""
    offsets = torch.arange(-reach, reach + 1).abs()
    frame_ms = MILLISECONDS / FRAME_RATE
    return OffsetRetrieval(
        accuracy=float((answers.abs() <= 1).float().mean()) if len(answers) else 0.0,
        median_error_ms=float(answers.abs().float().median()) * frame_ms if len(answers) else 0.0,
        chance_accuracy=float((offsets <= 1).float().mean()),
        chance_error_ms=float(offsets.float().median()) * frame_ms,
        count=len(answers),
    )
