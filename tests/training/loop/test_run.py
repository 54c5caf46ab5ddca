"""Run: a killed and resumed training gives the losses of the uninterrupted one."""

import csv
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

from openfoley.errors import OutputError, UsageError, WeightsError
from openfoley.training.loop import log as log_module
from openfoley.training.loop.ema import averaged
from openfoley.training.loop.optimizer import Both
from openfoley.training.loop.run import Every, Run, TrainingStopped
from openfoley.training.loop.schedule import warmup_cosine

TOTAL_STEPS = 30


def train(folder: Path, *, resume: bool, stop_before: int | None = None, nap_s: float = 0.0) -> None:
    """A small training with everything that has state or is random: AdamW, average, schedule, data order, dropout."""
    run = Run(folder, total_steps=TOTAL_STEPS, seed=7, resume=resume, every=Every(save=4, log=1))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.Dropout(0.5), torch.nn.Linear(32, 1))
    optimizer = Both(torch.optim.AdamW(model.parameters(), lr=1e-2, fused=True))
    average = averaged(model, decay=0.9)
    run.attach(model=model, optimizer=optimizer, average=average)
    for step in run.steps():
        if step == stop_before:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(nap_s)
        inputs = torch.randn(16, 8, generator=run.generator(step))
        loss = (model(inputs)[:, 0] - inputs.sum(1)).square().mean()
        optimizer.descend(loss, model.parameters(), factor=run.rate_factor(step, warmup_steps=5), limit=1.0)
        average.update_parameters(model)
        run.log(step, loss=loss, average=average(inputs).mean())


def rows(folder: Path) -> list[list[str]]:
    with open(folder / "log.csv", newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_killed_and_resumed_run_gives_the_losses_of_the_uninterrupted_one(tmp_path: Path) -> None:
    train(tmp_path / "whole", resume=False)
    child = (
        f"import test_run; test_run.train(test_run.Path({str(tmp_path / 'killed')!r}), resume=False, stop_before=15)"
    )
    done = subprocess.run(
        [sys.executable, "-c", child], cwd=Path(__file__).parent, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == -signal.SIGKILL
    with open(tmp_path / "killed" / "log.csv", "a", encoding="utf-8") as file:
        file.write("14,lo")  # a row that the kill cut short
    train(tmp_path / "killed", resume=True)
    assert rows(tmp_path / "killed") == rows(tmp_path / "whole")
    assert len(rows(tmp_path / "whole")) == 1 + 2 * TOTAL_STEPS


def test_sigterm_saves_and_says_how_to_resume(tmp_path: Path) -> None:
    train(tmp_path / "whole", resume=False)
    before = signal.getsignal(signal.SIGTERM)
    run = Run(tmp_path / "stopped", total_steps=TOTAL_STEPS, seed=7, resume=False)
    run.attach(weights=torch.nn.Linear(1, 1))
    with pytest.raises(TrainingStopped, match="SIGTERM after step 6"):
        for step in run.steps():
            if step == 5:
                os.kill(os.getpid(), signal.SIGTERM)
    again = Run(tmp_path / "stopped", total_steps=TOTAL_STEPS, seed=7, resume=True)
    assert again.first_step == 6
    assert signal.getsignal(signal.SIGTERM) == before


def test_progress_is_that_of_the_steps_or_of_the_time_if_it_ends_first(tmp_path: Path) -> None:
    run = Run(tmp_path, total_steps=1000, seed=1, resume=False, time_limit_s=100.0)
    run.elapsed_s = 4.0
    assert run.progress(10) == 0.01  # a slow first step is not yet a training that time cuts short
    run.elapsed_s = 9.0
    assert run.progress(100) == 0.1  # 90 s in all
    run.elapsed_s = 20.0
    assert run.progress(100) == 0.2  # 200 s in all, were they given
    end = warmup_cosine(500, warmup_steps=10, total_steps=1000, progress=1.0)
    assert end == 0.0 < warmup_cosine(500, warmup_steps=10, total_steps=1000)
    assert warmup_cosine(500, warmup_steps=10, total_steps=1000, progress=0.5) == warmup_cosine(
        500, warmup_steps=10, total_steps=1000
    )


def test_new_training_does_not_overwrite_an_old_checkpoint(tmp_path: Path) -> None:
    train(tmp_path, resume=False)
    with pytest.raises(UsageError, match="exists"):
        Run(tmp_path, total_steps=3, seed=7, resume=False)
    with pytest.raises(UsageError, match="seed"):
        Run(tmp_path, total_steps=3, seed=8, resume=True)


def test_a_checkpoint_of_other_settings_or_data_is_refused(tmp_path: Path) -> None:
    def run(resume: bool = True, total_steps: int = 4, **identity: object) -> Run:
        run = Run(tmp_path, total_steps=total_steps, seed=7, resume=resume, identity=identity)
        run.attach(weights=torch.nn.Linear(1, 1))
        return run

    assert len(list(run(resume=False, data="abc", rate=[1.0, 2.0]).steps())) == 4
    assert run(data="abc", rate=[1.0, 2.0]).first_step == 4
    with pytest.raises(UsageError, match="another data and rate; choose another folder, or delete it"):
        run(data="abd", rate=[1.0, 3.0])
    with pytest.raises(UsageError, match="another rate"):
        run(data="abc")
    with pytest.raises(UsageError, match="at step 4, past the 3 asked"):
        run(total_steps=3, data="abc", rate=[1.0, 2.0])


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_reported(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(WeightsError, match="no checkpoint of a training"):
        Run(tmp_path, total_steps=3, seed=7, resume=True)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("write failed")])
def test_a_full_disk_leaves_the_checkpoint_before(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tmp_path, resume=False)
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def fail(*_: object) -> None:
        raise error

    run = Run(tmp_path, total_steps=TOTAL_STEPS + 1, seed=7, resume=True)
    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OutputError, match="cannot write .*checkpoint.pt"):
        for _ in run.steps():
            pass
    assert (tmp_path / "checkpoint.pt").read_bytes() == before and not (tmp_path / "checkpoint.partial").exists()


