"""A short version of `make fuzz`, its properties under hypothesis, and the corpus."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import __main__ as fuzz
from tests.hostile import guided
from tests.hostile.__main__ import run
from tests.hostile.records import CANARY, hostile
from tests.hostile.terms_files import hostile_text, hostile_values, judge_text, judge_values
from tests.hostile.verdict import Wrong, judge
from worker.decode import Broken, Record
from worker.programs.terms_file import FILE_BYTES_MAX, TermsError, read, set_path, text_of

slow = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


def test_whatever_is_sent_decoding_answers_in_time_and_tells_nothing() -> None:
    found = run("record", 0, 2.0)
    assert found.failures == []
    # Enough of each kind, or nothing would be shown.
    assert found.cases >= 300
    assert min(found.outcomes[kind] for kind in ("event", "broken", "skipped")) > 0


@slow
@given(st.randoms(use_true_random=False))
def test_a_record_with_anything_changed_is_judged_right(rng: Random) -> None:
    judge(hostile(rng))


@slow
@given(st.binary(max_size=400))
def test_any_bytes_are_judged_right(content: bytes) -> None:
    guided.play(content)


@settings(slow, max_examples=25)
@given(st.randoms(use_true_random=False))
def test_terms_with_any_value_changed_load_or_say_why_not(rng: Random) -> None:
    judge_values(hostile_values(rng))
    judge_text(hostile_text(rng))


CORPUS = sorted(guided.CORPUS.iterdir())


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.name)
def test_what_was_found_once_is_right(path: Path) -> None:
    guided.play(path.read_bytes())


def test_the_corpus_begins_with_every_type_in_both_modes() -> None:
    cases = guided.beginnings()
    assert len(cases) > 50
    for case in cases.values():
        guided.play(case)


def test_a_guided_run_that_ends_badly_keeps_what_it_said_and_the_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = b"\x00a case that ends the process"
    program = tmp_path / "python"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.hostile import guided\n"
        "sys.stderr.write('#4711\\tREDUCE cov: 12\\n')\n"
        "guided.play = lambda case: os.abort()\n"
        f"guided.Playing(Path(sys.argv[-1])).play({case!r})\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    tally = fuzz.guided(1, tmp_path / "found")
    assert tally.cases == 4711
    assert tally.failures[0].startswith("ended with -6 after 4711 cases")
    (log,), (kept,) = (tmp_path / "found").glob("*.log"), (tmp_path / "found").glob("*.case")
    assert "REDUCE" in log.read_text()
    assert kept.read_bytes() == case


@pytest.mark.parametrize(
    "wrong",
    [
        Broken("decoder_failed", "the decoder failed"),
        Broken("bad_data", f"data.member_id: should be a member, is {CANARY}"),
        Broken("bad_data", "data.member_id: should be a member, is Hanako"),
        Broken("bad_data", "should " * 100),
        None,
    ],
)
def test_the_judge_finds_what_must_not_be(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.hostile.verdict.decode", lambda *_: wrong)
    with pytest.raises(Wrong):
        judge(Record("t", 0, 0, 0, None, b"{}", ()))


# -- terms

TERMS: Final = {
    "a billion laughs": ("".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 10)}]\n" for n in range(1, 12)), "aliases"),
    "a list that holds itself": ("a: &a [*a]", "aliases"),
    "nested without end": ("[" * 100_000, "nested deeper than"),
    "nested by indentation": ("".join(" " * n + "a:\n" for n in range(300)), "nested deeper than"),
    "an integer of 5,000 digits": ("a: " + "9" * 5_000, "not of the kind"),
    "a list for a key": ("? [a]\n: 1", "a key should be text"),
    "a key twice": ("a: 1\n" * 2, "key given twice: a"),
    "a date that is none": ("a: !!timestamp 2020-99-99", "not of the kind"),
    "an empty integer": ("a: !!int ''", "not of the kind"),
    "a boolean that is none": ("a: !!bool x", "not of the kind"),
    "a call": ("a: !!python/object/apply:os.system [x]", "not YAML"),
    "half a surrogate pair": ("a: \ud800", "not YAML"),
    "too large": ("# " + "x" * FILE_BYTES_MAX, "larger than"),
    "not a mapping": ("- a", "should be a mapping"),
}


@pytest.mark.parametrize("name", TERMS)
def test_a_hostile_terms_file_is_refused_with_a_reason(name: str) -> None:
    text, words = TERMS[name]
    with pytest.raises(TermsError, match=words):
        read(text)


def test_many_keys_are_compared_in_linear_time() -> None:
    assert len(read("\n".join(f"k{number}: 1" for number in range(20_000)))) == 20_000


def test_a_file_is_read_no_further_than_it_may_be(tmp_path: Path) -> None:
    large, strange = tmp_path / "large.yaml", tmp_path / "strange.yaml"
    large.write_bytes(b"#" * (FILE_BYTES_MAX + 1))
    strange.write_bytes(b"a: \xff")
    for path, words in ((large, "larger than"), (strange, "not at byte 3")):
        with pytest.raises(TermsError, match=words):
            text_of(path)


@pytest.mark.parametrize("path", ["a.²", "a.99999999999999999999", "a.-1", "a.x", "b.c", "a.0.0.0", "a.."])
def test_a_path_that_leads_nowhere_is_said_to(path: str) -> None:
    with pytest.raises(TermsError, match=path.split(".", maxsplit=1)[0]):
        set_path({"a": [1, 2], "b": 1}, path, 5)
