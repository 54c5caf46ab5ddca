"""The request: checked by name, hashable, and the one place that a new option is written down in."""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from pathlib import Path

import pytest

from openfoley.checks import Number
from openfoley.cli import main
from openfoley.config import from_dict
from openfoley.errors import UsageError
from openfoley.flow.settings import PLAIN, SHORTCUT
from openfoley.pipeline import Pipeline, load
from openfoley.projects.record import to_plain
from openfoley.region import Box, Region
from openfoley.request import Cue, Cut, Request, Sampling, asked_words, option, options_of

NAMES = [one.name for _, one in options_of(Request())]
EVERY = {  # a value of every option that is not its default
    "prompt": "rain", "negative_prompt": "music", "select": "a drum", "negative_picture": "none", "beside": ("a dog",),
    "whole_video": "off",
    "select_box": Box(0.1, 0.25, 0.5, 1.0, Fraction(1, 3)), "select_mask_by": "grey",
    "reference": Path("tone.wav"),
    "reference_span": (Fraction(1, 4), Fraction(3, 4)), "steps": 3, "guidance": 2.5, "text_guidance": 1.0,
    "picture_guidance": 2.0, "negative_guidance": 3.0, "reference_guidance": 4.0, "temperature": 0.5, "rescale": 0.25,
    "solver": SHORTCUT, "replacement": PLAIN, "seed": 7, "batch_takes": False,
    "cuts": (Cut(Fraction(1), "carry"),),
    "cues": (Cue(Fraction(0), Fraction(1, 3), "steps", "wind", 5, 6.0, "steps", "a shoe", Box(0.0, 0.0, 0.5, 0.5)),),
    "span": (Fraction(1), Fraction(5, 3)),
    "sound": Path("old.wav"), "audio_stream": 1, "duration": Fraction(5, 2), "context": Fraction(1, 4),
    "window": Fraction(4), "join": "equal-power", "overlap": Fraction(1, 2),
    "audio": "replace", "sample_rate": 48000, "bit_depth": "16", "start_timecode": "01:00:00:00",
    "nudge": 12.5, "force": True,
}  # fmt: skip
ALONE = {"select_mask": Path("mask.png")}  # which excludes another one of these


def test_options_find_their_section_and_a_base_keeps_the_rest() -> None:
    request = Request.of(prompt="rain", steps=4, context=0.25, bit_depth="16")
    assert (request.prompting.prompt, request.sampling.steps) == ("rain", 4)
    assert (request.timeline.context, request.output.bit_depth) == (0.25, "16")
    other = Request.of(request, steps=5, negative_prompt="wind")
    assert other.sampling == replace(request.sampling, steps=5) and other.timeline == request.timeline
    assert (other.prompting.prompt, other.prompting.negative_prompt) == ("rain", "wind")
    assert request.sampling.steps == 4 and Request.of() == Request() == Request.of(Request())
    assert Request.of(request, prompt=None).prompting.prompt is None
    assert Request.of(request).given() == {"prompt": "rain", "steps": 4, "context": 0.25, "bit_depth": "16"}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("promt", "unknown option 'promt'; did you mean prompt?"),
        ("negative_promt", "did you mean negative_prompt?"),
        ("guidence", "did you mean guidance?"),
        ("bitdepth", "did you mean bit_depth?"),
        ("zzzz", "unknown option 'zzzz'; there are prompt, negative_prompt, select, .*, force"),
    ],
)
def test_an_unknown_option_is_reported_with_the_nearest(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("?", r"\?")) as caught:
        Request.of(**{name: 1})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", 3),
        ("negative_prompt", b"rain"),
        ("select", 3),
        ("select", " "),
        ("negative_picture", "all"),
        ("select_box", "0.1,0.2,0.3"),
        ("select_box", "left,0,1,1"),
        ("select_box", "0,0,1,1@"),
        ("select_box", (0, 0, 1, "x")),
        ("select_box", 3),
        ("select_box", "0,0,nan,1"),
        ("select_mask", 3),
        ("select_mask_by", "blur"),
        ("reference", 3),
        ("sound", 1.5),
        ("steps", "many"),
        ("steps", 2.0),
    ]
    + [("steps", True), ("guidance", "4"), ("guidance", True), ("guidance", float("nan")), ("guidance", float("inf"))]
    + [("text_guidance", (4.0,)), ("picture_guidance", 20.5), ("negative_guidance", -1), ("reference_guidance", "x")]
    + [("temperature", 1.01), ("rescale", -0.5), ("seed", -1), ("seed", 1.5), ("seed", None), ("batch_takes", 1)]
    + [("audio_stream", -1), ("audio_stream", "0"), ("context", "0.5"), ("context", 15.5), ("window", 0.25)]
    + [("audio", "mix"), ("audio", None), ("sample_rate", 44100.0), ("sample_rate", 7999), ("bit_depth", 24)]
    + [("start_timecode", 10), ("nudge", "12"), ("nudge", None), ("nudge", 60_001), ("force", "yes"), ("force", None)]
    + [("solver", "euler"), ("replacement", "none"), ("duration", "5"), ("duration", -1), ("duration", float("nan"))]
    + [("span", 3), ("span", (0, 1, 2)), ("cuts", 5), ("cues", 5)]
    + [("reference_span", 5), ("reference_span", ("1,5", "2")), ("reference_span", (0, float("inf")))],
)
def test_a_value_that_is_not_allowed_is_a_usage_error_with_its_name(name: str, value: object) -> None:
    with pytest.raises(UsageError) as caught:
        Request.of(**{name: value})
    assert name.replace("_", " ") in str(caught.value).replace("_", " ") and "\n" not in str(caught.value)
    assert repr(value) in str(caught.value), "what was given"


