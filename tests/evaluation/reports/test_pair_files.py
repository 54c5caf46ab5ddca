"""`evaluate pair`: sets of clips by name, figures that know damage, paired differences, and what is refused."""

import json
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from openfoley.cli import main
from openfoley.data.onset_detector import detect
from openfoley.data.pairs.gym_pairs import GymPairs, render_pair
from openfoley.data.pairs.pair import GYM_FORM, Modality, Pair, PairForm
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.av_align import READINGS
from openfoley.evaluation.metrics.pair import agreement, agreement_f1
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.reports import pair_files
from openfoley.evaluation.reports.pair_files import evaluate_pairs, prompts_of, table
from openfoley.gym.seeds import seeds_of
from openfoley.media.write.encode import write_video
from openfoley.types import Audio

SEEDS = seeds_of("evaluation", 6, 40, "close-up")


@cache
def truth_of(seed: int) -> np.ndarray:
    return from_dict(render_pair(seed)[1]).scored_s


class Stub:
    """Events of the picture from the truth, those of the sound by a detector, features by means: no network."""

    name, size = "stub", 32
    about: dict[str, Any] = {}

    def events(self, modality: Modality, pairs: Sequence[Pair], form: PairForm) -> list[np.ndarray]:
        if modality == "picture":
            return [truth_of(int(pair.name.partition("-")[0])) for pair in pairs]
        return [detect(pair.sound[None], form.sample_rate).times_s for pair in pairs]

    def features(self, modality: Modality, pairs: Sequence[Pair], form: PairForm) -> np.ndarray:
        if modality == "picture":
            return np.stack([pair.frames.double().mean((0, 2, 3)).numpy() for pair in pairs])
        return np.stack([pair.sound.double().reshape(4, -1).square().mean(1).log1p().numpy() for pair in pairs])


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference; its clips as files, twice; the same with the sound of the next clip."""
    folder = tmp_path_factory.mktemp("sets")
    pairs = GymPairs.build(folder / "gym" / "evaluation", SEEDS, workers=1)
    for name, shift in (("same", 0), ("moved", 1)):
        (folder / name).mkdir()
        for k in range(len(pairs)):
            sound = Audio(pairs[(k + shift) % len(pairs)].sound[None], 16_000)
            for take in ("", "-2"):
                file = folder / name / f"{pairs[k].name}{take}.mp4"
                write_video(file, pairs[k].frames, Fraction(8), audio=sound, crf=4)
    return folder


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_files, "FRECHET_DRAWS", 20)


def test_clips_that_are_the_references_have_its_figures_and_exchanged_sounds_have_not(sets: Path) -> None:
    record = evaluate_pairs([sets / "same", sets / "moved"], sets / "gym", Stub())
    assert record["clips"]["same"] == {"clips": 12, "prompts": 6}
    figures = record["figures"]
    ceiling, own, moved = (figures[name]["event F1"]["value"] for name in ("reference", "same", "moved"))
    assert ceiling > 0.8 and own == pytest.approx(ceiling, abs=0.1) and moved < 0.5 * own
    assert figures["reference"]["event F1 by chance"]["value"] == pytest.approx(moved, abs=0.15)
    assert figures["same"]["Frechet distance of picture, stub"]["value"] < 30
    assert "Frechet distance of picture, stub" not in figures["reference"]
    for reading in READINGS:
        ours, true = (figures[name][f"AV-Align, {reading}"]["value"] for name in ("same", "reference"))
        assert ours == pytest.approx(true, abs=0.15)
    gap = record["differences"]["moved"]["event F1"]
    assert gap["difference"] == pytest.approx(moved - own) and 0 < gap["p"] <= 1
    assert gap["interval"][0] <= gap["difference"] <= gap["interval"][1]
    said = table(record)
    assert "same: 12 clips of 6 prompts" in said and "moved - same" in said and "AV-Align, svg" in said


def test_the_order_of_clips_does_not_matter(sets: Path) -> None:
    pairs = GymPairs.open(sets / "gym" / "evaluation")
    clips = [pairs[k] for k in range(len(pairs))]
    one, two = (
        pair_files.measure("x", part, tuple(c.name for c in part), GYM_FORM, Stub(), [])
        for part in (clips, clips[::-1])
    )
    assert one.sums is not None and two.sums is not None
    assert agreement_f1(one.sums) == agreement_f1(two.sums) and np.array_equal(one.align, two.align[::-1])


def test_agreement_counts_visible_and_audible_events_at_the_same_time() -> None:
    visible, audible = [np.array([0.5, 1.0]), np.zeros(0)], [np.array([0.56, 1.5, 1.6]), np.array([0.2])]
    assert agreement(visible, audible).tolist() == [[1, 3, 2], [0, 1, 0]]
    assert agreement_f1(agreement(visible, audible)) == pytest.approx(2 / 6)
    assert agreement_f1(agreement(visible, visible)) == 1.0 and agreement_f1(np.zeros((2, 3))) == 0.0


def test_generated_clips_are_found_by_name_and_strangers_are_refused(sets: Path, tmp_path: Path) -> None:
    assert prompts_of(tmp_path, ["a", "a-1", "b_s2", "b.3"], ["a", "b"]) == ("a", "a", "b", "b")
    assert prompts_of(tmp_path, ["a-1"], ["a-1", "a"]) == ("a-1",)
    with pytest.raises(UsageError, match="'c-1' of .* is the name of no reference clip; name it like a.mp4"):
        prompts_of(tmp_path, ["c-1"], ["a"])
    with pytest.raises(UsageError, match="holds no finished pairs"):
        evaluate_pairs([tmp_path], sets / "gym")
    with pytest.raises(UsageError, match="is no folder"):
        evaluate_pairs([sets / "nowhere"], sets / "gym")
    (tmp_path / "fewer").mkdir()
    source = sets / "same" / f"{SEEDS[0]}.mp4"
    (tmp_path / "fewer" / source.name).write_bytes(source.read_bytes())
    with pytest.raises(UsageError, match="hold clips of other prompts, or other numbers"):
        evaluate_pairs([sets / "same", tmp_path / "fewer"], sets / "gym")
    with pytest.raises(UsageError, match="two sets are named 'same'; rename a folder"):
        evaluate_pairs([sets / "same", sets / "same"], sets / "gym")


def test_the_command_prints_a_table_or_an_object_and_needs_a_judge_that_is_there(
    sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "pair", str(sets / "same"), str(sets / "gym"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["judge"] is None and set(record["figures"]) == {"reference", "same"}
    assert main(["evaluate", "pair", str(sets / "same"), str(sets / "gym"), "--judge", str(sets)]) == 2
    assert "train one with `openfoley evaluate pair-judge" in capsys.readouterr().err


def test_more_noise_is_farther_away(sets: Path) -> None:
    pairs = GymPairs.open(sets / "gym" / "evaluation")
    clips = [pairs[k] for k in range(len(pairs))]
    names = tuple(clip.name for clip in clips)
    generator = torch.Generator().manual_seed(0)
    reference = pair_files.measure("reference", clips, names, GYM_FORM, None, [Stub()])
    distances = []
    for level in (0.0, 0.1, 0.5):
        noisy = [Pair(c.name, c.frames, c.sound + level * torch.randn(c.sound.shape, generator=generator), c.captions)
                 for c in clips]  # fmt: skip
        one = pair_files.measure("noisy", noisy, names, GYM_FORM, None, [Stub()])
        record = pair_files.report([reference, one], None, [Stub()])
        distances.append(record["figures"]["noisy"]["Frechet distance of sound, stub"]["value"])
    assert distances[0] < 1e-9 < distances[1] < distances[2]
