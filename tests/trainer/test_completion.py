"""Views are rows of their own: computed in the one decode, counted, kept, and never taken for another's."""

from pathlib import Path

import numpy as np
import pytest

from shared.decode import decode
from tests.trainer.test_featurize import sample_of, write_picture
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.completion import Caches, Done, by_digest, complete, open_caches
from trainer.engines import OnnxEngine
from trainer.featurize import featurize, read_rows
from trainer.live_metrics import FeaturizedPicture
from trainer.manifest import Sample
from trainer.progress import Quiet
from trainer.views import render_views

GRAPH = tiny_graph()


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return [write_picture(tmp_path / "data" / f"{number:02}.png", 9 * number) for number in range(6)]


def caches_in(tmp_path: Path, graph: bytes = GRAPH) -> Caches:
    engine = OnnxEngine(graph, provider="cpu")
    return open_caches(tmp_path / "cache", graph, TINY_SPEC, 3, engine=engine.identity, warn=Quiet().warn)


def run(samples: list[Sample], tmp_path: Path, views: int, told: list[FeaturizedPicture] | None = None) -> Done:
    return complete(
        by_digest(samples),
        OnnxEngine(GRAPH, provider="cpu"),
        TINY_SPEC,
        caches_in(tmp_path),
        views=range(views),
        threads=2,
        progress=Quiet(),
        on_metrics=told.append if told is not None else None,
    )


def test_a_view_has_the_features_of_its_own_pixels(samples: list[Sample], tmp_path: Path) -> None:
    run(samples, tmp_path, views=3)

    for index in range(3):
        found = read_rows(caches_in(tmp_path).augmented, [one.digest for one in samples], str(index))
        for row, sample in zip(found, samples, strict=True):
            (pixels,) = render_views(decode(sample.path.read_bytes()), TINY_SPEC, sample.digest, (index,))
            assert row == pytest.approx(pixels.mean((0, 1)), rel=1e-5)


def test_each_picture_is_decoded_once_for_all_that_is_wanted(samples: list[Sample], tmp_path: Path) -> None:
    """Pictures are told of, and counted, and not their renderings."""
    told: list[FeaturizedPicture] = []

    done = run(samples, tmp_path, views=4, told=told)

    assert (done.featurized, done.rendered) == (6, 30)
    assert [(one.index, one.total) for one in told] == [(index, 6) for index in range(6)]


def test_a_second_run_renders_nothing_and_more_views_only_the_further_ones(
    samples: list[Sample], tmp_path: Path
) -> None:
    rendered = [run(samples, tmp_path, views=views).rendered for views in (2, 2, 1, 0, 5, 5)]

    assert rendered == [18, 0, 0, 0, 18, 0]


def test_plain_features_that_are_known_are_not_computed_again_for_the_views(
    samples: list[Sample], tmp_path: Path
) -> None:
    featurize(samples, GRAPH, TINY_SPEC, cache_dir=tmp_path / "cache", provider="cpu")

    assert run(samples, tmp_path, views=2).rendered == 12
    again = featurize(samples, GRAPH, TINY_SPEC, cache_dir=tmp_path / "cache", provider="cpu")
    assert (again.featurized, again.from_cache) == (0, 6)


def test_a_changed_picture_has_all_its_renderings_computed_and_no_other_has(
    samples: list[Sample], tmp_path: Path
) -> None:
    run(samples, tmp_path, views=2)
    samples[2] = write_picture(samples[2].path, 200)

    done = run(samples, tmp_path, views=2)

    assert (done.featurized, done.rendered) == (1, 3)


def test_another_definition_of_views_reuses_none(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the plain features all."""
    run(samples, tmp_path, views=2)
    monkeypatch.setattr("trainer.views.VIEWS_REVISION", 99)

    assert run(samples, tmp_path, views=2).rendered == 12


def test_what_was_rendered_before_an_interrupt_is_kept(samples: list[Sample], tmp_path: Path) -> None:
    class Stopped(Exception):
        """Somebody presses Ctrl-C."""

    def stop(picture: FeaturizedPicture) -> None:
        if picture.index == 3:
            raise Stopped

    with pytest.raises(Stopped):
        complete(
            by_digest(samples),
            OnnxEngine(GRAPH, provider="cpu"),
            TINY_SPEC,
            caches_in(tmp_path),
            views=range(2),
            threads=1,
            progress=Quiet(),
            on_metrics=stop,
        )

    assert run(samples, tmp_path, views=2).rendered == 2 * 3


def test_a_picture_that_cannot_be_read_is_refused_with_its_reason(samples: list[Sample], tmp_path: Path) -> None:
    samples[1].path.write_bytes(b"no picture")
    broken = sample_of(samples[1].path)

    done = run([samples[0], broken], tmp_path, views=1)

    assert list(done.refused) == [broken.digest]
    assert done.rendered == 2


def test_without_views_no_folder_is_made_for_them(samples: list[Sample], tmp_path: Path) -> None:
    run(samples, tmp_path, views=0)

    assert len(list((tmp_path / "cache" / "features").iterdir())) == 1
    assert np.isfinite(read_rows(caches_in(tmp_path).features, [one.digest for one in samples])).all()