@pytest.mark.parametrize(
    ("name", "value"), [("steps", 1), ("steps", 128), ("guidance", 0), ("guidance", Fraction(20)), ("seed", 2**63)]
    + [("nudge", -60_000), ("window", 120), ("context", 0), ("temperature", 1), ("reference", "tone.wav")],
)  # fmt: skip
def test_the_edges_of_what_is_allowed_are_allowed(name: str, value: object) -> None:
    assert Request.of(**{name: value}).given() in ({name: value}, {name: Path(str(value))})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"span": (0, float("nan"))}, "span must be seconds or timecode, got nan"),
        ({"span": (1.0, None)}, "span must be seconds or timecode, got None"),
        ({"cuts": [1.0]}, "cuts must be a rule, a file or a list of openfoley.Cut, got"),
        ({"cuts": [Cut([1])]}, "cuts: time must be seconds or timecode, got"),
        ({"cuts": [Cut(Fraction(1), "fade")]}, "cuts: join must be 'carry' or 'reset', got 'fade'"),
        ({"cues": [("0", "1")]}, "cues must be a file or a list of openfoley.Cue, got"),
        ({"cues": [Cue(Fraction(0), None)]}, "cues: end must be seconds or timecode, got None"),
        ({"cues": [Cue(Fraction(0), Fraction(1), seed=-1)]}, "cues: seed must be a whole number >= 0, got -1"),
        ({"cues": [Cue(Fraction(0), Fraction(1), guidance=30)]}, "cues: guidance must be from 0 to 20, got 30"),
        ({"cues": [Cue(Fraction(0), Fraction(1), prompt=3)]}, "cues: prompt must be a text, got 3"),
    ],
)
def test_what_is_wrong_inside_a_list_is_named(options: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        Request.of(**options)
    assert says in str(caught.value)


def test_timecode_is_accepted_wherever_a_time_on_the_video_s_clock_is(
    tiny_model: Path, make_video: Callable[..., Path]
) -> None:
    """As in cue sheets, lists of cuts and `--span`."""
    from openfoley.media.source import Source
    from openfoley.synthesis.job import with_times

    source = Source.file(make_video(duration_s=2.0))
    given = Request.of(
        start_timecode="01:00:00:00", span=("01:00:00:12", 1.5), cuts=[Cut("01:00:01:00")],
        cues=[Cue("01:00:01:00", "01:00:01:12", "b"), Cue("0", Fraction(1), "a")],
    )  # fmt: skip
    timeline = with_times(source, given).timeline
    assert timeline.span == (Fraction(1, 2), Fraction(3, 2)) and timeline.cuts == (Cut(Fraction(1)),)
    assert timeline.cues == (Cue(Fraction(0), Fraction(1), "a"), Cue(Fraction(1), Fraction(3, 2), "b"))
    for name, value in {
        "span": ("1,5", 2), "cuts": [Cut("x")], "cues": [Cue("00:00:00:00", "1,5")], "start_timecode": "1:2",
    }.items():  # fmt: skip
        with pytest.raises(UsageError, match=f"^{name}: .*expected .*timecode.*, got"):
            with_times(source, Request.of(**{name: value}))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"video": 3}, "video must be a path, a Source or None, got 3"),
        ({"request": {"steps": 3}}, "request must be a Request, got {'steps': 3}"),
        ({"store": "folder"}, "store must be a FeatureStore, such as FeatureStore(folder), got 'folder'"),
        ({"work": 3}, "work must be a path, got 3"),
        ({"progress": 3}, "progress must be a function, got 3"),
        ({"strict": "yes"}, "strict must be True or False, got 'yes'"),
    ],
)
def test_arguments_beside_the_request_are_checked_by_name(
    options: dict, says: str, tiny_model: Path, make_video: Callable[..., Path]
) -> None:
    with pytest.raises(UsageError) as caught:
        load(tiny_model).generate(**{"video": make_video(duration_s=0.5), **options})
    assert str(caught.value) == says
    with pytest.raises(UsageError, match="name_or_folder must be a path, got 3"):
        load(3)


