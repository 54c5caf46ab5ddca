"""Outputs through links, and temporary files of processes that were killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from openfoley.media.write.atomic import TemporaryFolder, replace_when_done

KILLED = """
import os, signal, sys
from openfoley.media.write.atomic import replace_when_done
with replace_when_done(sys.argv[1]) as temporary:
    temporary.write_bytes(b"half")
    print(temporary, flush=True)
    if sys.argv[2] == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


def started(out, end):
    command = [sys.executable, "-c", KILLED, str(out), end]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "x.wav", tmp_path / "link.wav"
    target.write_bytes(b"old")
    link.symlink_to(target)
    with replace_when_done(link, force=True) as temporary:
        assert temporary.parent == target.parent
        temporary.write_bytes(b"new")
    assert (
        link.is_symlink() and target.read_bytes() == b"new" and [p.name for p in target.parent.iterdir()] == ["x.wav"]
    )


def test_a_hard_link_keeps_what_it_had(tmp_path):
    first, second = tmp_path / "a.wav", tmp_path / "b.wav"
    first.write_bytes(b"old")
    os.link(first, second)
    with replace_when_done(first, force=True) as temporary:
        temporary.write_bytes(b"new")
    assert (first.read_bytes(), second.read_bytes()) == (b"new", b"old")


def test_a_killed_process_s_temporary_file_is_removed_and_a_living_one_s_is_not(tmp_path):
    dead, left = started(tmp_path / "a.wav", "dies")
    living, held = started(tmp_path / "b.wav", "waits")
    try:
        dead.wait(10)
        old = time.time() - 60
        for path in (left, held):
            os.utime(path, (old, old))
        with replace_when_done(tmp_path / "c.wav") as temporary:
            temporary.write_bytes(b"whole")
        assert not os.path.exists(left) and os.path.exists(held)
    finally:
        living.communicate("")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.wav", "c.wav"]


KILLED_WITH_FOLDER = """
import os, pathlib, signal, sys
from openfoley.media.write.atomic import TemporaryFolder
with TemporaryFolder(pathlib.Path(sys.argv[1])) as folder:
    (folder / "moving.mp4").write_bytes(b"half")
    print(folder, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_s_temporary_folder_is_removed_and_a_living_one_s_is_not(tmp_path):
    process = subprocess.run([sys.executable, "-c", KILLED_WITH_FOLDER, str(tmp_path)], capture_output=True, text=True)
    left, old = Path(process.stdout.strip()), time.time() - 60
    with TemporaryFolder(tmp_path) as living:
        assert left.is_dir()  # it may have been made just now
        for path in (left, living):
            os.utime(path, (old, old))
        with TemporaryFolder(tmp_path) as another:
            assert sorted(tmp_path.iterdir()) == sorted([living, another])
    assert not list(tmp_path.iterdir())


def test_the_longest_file_names_can_be_written_and_have_a_work_folder(tmp_path):
    from openfoley.synthesis.saving import work_folder

    for length in (200, 240, 255):
        path = tmp_path / ("x" * (length - 4) + ".wav")
        with replace_when_done(path) as temporary:
            temporary.write_bytes(b"whole")
        folder = work_folder(path)
        folder.with_name(f"{folder.name}-a stem's name").mkdir()
        assert path.read_bytes() == b"whole"
