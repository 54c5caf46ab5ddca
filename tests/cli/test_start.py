"""What happens before anything heavy: imports are lazy, help is quick, wrong words are one line."""

import subprocess
import sys
from fractions import Fraction

import pytest

import openfoley
from openfoley.cli import main
from openfoley.cli.arguments import protect_dashes, rate
from openfoley.cli.messages import one_line, print_json

HEAVY = ("torch", "numpy", "av", "transformers", "diffusers", "matplotlib", "scipy")


@pytest.mark.parametrize(
    "statement",
    ["import openfoley", "import openfoley.cli; openfoley.cli.build_parser()", "from openfoley import UsageError"],
)
def test_import_is_lazy_and_fast(statement: str) -> None:
    code = (
        "import sys, time; start = time.process_time();"
        f"{statement};"
        "print(time.process_time() - start, *[m for m in sys.argv[1:] if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True)
    seconds, *loaded = done.stdout.split()
    assert loaded == []
    assert float(seconds) < 0.3


def test_python_m_openfoley_is_the_command() -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "openfoley", *words], capture_output=True, text=True, check=False)

    assert run("--version").stdout == f"openfoley {openfoley.__version__}\n"
    wrong = run("generate", "nowhere.mp4")
    assert wrong.returncode == 2 and wrong.stderr.startswith("openfoley: error: the video 'nowhere.mp4'")


def test_help_and_version_are_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["--version"], ["generate", "--help"], ["gym", "render", "--help"]):
        with pytest.raises(SystemExit) as leaving:
            main(arguments)
        assert leaving.value.code == 0
    assert "--negative-prompt" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["generate"],
        ["gym"],
        ["gym", "render", "--seed", "1", "--out", "x"],
        ["gym", "render", "--seed", "-1", "--duration", "1", "--out", "x"],
        ["gym", "render", "--seed", "1", "--duration", "0", "--out", "x"],
        ["gym", "render", "--seed", "1", "--duration", "1", "--count", "0", "--out", "x"],
        ["gym", "render", "--seed", "1", "--duration", "1", "--fps", "0", "--out", "x"],
        ["gym", "render", "--seed", "1", "--duration", "1", "--size", "10", "--out", "x"],
        ["train", "everything", "--preset", "cpu", "--out", "x"],
        ["train", "codec", "--preset", "huge", "--out", "x"],
        ["evaluate", "sync", "none", "none"],
    ],
)
def test_wrong_words_are_one_line_and_code_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("openfoley: error: ")
    assert list(tmp_path.iterdir()) == []


def test_dashes_are_protected_only_where_needed(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x.mp4").touch()
    assert protect_dashes(["generate", "-x.mp4", "--json"]) == ["generate", "./-x.mp4", "--json"]
    assert protect_dashes(["generate", "-y.mp4"]) == ["generate", "-y.mp4"]
    assert protect_dashes(["generate", "--json", "--", "--json"]) == ["generate", "--json", "./--json"]
    assert protect_dashes(["generate", "--out", "-o.wav"]) == ["generate", "--out", "./-o.wav"]
    assert protect_dashes(["generate", "--seed", "-1"]) == ["generate", "--seed", "-1"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("24", Fraction(24)),
        ("23.976", Fraction(24000, 1001)),
        ("29.97", Fraction(30000, 1001)),
        ("59.94", Fraction(60000, 1001)),
        ("12.5", Fraction(25, 2)),
        ("30000/1001", Fraction(30000, 1001)),
    ],
)
def test_frame_rates_are_exact(text: str, value: Fraction) -> None:
    assert rate(text) == value


def test_messages_are_one_printable_line() -> None:
    assert one_line("a\nb\x1b[0m\tü") == "a\\nb\\x1b[0m\\tü"


def test_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": "ü"})
    assert capsys.readouterr().out == '{"a": null, "b": [null, 1.5], "c": "\\u00fc"}\n'
