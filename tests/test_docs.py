"""The documents' links lead somewhere, the log's entries have their form, and the lines of the results are short."""

import re
from pathlib import Path

import pytest

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
