"""How the tracker's mistakes show: python benchmarks/tracking.py [TRACKS] [FIRST_SEED]

Boxes of moving things of the Gym (flat world, validation split, one shot of 4 s), given in the middle and followed to
both ends. A frame is wrong if the box was found, and the thing's true centre lies outside of it. For each measure of
doubt: the share of pairs of a wrong and a right frame that it orders rightly (area under the curve), and how many of
the wrong frames and of the wrong tracks (0.4 s in a row) it shows at the threshold that alarms 2 % of the right ones;
then how many of the wrong tracks the tracker itself calls doubtful, and how many of the others.

    correlation  1 - the larger of the two correlations at the place found
    sidelobe     the score's mean and deviation beside the peak: -(peak - mean) / deviation
    rival        the largest score outside of half a box around the peak, minus the peak (`media.tracking.margin`)
    drift        1 - the correlation with the first template
    back         distance of the box followed back from the end, in half boxes
"""

import sys
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from openfoley.data.gym_sources import sources_in
from openfoley.evaluation.studies.crowds import part_boxes
from openfoley.gym.picture import render_picture
from openfoley.gym.records import Part, Scene, Shot
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of
from openfoley.media.frames import VideoInfo
from openfoley.media.tracking import WAY_BACK, Tracker, tracking_request

RATE, DURATION_S, HEIGHT = Fraction(24), 4.0, 360
LEAST_TRAVEL = 0.05  # of the picture: a thing that stands still is no test
LEAST_SIDE, MOST_SIDE = 0.04, 0.6  # of the picture
ALARMS = 0.02  # of the right frames
RUN = round(0.4 * RATE)
NAMES = ("correlation", "sidelobe", "rival", "drift", "back")