def test_ctrl_c_in_the_last_step_stops_what_would_come_next(tmp_path: Path) -> None:
    run = Run(tmp_path, total_steps=2, seed=7, resume=False)
    with pytest.raises(TrainingStopped, match="SIGINT after step 2"):
        for step in run.steps():
            if step == 1:
                os.kill(os.getpid(), signal.SIGINT)
    assert Run(tmp_path, total_steps=2, seed=7, resume=True).first_step == 2


@pytest.fixture
def ends_by_ctrl_c() -> Iterator[None]:
    """As in a terminal; a shell's background jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ends_by_ctrl_c")
def test_a_second_ctrl_c_does_not_wait_for_the_step(tmp_path: Path) -> None:
    run = Run(tmp_path, total_steps=5, seed=7, resume=False)
    with pytest.raises(KeyboardInterrupt):
        for _ in run.steps():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            pytest.fail("it went on")
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


def test_finished_run_resumes_to_no_steps(tmp_path: Path) -> None:
    train(tmp_path, resume=False)
    before = rows(tmp_path)
    train(tmp_path, resume=True)
    assert rows(tmp_path) == before


def test_time_limit_counts_earlier_parts(tmp_path: Path) -> None:
    counts = []
    for _ in range(2):
        run = Run(tmp_path, total_steps=1000, seed=1, resume=True, time_limit_s=0.05)
        run.attach(weights=torch.nn.Linear(1, 1))
        counts.append(sum(1 for _ in run.steps() if time.sleep(0.01) is None))
    assert 1 <= counts[0] < 10 and counts[1] == 0


def test_the_average_is_geometric_after_its_warm_up_and_copies_buffers() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.BatchNorm1d(1))
    weight = model[0].weight
    torch.nn.init.zeros_(weight)
    average, expected = averaged(model, decay=0.5), 0.0
    torch.nn.init.ones_(weight)
    for update in range(12):
        model(torch.randn(4, 1))  # moves the batch norm's mean
        average.update_parameters(model)
        decay = min(0.5, (1 + update) / (10 + update))
        expected = decay * expected + (1 - decay)
        assert average.module[0].weight.item() == pytest.approx(expected)
        assert torch.equal(average.module[1].running_mean, model[1].running_mean)
    assert not average.training and not any(p.requires_grad for p in average.parameters())


def test_a_checkpoint_of_an_earlier_format_is_refused_with_what_to_do(tmp_path: Path) -> None:
    old = {"step": 3, "seed": 7, "elapsed_s": 1.0, "identity": {}, "state": {}}
    torch.save(old, tmp_path / "checkpoint.pt")
    with pytest.raises(WeightsError, match="format 1 .* this one reads 2; choose another folder, or delete it"):
        Run(tmp_path, total_steps=9, seed=7, resume=True)


@pytest.mark.parametrize("package", ["tensorboard", "matplotlib"])
def test_training_works_without_an_extra_and_says_once_what_is_missing(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_module, "find_spec", lambda name: None if name == package else object())
    run = Run(tmp_path, total_steps=3, seed=1, resume=False, every=Every(log=1))
    for step in run.steps():
        run.log(step, loss=1.0)
        run.picture(step, "nothing", lambda: pytest.fail("drawn") if package == "matplotlib" else Figure())
    said = [record.getMessage() for record in caplog.records if "not installed" in record.getMessage()]
    extra = {"tensorboard": "training", "matplotlib": "plots"}[package]
    assert len(said) == 1 and f"{package} is not installed; pip install 'openfoley[{extra}]'" in said[0]
    assert len(rows(tmp_path)) == 1 + 3 and (tmp_path / "pictures").exists() == (package == "tensorboard")


def test_picture_is_kept_as_png(tmp_path: Path) -> None:
    run = Run(tmp_path, total_steps=1, seed=1, resume=False)
    figure = Figure()
    figure.subplots().plot([0, 1])
    run.picture(3, "line", lambda: figure)
    assert (tmp_path / "pictures" / "line-0000003.png").read_bytes().startswith(b"\x89PNG")
