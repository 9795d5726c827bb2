"""trainer/progress.py: a bar for a person, JSON lines for a log, results left alone."""

import io
import json
import re
import threading
from typing import Any

import numpy as np
import pytest

from trainer.displays import JsonLines, Terminal, duration
from trainer.progress import Progress, Quiet


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class BrokenPipe(io.StringIO):
    """Whoever read it has gone."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_elsewhere_than_on_a_terminal_each_second_is_one_json_line() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(JsonLines(stream, clock=clock))

    with progress.phase("featurize", total=10) as phase:
        for _ in range(10):
            clock.now += 0.25
            phase.advance()

    assert [line["done"] for line in lines(stream)] == [4, 8, 10]
    assert lines(stream)[0] == {
        "event": "progress",
        "phase": "featurize",
        "done": 4,
        "total": 10,
        "elapsed_s": 1.0,
        "rate_per_s": 4.0,
        "left_s": 1.5,
    }


def times_of_pictures(count: int) -> list[float]:
    """Seconds as pictures of unlike sizes take them: most are quick, some take ten times as long."""
    return np.random.default_rng(7).lognormal(-4.5, 0.7, count).tolist()


def test_the_time_left_is_right_within_a_fifth_once_a_tenth_is_done() -> None:
    """In the JSON lines; pictures are of unlike sizes, and the first ones wait for the model to warm up."""
    stream, clock = io.StringIO(), Clock()
    times = [3.0, 1.0, *times_of_pictures(2400)]
    ends = dict(enumerate(100.0 + np.cumsum(times), start=1))

    with Progress(JsonLines(stream, clock=clock)).phase("featurize", total=len(times)) as phase:
        for done, end in ends.items():
            clock.now = end
            phase.advance()
            assert phase.done == done

    late = [line for line in lines(stream)[:-1] if 0.1 * len(times) < line["done"] < 0.95 * len(times)]
    assert len(late) > 20
    for line in late:
        assert line["left_s"] == pytest.approx(ends[len(times)] - ends[line["done"]], rel=0.2)


def test_the_bar_tells_the_same_time_left() -> None:
    stream, clock = io.StringIO(), Clock()
    times = [3.0, 1.0, *times_of_pictures(2400)]

    with (
        pytest.raises(KeyboardInterrupt),
        Progress(Terminal(stream, clock=clock)).phase("featurize", total=len(times)) as phase,
    ):
        for seconds in times[:240]:
            clock.now += seconds
            phase.advance()
        raise KeyboardInterrupt

    (shown,) = re.findall(r"/s, (\d+) s left", stream.getvalue())
    assert int(shown) == pytest.approx(sum(times[240:]), rel=0.2)


def test_steps_that_were_done_before_do_not_make_the_rest_look_quick() -> None:
    stream, clock = io.StringIO(), Clock()

    with Progress(JsonLines(stream, clock=clock)).phase("featurize", total=116, already=16) as phase:
        for _ in range(10):
            clock.now += 1.0
            phase.advance()

    assert all(line["rate_per_s"] == 1.0 for line in lines(stream))
    assert lines(stream)[-1]["left_s"] == 90.0


def test_bytes_are_shown_as_bytes() -> None:
    stream, clock = io.StringIO(), Clock()

    with Progress(Terminal(stream, clock=clock)).phase("download", total=50_000_000, unit="byte") as phase:
        clock.now += 2.0
        phase.advance(50_000_000)

    assert "25.0 MB/s" in stream.getvalue()
    assert "50.0/50.0 MB" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.1, "1 s"), (8.4, "8 s"), (99, "99 s"), (130, "2 min"), (3000, "50 min"), (9000, "2.5 h")]
)
def test_a_duration_is_as_exact_as_anybody_needs(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_phase_that_is_interrupted_says_how_far_it_came() -> None:
    stream = io.StringIO()
    progress = Progress(JsonLines(stream, clock=Clock()))

    with pytest.raises(KeyboardInterrupt), progress.phase("hash", total=5) as phase:
        phase.advance(2)
        raise KeyboardInterrupt

    assert [(line["done"], line["rate_per_s"], line["left_s"]) for line in lines(stream)] == [(2, None, None)]


def test_the_line_that_ends_a_phase_says_how_long_it_has_lasted() -> None:
    """Also where no step is counted: what a run was doing all the time can be read from its log."""
    stream, clock = io.StringIO(), Clock()

    with Progress(JsonLines(stream, clock=clock)).phase("write report"):
        clock.now += 2.25

    assert [(line["phase"], line["elapsed_s"]) for line in lines(stream)] == [("write report", 2.25)]


def test_sentences_and_warnings_carry_their_facts() -> None:
    stream = io.StringIO()
    progress = Progress(JsonLines(stream))

    progress.say("2 pictures found", count=2)
    progress.warn("caf\udce9.jpg cannot be read")

    assert lines(stream) == [
        {"event": "say", "text": "2 pictures found", "count": 2},
        {"event": "warning", "text": "caf\udce9.jpg cannot be read"},
    ]


def test_work_goes_on_when_nobody_reads_any_more() -> None:
    progress = Progress(JsonLines(BrokenPipe()))

    progress.say("anyone?")
    with progress.phase("hash", total=1) as phase:
        phase.advance()

    assert phase.done == 1


def test_steps_may_be_counted_from_several_threads() -> None:
    progress = Quiet()

    with progress.phase("featurize", total=4000) as phase:
        threads = [
            threading.Thread(target=lambda: [phase.advance() for _ in range(1000)])  # type: ignore[func-returns-value]
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert progress.phases == [("featurize", 4000)]


def test_a_terminal_shows_a_bar_with_rate_and_sentences_as_they_are() -> None:
    stream = io.StringIO()
    progress = Progress(Terminal(stream))

    with progress.phase("featurize", total=2) as phase:
        phase.advance(2)
        progress.say("[bold]a/b[c].jpg[/bold]")
    progress.warn("look out")

    shown = stream.getvalue()
    assert "featurize" in shown
    assert "2/2" in shown
    assert "[bold]a/b[c].jpg[/bold]" in shown
    assert "warning: look out" in shown


def test_names_of_files_cannot_steer_the_terminal() -> None:
    stream = io.StringIO()

    Terminal(stream).say("warning", "unreadable: \x1b[2J\x1b]0;mine now\x07\n.png", {})

    assert stream.getvalue() == "warning: unreadable: \\x1b[2J\\x1b]0;mine now\\x07\\n.png\n"


def test_a_phase_of_unknown_length_is_shown_too() -> None:
    stream, terminal = io.StringIO(), io.StringIO()

    for progress in (Progress(JsonLines(stream)), Progress(Terminal(terminal))):
        with progress.phase("look for pictures") as phase:
            phase.advance(3)

    assert [(line["done"], line["total"], line["left_s"]) for line in lines(stream)] == [(3, None, None)]
    assert "look for pictures" in terminal.getvalue()


def test_progress_goes_to_stderr_so_that_results_can_be_piped(capfd: pytest.CaptureFixture[str]) -> None:
    Progress().say("hello")

    assert capfd.readouterr().out == ""


def test_the_quiet_one_shows_nothing_and_remembers(capfd: pytest.CaptureFixture[str]) -> None:
    progress = Quiet()

    progress.say("hello", count=1)
    progress.warn("careful")

    assert (progress.said, progress.warnings) == (["hello"], ["careful"])
    assert capfd.readouterr() == ("", "")
