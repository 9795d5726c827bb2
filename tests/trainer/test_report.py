import html.parser
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainer.charts import draw_confusion, draw_sweep
from trainer.cross_validation import CrossValidation
from trainer.evaluation import Evaluation, evaluate
from trainer.fold_mean import FoldMean
from trainer.mistakes import Mistake
from trainer.report import CARD_FILE, REPORT_FILE, escape_markdown, render_card, render_report, report_files
from trainer.report_content import (
    BackboneFacts,
    HeadFacts,
    LabelCount,
    Noticed,
    ReportFacts,
    Shown,
)
from trainer.report_words import (
    best_of,
    guessing_accuracy,
    percent,
    right_of,
)
from trainer.visible import visible

ROOT = Path(__file__).resolve().parents[2]
NASTY = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "[a](javascript:x) | `b` *c*\n# d",
    "\u202eevil",
)


class Page(html.parser.HTMLParser):
    """The tags, attributes and texts of a page; complains of a tag that is closed without having been opened."""

    VOID = frozenset({"meta", "link", "img", "br", "use", "path"})

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def measured(labels: tuple[str, ...]) -> Evaluation:
    generator, n = np.random.default_rng(0), 40 + 5 * len(labels)
    targets = np.concatenate([np.arange(len(labels)), generator.integers(0, len(labels), n - len(labels))])
    logits = generator.normal(size=(n, len(labels)))
    logits[np.arange(n), targets] += 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return evaluate(probabilities.astype(np.float32), targets, labels)


