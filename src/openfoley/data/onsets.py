"""Dense onset targets for the sync encoder, from sound alone (beyond the paper).

For each frame's 1/24 s, in four steps of 10.4 ms: the rise of each of six bands, and the overall level. The paper's
contrastive loss gives one bit per pair of snippets; these targets give the time, loudness and brightness of onsets in
every frame, so that a small encoder learns timing in hours instead of weeks. They need no labels.
"""

import torch
from jaxtyping import Float
from torch import Tensor

SAMPLE_RATE = 16000  # Hz
STEPS_PER_FRAME = 4  # at 24 fps: 96 steps a second, 10.4 ms
STEP_RATE = 96  # Hz
WINDOW_LENGTH = 256  # samples, 16 ms: the step before an onset contains little of it
BAND_EDGES_HZ = (60.0, 250.0, 600.0, 1200.0, 2400.0, 4500.0, 8000.0)  # six bands of about an octave
BANDS = len(BAND_EDGES_HZ) - 1
TARGETS = BANDS + 1  # rises per band, then the level
FLOOR = 1e-7  # mean-square level taken as silence, -70 dB of full scale
LEVEL_RANGE = 6.0  # decades of power between silence and the loudest, -10 dB
RISE_RANGE = 3.0  # decades of power that count as a full rise (30 dB)
RISE_THRESHOLD = 0.1  # decades (1 dB): fluctuation of steady noise


def onset_targets(samples: Float[Tensor, "batch time"], frames: int) -> Float[Tensor, "batch frames steps targets"]:
    """Mono sound at 16 kHz (starts with frame 0) -> 0..1 for STEPS_PER_FRAME steps and TARGETS.

    Rise: how far log10 of a band's power lies above the larger of the last two steps, beyond RISE_THRESHOLD, divided by
    RISE_RANGE. Step j is measured through a Hann window that is centred in the step, (j + 0.5) / 96 s.
    """
    steps = frames * STEPS_PER_FRAME
    memory = 2  # steps before the first, so that it can have a rise
    index = torch.arange(-memory, steps, device=samples.device)
    first = ((2 * index + 1) * SAMPLE_RATE) // (2 * STEP_RATE) - WINDOW_LENGTH // 2
    edge = -int(first[0])
    after = max(0, int(first[-1]) + WINDOW_LENGTH - samples.shape[-1])
    padded = _mirrored(samples.float(), edge, after)
    windows = padded.unfold(-1, WINDOW_LENGTH, 1)[:, first + edge]
    power = torch.fft.rfft(windows * torch.hann_window(WINDOW_LENGTH, device=samples.device)).abs().square()
    # Parseval: the mean square of a windowed sine is sum |X|^2 * 2 / N^2; the Hann window keeps 3/8 of it
    bands = power @ _band_matrix().to(power) * (2 / WINDOW_LENGTH**2 / 0.375)
    logs = torch.log10(bands + FLOOR)
    before = torch.maximum(logs[:, :-memory], logs[:, 1:-1])
    rise = ((logs[:, memory:] - before - RISE_THRESHOLD) / RISE_RANGE).clamp(0, 1)
    level = torch.log10(bands[:, memory:].sum(-1, keepdim=True) / FLOOR + 1) / LEVEL_RANGE
    return torch.cat([rise, level.clamp(0, 1)], dim=-1).unflatten(1, (frames, STEPS_PER_FRAME))


def _mirrored(samples: Float[Tensor, "batch time"], before: int, after: int) -> Float[Tensor, "batch padded"]:
    """Mirrored at both ends, so that neither running noise nor its truncated end looks like an onset."""
    start, end = samples[:, 1 : before + 1].flip(-1), samples[:, -after - 1 : -1].flip(-1)
    return torch.cat([start, samples, end], dim=-1)


def _band_matrix() -> Float[Tensor, "bins bands"]:
    """1 where a bin lies in a band."""
    hz = torch.arange(WINDOW_LENGTH // 2 + 1) * SAMPLE_RATE / WINDOW_LENGTH
    edges = torch.tensor(BAND_EDGES_HZ)
    return ((hz[:, None] >= edges[:-1]) & (hz[:, None] < edges[1:])).float()