class Watched(Tracker):
    """A tracker that notes how doubtful each place is."""

    doubts: list[float]

    def _correlations(self, picture: Tensor, centre: Tensor, reach: int) -> tuple[Tensor, Tensor]:
        first, latest = super()._correlations(picture, centre, reach)
        score = (first + latest) / 2
        row, column = divmod(int(score.argmax()), score.shape[1])
        beside = torch.ones_like(score, dtype=torch.bool)
        rows, columns = (slice(max(0, at - side // 4), at + side // 4 + 1)
                         for at, side in ((row, self.height), (column, self.width)))  # fmt: skip
        beside[rows, columns] = False
        peak, rest = float(score[row, column]), score[beside] if beside.any() else score.flatten()
        found = float(torch.maximum(first, latest)[row, column])
        sidelobe = (peak - float(rest.mean())) / max(float(rest.std()), 1e-6)
        self.doubts = [1 - found, -sidelobe, float(rest.max()) - peak, 1 - float(first[row, column])]
        return first, latest


@dataclass(frozen=True)
class Followed:
    """One direction: doubts [frames, measures], whether each was found, and whether the true centre was outside."""

    doubts: np.ndarray
    found: np.ndarray
    wrong: np.ndarray
    told: bool


def moving_part(scene: Scene, shot: Shot, parts: list[Part], times: np.ndarray) -> np.ndarray | None:
    """The boxes of the part that moves most; None where none moves and is seen as a whole in the middle."""
    best, most = None, LEAST_TRAVEL
    for part in parts:
        boxes = part_boxes([part], shot, scene.aspect)(times)
        centres = (boxes[:, :2] + boxes[:, 2:]) / 2
        middle = boxes[len(boxes) // 2]
        sides = middle[2:] - middle[:2]
        travel = float(np.ptp(centres, axis=0).max())
        inside = bool((middle[:2] > 0).all() and (middle[2:] < 1).all())
        if part.object_id and inside and (sides > LEAST_SIDE).all() and (sides < MOST_SIDE).all() and travel > most:
            best, most = boxes, travel
    return best


def followed(frames: list[Tensor], boxes: np.ndarray) -> Followed:
    """From the first frame, whose box is given, on."""
    box = tuple(boxes[0].tolist())
    half = (boxes[0, 2:] - boxes[0, :2]) / 2
    tracker, places, doubts, found = Watched(frames[0], box, RATE), [], [], []
    for frame in frames[1:]:
        goes_on = tracker.push(frame)
        if tracker.is_plain or not goes_on:
            break
        places.append(tracker.place)
        doubts.append(tracker.doubts)
        found.append(tracker.misses == 0)
    if not places:
        return Followed(np.zeros((0, len(NAMES))), np.zeros(0, bool), np.zeros(0, bool), False)
    end = np.array(places[-1])
    back = Tracker(frames[len(places)], (*(end - half), *(end + half)), RATE)
    backwards, again = [back.place], [True]
    for frame in reversed(frames[1 : len(places)]):
        back.push(frame)
        backwards.append(back.place)
        again.append(back.misses == 0)
    apart = np.abs(np.array(backwards[::-1]) - np.array(places)) / half
    centres = (boxes[1 : len(places) + 1, :2] + boxes[1 : len(places) + 1, 2:]) / 2
    off = (np.abs(np.array(places) - centres) / half).max(1)
    told = tracker.met_rival and bool((apart.max(1) > 2 * WAY_BACK)[np.array(found) & again[::-1]].any())
    return Followed(np.column_stack([np.array(doubts), apart.max(1)]), np.array(found), off > 1, told)


def tracks(count: int, first_seed: int) -> list[Followed]:
    made: list[Followed] = []
    times = np.arange(round(DURATION_S * RATE)) / float(RATE)
    for seed in seeds_of("validation", 10_000, first_seed):
        scene = sample_scene(seed, DURATION_S, split="validation", silent=False, single_shot=True)
        (shot,) = scene.shots
        found = [moving_part(scene, shot, act.parts, times) for act in sources_in(scene).values()]
        for boxes in (one for one in found if one is not None):
            middle = len(times) // 2
            info = VideoInfo(None, Fraction(4), Fraction(0), round(HEIGHT * scene.aspect), HEIGHT, 0, RATE, 0)
            request = tracking_request(info, tuple(boxes[middle].tolist()))
            pictures = render_picture(scene, rate=RATE, height=request.height, width=request.width)
            frames = list(pictures)
            made += [followed(frames[middle:], boxes[middle:]), followed(frames[middle::-1], boxes[middle::-1])]
            if len(made) >= 2 * count:
                return made
    return made


def has_run(wrong: np.ndarray) -> bool:
    """So many frames in a row."""
    return bool((np.convolve(wrong, np.ones(RUN), "valid") >= RUN).any()) if len(wrong) >= RUN else False


def main(count: int = 20, first_seed: int = 0, keep: str = "") -> None:
    torch.set_num_threads(1)
    made = tracks(count, first_seed)
    if keep:
        np.savez(
            keep, **{f"{n}.{k}": getattr(one, k) for n, one in enumerate(made) for k in ("doubts", "found", "wrong")}
        )
    doubts, found, wrong = (np.concatenate([getattr(one, k) for one in made]) for k in ("doubts", "found", "wrong"))
    right, bad = doubts[found & ~wrong], doubts[found & wrong]
    wrong_tracks = [one for one in made if has_run(one.wrong & one.found)]
    print(f"{len(made)} tracks (two a box), {len(wrong)} frames, {int(found.sum())} found, {len(bad)} of them wrong; "
          f"{len(wrong_tracks)} tracks wrong for 0.4 s")  # fmt: skip
    for number, name in enumerate(NAMES):
        threshold = float(np.quantile(right[:, number], 1 - ALARMS))
        area = float((bad[:, None, number] > right[None, :, number]).mean()) if len(bad) else float("nan")
        shown = float((bad[:, number] > threshold).mean()) if len(bad) else float("nan")
        told = sum(bool((one.doubts[:, number] > threshold)[one.found & one.wrong].any()) for one in wrong_tracks)
        print(f"{name:<12} area {area:.3f}, threshold {threshold:7.3f}: {shown:.2f} of the wrong frames, {told} tracks")
    others = [one for one in made if not has_run(one.wrong & one.found)]
    print(f"doubtful: {sum(one.told for one in wrong_tracks)} of the {len(wrong_tracks)} wrong tracks, "
          f"{sum(one.told for one in others)} of the {len(others)} others")  # fmt: skip


if __name__ == "__main__":
    words = sys.argv[1:]
    main(*(kind(word) for kind, word in zip((int, int, str), words, strict=False)))
