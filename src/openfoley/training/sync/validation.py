"""What the sync encoder's training reports of clips that it is never trained on."""

import logging
from dataclasses import asdict

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.data.seen_events import NO_MATERIAL
from openfoley.data.snippets import SNIPPET_FRAMES, Snippets
from openfoley.data.sync_clips import SyncClips
from openfoley.encoders.audio_tower import AudioTower
from openfoley.encoders.sync import SyncEncoder
from openfoley.training.sync.heads import Heads
from openfoley.training.sync.offset_retrieval import offset_retrieval

logger = logging.getLogger(__name__)

SURELY_SEEN = 0.5  # share of an event that falls on a frame, above which the frame counts as the event's
RETRIEVED_SNIPPETS = 6  # per clip
RETRIEVAL_REACH = 12  # frames


@torch.no_grad()
def validate(
    encoder: SyncEncoder,
    tower: AudioTower | None,
    heads: Heads,
    clips: SyncClips,
    *,
    videos: int,
    still: float,
    seed: int,
) -> dict[str, float]:
    """Retrieval of the right offset (where there is an audio tower), correlation of the onset head with the onsets,
    average precision (1 is perfect) of the frames in which an event is visible, and the share of these whose material
    is recognised (`clips.named` by the materials that the heads know)."""
    parts, device = [part for part in (encoder, tower, heads) if part is not None], next(encoder.parameters()).device
    result: dict[str, float] = {}
    for part in parts:
        part.eval()
    with torch.autocast(device.type, torch.bfloat16):
        if tower is not None:
            found = offset_retrieval(
                encoder, tower, clips, videos=videos, per_video=RETRIEVED_SNIPPETS, reach=RETRIEVAL_REACH, still=still,
                generator=torch.Generator().manual_seed(seed),
            )  # fmt: skip
            result |= {f"offset_{name}": float(value) for name, value in asdict(found).items()}
        started, true_started, seen, true_seen, recognised = [], [], [], [], []
        starts = torch.arange(0, clips.frame_count - SNIPPET_FRAMES + 1, SNIPPET_FRAMES)
        for video in range(0, min(2 * videos, len(clips)), 2):
            abutting = Snippets(torch.full_like(starts, video), starts)
            tokens = encoder.tokens(clips.pictures(abutting).to(device) / 255)
            features = encoder.pool(tokens)
            started.append(heads.onset(features).float().sigmoid()[..., :-1].amax(-1).flatten().cpu())
            true_started.append(clips.activity(abutting)[..., :-1].amax(-1).flatten().cpu())
            places, materials = clips.events.targets(abutting)
            seen.append(heads.place(tokens).float().amax(-1).flatten().cpu())
            share, cell = places.max(-1)
            true_seen.append(share.flatten())
            material = materials.gather(-1, cell[..., None])[..., 0]
            right = heads.material.of_frame(features).argmax(-1).cpu() == material
            recognised.append(right[(share > SURELY_SEEN) & (material != NO_MATERIAL)])
    for part in parts:
        part.train()
    correlation = torch.corrcoef(torch.stack([torch.cat(started), torch.cat(true_started)]))[0, 1]
    result["onset_correlation"] = float(correlation.nan_to_num())
    result["seen_precision"] = _average_precision(torch.cat(seen), torch.cat(true_seen))
    result["material_accuracy"] = float(torch.cat(recognised).float().mean().nan_to_num())
    logger.info("validation: %s", "  ".join(f"{name} {value:.4g}" for name, value in result.items()))
    return result


def _average_precision(scores: Float[Tensor, " frames"], shares: Float[Tensor, " frames"]) -> float:
    """Of frames that surely hold an event among those that hold none; frames beside an event count as neither."""
    true = (shares > SURELY_SEEN)[(shares > SURELY_SEEN) | (shares == 0)]
    scores = scores[(shares > SURELY_SEEN) | (shares == 0)]
    hits = true[scores.argsort(descending=True)].float()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    return float((precision * hits).sum() / hits.sum().clamp(min=1))
