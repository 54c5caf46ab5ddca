"""`openfoley project ...`: the methods of `openfoley.projects.project.Project`, one function each."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from openfoley.cli.messages import Bar, note, print_json
from openfoley.cli.request_arguments import given, request_of
from openfoley.projects.history import passed, start_of
from openfoley.projects.record import Record, TakeEntry
from openfoley.projects.showing import lines, place, plain
from openfoley.projects.storage import read_project


def new(options: Namespace) -> int:
    from openfoley.projects.project import Project

    made = Project.new(
        options.project, options.video, request_of(options),
        model=options.model, adapters=options.adapters, device=options.device,
    )  # fmt: skip
    record = made.record
    cuts = f"{len(record.cuts)} cut{'s' * (len(record.cuts) != 1)}"
    note(f"made {made.folder}: {cuts}, starts at {start_of(record)}")
    return 0


def take(options: Namespace) -> int:
    from openfoley.projects.project import Project

    project = Project(options.project, options.device)
    made = project.take(
        span=options.span,
        takes=options.takes,
        stem=options.stem,
        choose=options.choose,
        progress=Bar("sound"),
        **{name: value for name, value in given(options).items() if name != "span"},
    )
    record = project.record
    for one in made:
        sounding = _sounding(record, one, project.folder)
        note(f"take {one.number}: {project.folder / one.file} (seed {one.seed}); {sounding}")
    if options.json:
        everything = plain(record, project.folder)["takes"]
        numbers = {one.number for one in made}
        print_json({"takes": [one for one in everything if one["number"] in numbers]})
    return 0


def choose(options: Namespace) -> int:
    record = _project(options).choose(options.take)
    note(f"take {options.take} {_sounding(record, record.take(options.take), Path(options.project))}")
    return _say(record, options)


def lock(options: Namespace) -> int:
    project = _project(options)
    return _say(project.lock(options.span, take=options.take), options)


def unlock(options: Namespace) -> int:
    project = _project(options)
    return _say(project.unlock(options.span, take=options.take), options)


def set(options: Namespace) -> int:
    defaults = {name.replace("-", "_"): None for name in options.unset or ()}
    return _say(_project(options).set(**given(options), **defaults), options)


def picture(options: Namespace) -> int:
    record = _project(options).picture(options.video, changed=options.changed)
    note(f"the video is {record.video.path}" + ("; cuts, cues and takes stay as they are" if options.changed else ""))
    return 0


def undo(options: Namespace) -> int:
    record = _project(options).undo(options.steps)
    note(f"undid: {', then '.join(passed(record, options.steps))}")
    return _say(record, options)


def redo(options: Namespace) -> int:
    record = _project(options).redo(options.steps)
    note(f"redid: {', then '.join(passed(record, -options.steps))}")
    return _say(record, options)


def show(options: Namespace) -> int:
    from openfoley.projects.masks import mask_problems
    from openfoley.projects.picture import picture_problem

    folder = Path(options.project)
    record = read_project(folder)
    problem, masks = picture_problem(folder, record), mask_problems(folder, record)
    if options.json:
        print_json(plain(record, folder, problem, masks))
    else:
        print("\n".join(lines(record, folder, problem, masks)))
    return 0


def render(options: Namespace) -> int:
    output = request_of(options).output
    paths = _project(options).render(options.out, stems=options.stems, **vars(output))
    for path in paths:
        note(f"wrote {path}")
    if options.json:
        print_json({"out": str(paths[0]), "stems": [str(path) for path in paths[1:]]})
    return 0


def _sounding(record: Record, take: TakeEntry, folder: Path) -> str:
    """Whether a take is in the mix, and over which others."""
    if take.number not in record.state.layers:
        return f"not in the mix; choose it with: openfoley project choose {folder} {take.number}"
    layers = record.sounding_in(take.span, take.stem)
    under = ", ".join(str(one.number) for one in layers[: layers.index(take)])
    return f"is in the mix, over take {under}" if under else "is in the mix"


def _project(options: Namespace) -> Any:
    from openfoley.projects.project import Project

    return Project(options.project)


def _say(record: Record, options: Namespace) -> int:
    """The project's state in one line."""
    note(place(record))
    return 0
