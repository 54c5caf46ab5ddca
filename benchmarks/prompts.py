"""What prompts do at several weights: python benchmarks/prompts.py MODEL GYM_CACHE JUDGE [CLIPS [PICTURE,TEXT ...]]

Sounds of CLIPS (64) Gym scenes (a rendered cache as `openfoley train` leaves in data/validation) in 8 steps: without a
prompt, and for every pair of weights (`picture_guidance`, `text_guidance`; 4,4 4,8 2,8) with the true caption and with
one that contradicts the picture's material. JUDGE: the material.safetensors of a report or study. Made for choosing
defaults, so never on evaluation seeds. Two minutes a row on one core.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from openfoley.data.gym_cache import GymCache
from openfoley.evaluation.generation import generate_all, see
from openfoley.evaluation.metrics.sync import sync_report
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.reports.contradicting import contradicting
from openfoley.evaluation.reports.figures import materials_of, onsets_of
from openfoley.evaluation.reports.judge import load_classifier
from openfoley.hub.load import load_model
from openfoley.nn.memory import keep_freed_memory


def main(name: str, cache: Path, judge_file: Path, clips: int, weights: Sequence[tuple[float, float]]) -> None:
    keep_freed_memory()
    model, data, judge = load_model(name), GymCache.open(cache).first(clips), load_classifier(judge_file)
    truths, seen = [from_dict(record) for record in data.truth], see(model, data.frames)
    asked = [contradicting(record, index) for index, record in enumerate(data.truth)]
    others = [one[0] if one else None for one in asked]
    expected = [one[1] if one else {} for one in asked]
    captions = [record["caption"] for record in data.truth]

    def row(
        what: str,
        prompts: Sequence[str | None] | None,
        wanted: list[dict[str, str]] | None,
        picture: float | None = None,
        text: float | None = None,
    ) -> None:
        sounds = generate_all(model, seen, prompts, picture_guidance=picture, text_guidance=text)
        found = onsets_of(sounds)
        report, materials = sync_report(found, truths), materials_of(judge, sounds, found, truths, wanted)
        score = report.f1()
        print(
            f"{what}: F1 {score.f1:.3f} precision {score.precision:.3f} recall {score.recall:.3f} "
            f"false in silent clips {report.silent_false_per_minute.value:.0f}/min "
            f"material as asked {materials['accuracy']:.2f} of {materials['events']} N {len(data)}",
            flush=True,
        )

    row("no prompt", None, None)
    for picture, text in weights:
        row(f"true caption, picture {picture:g}, text {text:g}", captions, None, picture, text)
        row(f"contradicting prompt, picture {picture:g}, text {text:g}", others, expected, picture, text)


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        given[0],
        Path(given[1]),
        Path(given[2]),
        int(given[3]) if len(given) > 3 else 64,
        [(float(one), float(other)) for one, other in (word.split(",") for word in given[4:] or ("4,4", "4,8", "2,8"))],
    )
