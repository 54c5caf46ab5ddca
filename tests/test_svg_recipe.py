"""recipes/svg_gym.py: its jobs form a plan that can be carried out, and carrying it out writes every table."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

import tiny_pairs
from openfoley.data.pairs.pair import MODALITIES
from openfoley.evaluation.reports import pair_judge
from openfoley.hub.pair import load_pair_model
from openfoley.judges.pair_events import RECIPES
from openfoley.judges.training import Recipe
from openfoley.training.joint import presets

PATH = Path(__file__).parents[1] / "recipes" / "svg_gym.py"


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    specification = importlib.util.spec_from_file_location("svg_gym", PATH)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["svg_gym"] = module
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("skip", [set(), {"motion"}, {"joint-attention", "motion"}, {"cross-attention", "motion"}])
def test_every_job_needs_jobs_before_it_and_no_table_needs_what_is_left_out(
    recipe: ModuleType, tmp_path: Path, skip: set[str]
) -> None:
    jobs = recipe.jobs_of(recipe.Settings(tmp_path), frozenset(skip))
    names = list(jobs)
    for place, (name, job) in enumerate(jobs.items()):
        assert all(names.index(need) < place for need in job.needs), name
        assert not any(need in (f"train {one}", f"set {one}") for need in (name, *job.needs) for one in skip)
    assert {"table ceilings", "table gamma", "table tasks", "table length", "table twice"} <= set(names)
    assert len({job.done for job in jobs.values()}) == len(jobs)


def test_a_table_says_which_sets_it_is_without_so_that_it_is_made_again_with_them(
    recipe: ModuleType, tmp_path: Path
) -> None:
    settings = recipe.Settings(tmp_path)
    few, more, every = (
        {name for name in recipe.jobs_of(settings, frozenset(skip)) if name.startswith("table")}
        for skip in ({"joint-attention", "motion"}, {"motion"}, ())
    )
    assert "table kinds-without-joint-attention" in few and "table kinds" not in few
    assert "table kinds" in more and "table trained" not in more
    assert {"table kinds", "table trained", "table curves"} <= every and few < every


def test_what_is_the_core_is_begun_before_the_other_trainings(recipe: ModuleType, tmp_path: Path) -> None:
    names = list(recipe.jobs_of(recipe.Settings(tmp_path)))
    assert names.index("table kinds-without-joint-attention") < names.index("train joint-attention")


def test_the_variants_have_folders_of_their_own(recipe: ModuleType, tmp_path: Path) -> None:
    settings = recipe.Settings(tmp_path, steps=(6, 6, 8), hours=(3, 1, 2))
    assert len({settings.model(variant) for variant in (*recipe.VARIANTS, recipe.HALF)}) == len(recipe.VARIANTS) + 1
    chosen = settings.recipe("connectors", "joint-attention")
    assert (chosen.kind, chosen.steps, chosen.hours) == ("joint-attention", 8, 2)
    assert settings.recipe("connectors", "cmc-pe").place == tmp_path / "connectors"


def test_what_is_done_is_not_done_again_and_a_job_without_a_result_is_named(recipe: ModuleType, tmp_path: Path) -> None:
    done = recipe.Job("data", (), tmp_path / "there", print)
    (tmp_path / "there").touch()
    recipe.run_all({"one": done}, 1, tmp_path / "logs")
    with pytest.raises(SystemExit, match="two ended without a result"):
        recipe.run_all({"one": done, "two": recipe.Job("data", ("one",), tmp_path / "missing", print)}, 1, tmp_path)


@pytest.mark.slow
def test_all_jobs_make_all_tables(recipe: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pair_judge, "SCENES", {"train": 12, "validation": 6, "evaluation": 8})
    for modality in MODALITIES:
        monkeypatch.setitem(RECIPES, modality, Recipe(epochs=1, batch=6, learning_rate=1e-3, weight_decay=0.01))
    for stage, preset in presets.GYM.items():
        tiny = replace(preset, architecture=tiny_pairs.TINY, batch=2, validation=2, validate_every=1, warmup_steps=1)
        monkeypatch.setitem(presets.GYM, stage, tiny)
    monkeypatch.setattr("openfoley.training.joint.train.DEFAULT_STEPS", 2)
    monkeypatch.setattr(recipe, "GUIDANCE_PROMPTS", 2)
    settings = recipe.Settings(tmp_path, cores=1, prompts=2, seeds=2, scenes=4, steps=(2, 2, 2))
    for name, job in recipe.jobs_of(settings).items():
        job.run()
        assert job.done.exists(), name
    assert load_pair_model(tmp_path / "svg-gym").name == "svg-gym"
    said = (tmp_path / "tables" / "kinds.txt").read_text()
    assert "cmc-pe - none" in said and "event F1 by chance" in said and "p " in said
    assert "validation_loss" in (tmp_path / "tables" / "curves.txt").read_text()
