"""Rendering processes end when they should, and nobody waits for one that is gone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openfoley.data.workers import logged, render_pool
from openfoley.errors import OpenFoleyError


def die_at_three(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def handler_of_ctrl_c(_: int) -> bool:
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_a_process_that_dies_is_reported_and_not_waited_for() -> None:
    with pytest.raises(OpenFoleyError, match="free some memory"), render_pool(1) as pool:
        assert list(pool.map(handler_of_ctrl_c, range(2))) == [True, True]
        list(pool.map(die_at_three, range(8)))


def test_without_its_parent_a_process_ends(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, time\n"
        "from openfoley.data.workers import logged, render_pool\n"
        "if __name__ == '__main__':\n"
        "    with render_pool(1) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    until = time.monotonic() + 10
    while _lives(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _lives(worker)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")  # where there is one: nobody may have asked how it ended
    return not state.exists() or state.read_text().split()[2] != "Z"


def test_progress_is_logged_with_the_time_left_and_items_pass_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="openfoley"):
        assert list(logged(iter("abcde"), "gym", unit="scenes", every=2, total=5)) == list("abcde")
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" scenes")[0] for line in lines] == ["gym: 2/5", "gym: 4/5", "gym: 5/5"]
    assert lines[-1].endswith(" 0 s left")