def facts(labels: tuple[str, ...] = ("cat", "dog"), **changes: object) -> ReportFacts:
    plain = ReportFacts(
        name="pets",
        trained_at="2026-03-01 12:00 UTC",
        data="pets",
        labels_from="folder names",
        manifest_digest="ab" * 32,
        counts=tuple(LabelCount(label, train=70, validation=10, test=20) for label in labels),
        backbone=BackboneFacts("nano", "it is embedded", "embedded", "cd" * 32, "BSD-3-Clause", 416, "centre 128 px"),
        head=HeadFacts(l2=0.1, swept=(), folds=5, note="", refitted=True),
        test=measured(labels),
        cross_validated=measured(labels),
        folds=None,
        mistakes=(Mistake(b"\xff\xd8jpeg", "cat/1.jpg", labels[0], labels[1], 0.91),),
        mistake_count=1,
        mix_ups=(),
        pictures=True,
        findings=(),
        settings=(("seed", "0"),),
        tools=(("python", "3.11"),),
        seconds=(("fit", 1.5),),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def noticed(title: str, lines: tuple[str, ...], *, shown: Sequence[Shown] = (), total: int = 0) -> Noticed:
    meaning = NASTY[0] if lines == NASTY else "What it means."
    return Noticed(title, meaning, bool(shown), tuple(shown), lines, total or len(lines))


def test_the_page_needs_nothing_but_itself() -> None:
    """It is opened from a disk, a mail or a train: no request may leave it, and none is needed."""
    page = Page(render_report(facts()))

    addresses = [value for name, value in page.attributes if name in ("src", "href", "srcset", "action", "xlink:href")]
    assert all(address.startswith(("data:", "#")) for address in addresses)
    assert {"script", "iframe", "object", "base"}.isdisjoint(page.tags)
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in page.attributes


def test_the_page_shows_how_the_strength_was_chosen() -> None:
    swept = replace(facts().head, swept=((1.0, 0.5), (0.1, 0.4), (0.01, 0.6)))

    page = Page(render_report(facts(head=swept)))

    assert "svg" in page.tags
    assert "the best of 3 in 5-fold cross-validation" in page.text


def test_what_labels_and_file_names_say_stays_text() -> None:
    """Whoever can name a file must not be able to run a script in the report of whoever trains."""
    page = Page(
        render_report(
            facts(
                NASTY,
                name=NASTY[0],
                data=NASTY[1],
                labels_from=NASTY[2],
                mistakes=[Mistake(b"jpeg", name, *NASTY[:2], 0.9) for name in NASTY],
                findings=(
                    noticed("Unreadable pictures", NASTY),
                    noticed("Likely wrong labels", NASTY, shown=[Shown((b"jpeg",), (name,), name) for name in NASTY]),
                ),
                settings=((NASTY[0], NASTY[1]),),
            )
        )
    )

    assert "script" not in page.tags
    assert page.tags.count("img") == 2 * len(NASTY)
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert NASTY[0] in page.text
    assert "\u202e" not in page.text


def test_the_card_shows_nasty_names_as_they_are() -> None:
    card = render_card(facts(NASTY, name="a\n# b"))

    assert card.startswith("# a\\\\n\\# b\n")
    assert "<" not in card.replace("\\<", "")
    assert "- \\[a\\](javascript:x) \\| \\`b\\` \\*c\\*\\\\n\\# d\n" in card


def test_markdown_is_escaped_only_where_it_means_something() -> None:
    assert escape_markdown("mobilenet_v2, 93.5 % (BSD-3-Clause)") == "mobilenet_v2, 93.5 % (BSD-3-Clause)"
    assert escape_markdown("_a_ http://b.c www.d.e") == "\\_a\\_ http\\://b.c www\\.d.e"


def test_the_headline_is_said_with_its_interval() -> None:
    told = Page(render_report(facts())).text
    test = facts().test

    assert test is not None
    assert f"{right_of(test)} of {test.n} pictures" in told
    assert percent(test.accuracy_interval[0]).removesuffix(" %") in told
    assert "that nothing else had seen" in told


def test_it_is_said_whose_numbers_they_are() -> None:
    """The published head is not the measured one after a final fit on all pictures."""
    refitted, measured_one = facts(), facts(head=replace(facts().head, refitted=False))

    assert "fitted once more on all pictures" in Page(render_report(refitted)).text
    assert "fitted once more on all pictures" in render_card(refitted)
    assert "the very one that was measured" in Page(render_report(measured_one)).text
    assert "is the one that was measured" in render_card(measured_one)


def test_without_a_test_split_the_cross_validated_numbers_lead() -> None:
    only_folds = facts(test=None)

    told = Page(render_report(only_folds)).text

    assert "cross-validation; there is no test split" in told
    assert "Mistakes on the test split" not in told
    assert "Mistakes on pictures held out" in told
    assert "test split, not seen before" not in render_card(only_folds)


def test_without_any_number_nothing_is_claimed() -> None:
    unmeasured = facts(
        test=None, cross_validated=None, mistakes=(), head=HeadFacts(0.1, (), 0, "Too few groups.", refitted=False)
    )

    told = Page(render_report(unmeasured)).text

    assert "Nothing was measured" in told
    assert "Too few groups." in told
    assert "accuracy" not in told.lower()
    assert "Nothing was measured" in render_card(unmeasured)


def test_nested_folds_are_told_beside_the_rest() -> None:
    pooled = measured(("cat", "dog"))
    mean = FoldMean(0.876, (0.81, 0.94))
    folds = CrossValidation(
        ("cat", "dog"), folds=4, results=(), pooled=(pooled,), accuracy=mean, macro_accuracy=mean, log_loss=mean
    )

    assert "all, 4 nested folds" in Page(render_report(facts(folds=folds))).text
    assert "87.6 %" in render_card(facts(folds=folds))


def test_a_model_that_may_not_beat_guessing_is_said_to_be_so() -> None:
    targets = np.array([0, 0, 0, 1])
    unsure = evaluate(np.tile(np.array([[0.6, 0.4]], np.float32), (4, 1)), targets, ("cat", "dog"))

    assert "Not proven to be useful" in Page(render_report(facts(test=unsure))).text


def test_many_labels_stay_readable() -> None:
    """A hundred names do not fit beside a matrix: a pattern, the frequent mix-ups and the table tell it instead."""
    labels = tuple(f"label {k}" for k in range(101))

    page = render_report(facts(labels))

    assert 'class="matrix' not in page
    assert "Confusion matrix of 101 labels" in page
    assert "Among the best 5" in page
    assert "and 51 more, listed in" in render_card(facts(labels))


def test_long_lists_are_cut_and_counted() -> None:
    finding = noticed("Unreadable pictures", ("a.jpg: truncated", "b.jpg: empty"), total=1450)

    page = Page(render_report(facts(findings=(finding,))))

    assert "Unreadable pictures: 1,450" in page.text
    assert "and 1448 more" in page.text


def test_what_is_worth_a_look_is_shown_and_named_once() -> None:
    """The first are pictures to look at; the rest follows by name."""
    shown = [Shown((b"one", b"two"), ("a.jpg", "b.jpg"), "alike to 0.998")]
    alike = noticed("Nearly identical pictures", ("a.jpg = b.jpg: alike to 0.998", "c.jpg = d.jpg"), shown=shown)

    page = Page(render_report(facts(findings=(alike, noticed("Missing files", ("gone.jpg",))))))

    assert page.text.count("alike to 0.998") == 1
    assert "c.jpg = d.jpg" in page.text
    assert [value for name, value in page.attributes if name == "alt"][-2:] == ["a.jpg", "b.jpg"]
    assert page.text.index("Nearly identical pictures: 2") < page.text.index("Dealt with") < page.text.index("Missing")


def test_without_findings_it_is_said_that_there_are_none() -> None:
    assert "no label or picture stands out" in Page(render_report(facts(findings=()))).text


def test_both_files_can_be_written_whatever_labels_are() -> None:
    files = report_files(facts(("\udc80", "dog")))

    assert "\\udc80" in files[REPORT_FILE].decode()
    assert "\\udc80" in files[CARD_FILE].decode()


def test_charts_take_their_colours_from_the_page_and_leave_no_trace() -> None:
    import matplotlib as mpl

    settings_before, level_before = mpl.rcParams.copy(), logging.getLogger("matplotlib").level

    charts = draw_sweep(((1.0, 0.5), (0.1, 0.4)), chosen=0.1) + draw_confusion([[3, 1], [0, 4]])

    assert "var(--accent)" in charts
    assert not re.search("#01020[0-9]|#04050[0-9]|#07080[0-9]", charts)
    assert mpl.rcParams.copy() == settings_before
    assert logging.getLogger("matplotlib").level == level_before
    assert "matplotlib.pyplot" not in sys.modules


def test_charts_are_drawn_in_silence_without_a_home() -> None:
    """Containers run with a read-only root: matplotlib then keeps its fonts in a temporary folder."""
    home = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null/cache", "XDG_CONFIG_HOME": "/dev/null/config"}
    code = "from trainer.charts import draw_sweep; print(len(draw_sweep(((1.0, 0.5), (0.1, 0.4)), chosen=0.1)))"

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | home, capture_output=True, text=True, check=True
    )

    assert int(done.stdout) > 1000
    assert done.stderr == ""