def test_a_reference_span_needs_a_reference() -> None:
    with pytest.raises(UsageError, match="a reference, which is missing; pass reference too"):
        Request.of(reference_span=(0, 1))
    assert Request.of(Request.of(reference=Path("a.wav")), reference_span=(0, 1)).prompting.reference_span == (0, 1)


def test_a_box_is_a_text_numbers_or_a_record() -> None:
    same = Box(0.1, 0.2, 0.5, 1.0, Fraction(3, 2))
    for given in (same, "0.1,0.2,0.5,1@1.5", " 0.1, .2,0.5,1 @ 3/2"):
        assert Request.of(select_box=given).prompting.select_box == same, given
    numbers = Request.of(select_box=[0.1, 0.2, 0.5, 1]).prompting
    assert numbers.select_box == replace(same, time=None) and numbers.region == Region(
        numbers.select_box, None, "attention"
    )
    assert Request.of(select_box="0,0,1,1@01:00:00:00").prompting.select_box == Box(0, 0, 1, 1, "01:00:00:00")
    assert (str(same), str(numbers.select_box)) == ("0.1,0.2,0.5,1@1.5", "0.1,0.2,0.5,1")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"select_box": "0,0,1.2,1"}, r"select_box must lie in the picture, .* 0 to 1, got 0,0,1.2,1; divide pixels"),
        ({"select_box": "0.5,0,0.5,1"}, "select_box must have an area, .*, got 0.5,0,0.5,1; swap"),
        ({"select_box": "0,0.9,1,0.1@2"}, "select_box must have an area, .*, got 0,0.9,1,0.1@2; swap"),
        (
            {"select_box": "0,0,1,1", "select_mask": "m.png"},
            "select_box and select_mask exclude each other, got .*; pass",
        ),
        ({"select_mask_by": "grey"}, "select_mask_by says how a box or a mask acts, which is missing; pass select_box"),
        (
            {"cues": [Cue(Fraction(0), Fraction(1), select_box=Box(0, 0, 1, 1), select_mask=Path("m.png"))]},
            "cues: select_box and select_mask exclude",
        ),
        ({"cues": [Cue(Fraction(0), Fraction(1), select_box=Box(0, 0, 0, 1))]}, "cues: select_box must have an area"),
    ],
)
def test_a_box_that_is_none_is_refused_with_what_is_allowed(options: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        Request.of(**options)
    assert "\n" not in str(caught.value)


def test_a_plan_says_what_is_selected() -> None:
    cue = Cue(Fraction(0), Fraction(1), "rain", select="a drum", select_box=Box(0, 0.5, 1, 1, Fraction(1, 2)))
    assert asked_words(cue) == "rain; select a drum; select 0,0.5,1,1@0.5"
    assert (
        asked_words(Request.of(select_mask="m.png").prompting) == "select m.png"
        and asked_words(Request().prompting) == ""
    )


def test_a_cue_s_region_replaces_that_of_the_request() -> None:
    mask, area = Path("m.png"), Box(0.0, 0.0, 0.5, 0.5)
    cues = (Cue(Fraction(0), Fraction(1), select_mask=mask), Cue(Fraction(1), Fraction(2), "rain"))
    request = Request.of(select_box=area, select_mask_by="grey", cues=cues)
    regions = [request.prompting.in_cue(cue).region for cue in cues]
    assert regions == [Region(None, mask, "grey"), Region(area, None, "grey")]
    assert request.regions == (regions[1], regions[0]) and request.asks_picture == "select_box"
    assert Request.of(cues=cues, select_mask_by="grey").regions == (Region(None, mask, "grey"),)
    assert Request().regions == () and Request().asks_picture is None


def test_lists_become_tuples_so_that_equal_requests_are_equal_and_hashable() -> None:
    cues, cuts = [Cue(Fraction(0), Fraction(1), "rain")], [Cut(Fraction(1))]
    lists = Request.of(cues=cues, cuts=cuts, span=[0, 1], reference=Path("a.wav"), reference_span=[0, 1])
    assert lists.timeline.cues == tuple(cues) and lists.timeline.cuts == tuple(cuts) and lists.timeline.span == (0, 1)
    tuples = Request.of(cues=tuple(cues), cuts=tuple(cuts), span=(0, 1), reference=Path("a.wav"), reference_span=(0, 1))
    assert lists == tuples and len({lists, tuples}) == 1


def test_the_table_of_this_test_has_every_option() -> None:
    assert sorted({**EVERY, **ALONE}) == sorted(NAMES)
    assert len(Request.of(**EVERY).given()) == len(EVERY)


def test_every_option_comes_back_from_a_project_file() -> None:
    request = Request.of(**EVERY)
    plain = json.loads(json.dumps(to_plain(request)))
    assert from_dict(Request, plain) == request
    assert [name for section in plain.values() for name in section] == [name for name in NAMES if name not in ALONE]
    assert to_plain(Request()) == {"sampling": {"seed": 0}}, "a seed is always written down"
    assert from_dict(Request, {}) == Request()


@pytest.mark.parametrize("verb", ["generate", "edit", "extend"])
def test_every_option_with_a_help_text_has_a_word(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main([verb, "--help"])
    words = capsys.readouterr().out.split()
    assert done.value.code == 0
    only_generate = {"duration", "audio", "sample_rate", "bit_depth", "nudge"}
    wanted = [f for _, f in options_of(Request()) if f.metadata["help"]]
    assert len(wanted) >= 20
    for one in wanted:
        has_word = any(word.strip("[],") == f"--{one.name.replace('_', '-')}" for word in words)
        assert has_word == (verb == "generate" or one.name not in only_generate), one.name


@pytest.mark.parametrize("verb", ["generate", "generate_takes", "edit", "extend", "plan"])
def test_the_signature_of_a_verb_shows_every_option(verb: str) -> None:
    parameters = inspect.signature(getattr(Pipeline, verb)).parameters
    assert {*NAMES, "request", "store", "work", "progress", "strict"} <= set(parameters)
    assert not any(one.kind is one.VAR_KEYWORD for one in parameters.values())
    for section, one in options_of(Request()):
        if (verb, one.name) != ("edit", "span"):
            assert parameters[one.name].kind is inspect.Parameter.KEYWORD_ONLY, section
            assert parameters[one.name].default == one.default


def test_options_win_over_a_request_and_the_take_has_the_request(
    tiny_model: Path, make_video: Callable[..., Path]
) -> None:
    asked = Request.of(prompt="rain", steps=1, seed=3)
    take = load(tiny_model).generate(make_video(duration_s=0.5), asked, seed=4)
    assert (take.request.prompting.prompt, take.request.sampling.steps, take.request.sampling.seed) == ("rain", 1, 4)
    assert take.request.sampling.guidance == 4.0 and asked.sampling.seed == 3


@dataclass(frozen=True)
class WiderSampling(Sampling):
    """As if somebody had added an option: one field, and nothing else."""

    grain: float | None = option(Number(0, 1), "how grainy", "G")


@dataclass(frozen=True)
class WiderRequest(Request):
    sampling: WiderSampling = field(default_factory=WiderSampling)


def test_a_new_option_is_one_field(tiny_model: Path, make_video: Callable[..., Path]) -> None:
    import argparse

    from openfoley.cli.request_arguments import add_options
    from openfoley.media.source import Source
    from openfoley.synthesis.job import Job, planned, request_key, resolved, shots_in

    request = WiderRequest.of(grain=0.25, steps=2)
    assert isinstance(request, WiderRequest) and request.given() == {"steps": 2, "grain": 0.25}
    with pytest.raises(UsageError, match="grain must be from 0 to 1, got 2"):
        WiderRequest.of(grain=2)
    with pytest.raises(UsageError, match="did you mean grain"):
        WiderRequest.of(grian=0.5)

    plain = json.loads(json.dumps(to_plain(request)))
    assert plain == {"sampling": {"steps": 2, "seed": 0, "grain": 0.25}} and from_dict(WiderRequest, plain) == request

    parser = argparse.ArgumentParser()
    add_options(parser, WiderSampling)
    assert parser.parse_args(["--grain", "0.5"]).grain == 0.5 and "how grainy, 0 to 1" in parser.format_help()

    model = load(tiny_model).model
    with pytest.raises(UsageError, match="grain is not an option of tiny"):
        resolved(model, Source.nothing(1), request)
    source = Source.file(make_video(duration_s=0.5))
    shots = shots_in(model, source, request.timeline)
    plan = planned(model, shots, request.timeline, None)
    keys = {
        request_key(Job(model, source, shots, plan, one, [0], None, (0, 22050)))
        for one in (request, WiderRequest.of(request, grain=0.5), WiderRequest.of(request, grain=None), request)
    }
    assert len(keys) == 3


SAVED_AS = ("audio", "sample_rate", "bit_depth", "start_timecode", "nudge", "force")


@pytest.mark.parametrize("name", NAMES)
def test_the_key_of_kept_work_depends_on_all_that_makes_the_samples(
    name: str, tiny_model: Path, make_video: Callable[..., Path]
) -> None:
    from openfoley.media.source import Source
    from openfoley.synthesis.job import Job, planned, request_key, shots_in

    model, source = load(tiny_model).model, Source.file(make_video(duration_s=0.5))
    needed = {"reference_span": {"reference": Path("first.wav")}, "select_mask_by": {"select_box": "0,0,1,1"}}
    plain = Request.of(**needed.get(name, {}))
    shots = shots_in(model, source, plain.timeline)
    plan = planned(model, shots, plain.timeline, None)
    first, other = (
        request_key(Job(model, source, shots, plan, one, [0], None, (0, 22050)))
        for one in (plain, Request.of(plain, **{name: {**EVERY, **ALONE}[name]}))
    )
    assert (first == other) == (name in SAVED_AS)


def test_sections_hold_no_option_twice() -> None:
    assert len(set(NAMES)) == len(NAMES) == sum(len(fields(getattr(Request(), f.name))) for f in fields(Request))
