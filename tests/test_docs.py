"""Links lead somewhere, commands have the options that they name, log entries have their form, lines are short."""

import argparse
import re
import shlex
from pathlib import Path

import pytest

from openfoley.cli.arguments import build_parser, protect_dashes
from openfoley.errors import UsageError

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
LONGEST_LINE = 159


def anchors(document: Path) -> set[str]:
    """The places of a document that a link can name, as GitHub derives them from its headings."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files_and_headings(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            place = (document.parent / path).resolve() if path else document
            assert place.exists(), target
            assert not anchor or anchor in anchors(place), target


def test_log_entries_have_question_change_result_decision_and_a_place_in_the_index() -> None:
    index, *entries = re.split(r"^### ", (ROOT / "docs" / "log.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(entries) > 40
    for entry in entries:
        title = entry.splitlines()[0]
        parts = ["Question", "Change", "Result", "Decision"]
        assert re.findall(r"^- \*\*(\w+)\*\*: ", entry, flags=re.MULTILINE) == parts, title
        assert re.search(r"\(2\d{3}-\d\d-\d\d", title), title
        assert f"[{title.rpartition(' (')[0]}](#" in index, title


def test_lines_of_the_results_are_short() -> None:
    for document in (ROOT / "docs" / "results.md", *(ROOT / "docs" / "results").glob("*.md")):
        for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
            assert len(line) <= LONGEST_LINE, f"{document.name}:{number}"


SEPARATOR = re.compile(r'(?:&&|[;|])(?=(?:[^"]*"[^"]*")*[^"]*$)')  # of commands in a line, outside double quotes


def commands(document: Path) -> list[tuple[str, bool]]:
    """The `openfoley ...` command lines of a document, and whether they stand in a code block: whole, to be copied."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [(line, True) for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    prose = re.sub(r"^```\w*\n.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines += [(inline, False) for inline in re.findall(r"`([^`\n]+)`", prose)]
    parts = [(part.strip(), whole) for line, whole in lines for part in SEPARATOR.split(line.split("  #")[0])]
    return [(part, whole) for part, whole in parts if re.match(r"openfoley [a-z]", part)]


EXAMPLE = "--grain"  # in docs/architecture.md, of an option that somebody might add
LEFT_OUT = {"--out": "out", "--preset": "cpu"}  # in prose, where only the options that matter are named


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_have_the_options_that_they_name(document: Path) -> None:
    parser = build_parser()
    for line, whole in commands(document):
        words = shlex.split(line, comments=True)[1:]
        has_options = any(word.startswith("-") for word in words)
        for _ in range(1 + len(LEFT_OUT)):
            try:
                parser.parse_args(protect_dashes(words))
                break
            except SystemExit as done:  # --help
                assert done.code == 0, line
                break
            except UsageError as error:
                missing = [name for name in LEFT_OUT if "are required" in str(error) and name in str(error)]
                if not whole and not has_options and "are required" in str(error):
                    break  # the command's name alone
                assert missing and not whole, f"{line}: {error}"
                words += [word for name in missing for word in (name, LEFT_OUT[name])]


def test_a_command_with_an_option_that_is_not_there_is_noticed(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text("`openfoley evaluate lengths --clip 8`\n\n```sh\nmkdir a && openfoley models   # all\n```\n")
    assert commands(document) == [("openfoley models", True), ("openfoley evaluate lengths --clip 8", False)]
    with pytest.raises(AssertionError, match="--clip 8"):
        test_commands_have_the_options_that_they_name(document)


def test_options_in_the_text_belong_to_a_command() -> None:
    scripts = (*(ROOT / "recipes").glob("*.py"), *(ROOT / "benchmarks").glob("*.py"))
    of_scripts = {name for path in scripts for name in re.findall(r'"(--[\w-]+)"', path.read_text(encoding="utf-8"))}
    ours = options_of(build_parser()) | of_scripts | {EXAMPLE}
    for document in DOCUMENTS:
        prose = re.sub(r"^```\w*\n.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for inline in re.findall(r"`(--[a-z][^`\n]*)`", prose):
            named = re.match(r"--[\w-]+", inline)
            assert named and named[0] in ours, f"{document.name}: {inline}"


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    """The options of a parser and of all its commands."""
    found = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            found |= {name for inner in action.choices.values() for name in options_of(inner)}
    return found