def test_matplotlib_is_loaded_only_to_draw() -> None:
    code = (
        "import sys, trainer.report, trainer.charts; sys.exit('matplotlib' in sys.modules or 'jinja2' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_words_of_an_evaluation() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.7, 0.2, 0.1], [0.6, 0.3, 0.1]], np.float32)
    test = evaluate(probabilities, np.array([0, 0, 0, 2]), ("a", "b", "c"))

    assert right_of(test) == 2
    assert guessing_accuracy(test) == 0.75
    assert best_of(test) is None
    assert visible("a\nb\u202ec ü") == "a\\nb\\u202ec ü"


def test_groups_and_labels_that_nothing_tested_are_told() -> None:
    """Who groups by site must not read the interval as that of many sites, nor 100 % as that of every label."""
    some = evaluate(np.eye(3, dtype=np.float32)[[0, 0, 1]], np.array([0, 0, 1]), ("cat", "dog", "eel"), groups="aab")

    page = Page(render_report(facts(labels=("cat", "dog", "eel"), test=some, settings=(("group-by", "site(1)"),))))
    card = render_card(facts(labels=("cat", "dog", "eel"), test=some, settings=(("group-by", "site(1)"),)))

    assert "They are 2 groups of pictures that belong together" in page.text
    assert "Not tested: eel" in page.text
    assert "--group-by site(1)" in page.text
    assert "3 pictures are 2 groups" in card
    assert "Not tested, because no picture was held out: eel" in card
