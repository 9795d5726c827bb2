"""Nothing is computed twice, nothing stale is used, and a picture that cannot be used is named."""

import contextlib
import gc
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.decode import TRAINER_LIMITS, decode
from shared.preprocess import PreprocessSpec, preprocess
from tests.trainer.test_parity import MeanColour
from tests.trainer.tiny_graph import TINY_SPEC, tiny_graph
from trainer.cache_description import read_description
from trainer.completion import MANY_PARTS
from trainer.errors import UsageError
from trainer.featurize import Features, featurize
from trainer.manifest import Sample
from trainer.parity import relative_differences
from trainer.picture_statistics import COLUMNS, PictureStatistics, measure_picture
from trainer.progress import Phase, Progress, Quiet, Stretch
from trainer.rows_on_disk import RowsOnDisk

GRAPH = tiny_graph()


def write_picture(path: Path, shade: int) -> Sample:
    """A seeded noisy picture as a sample labelled by its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(shade).integers(0, 64, (40, 50, 3))
    Image.fromarray((noise + shade).astype(np.uint8)).save(path)
    return sample_of(path)


def sample_of(path: Path) -> Sample:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Sample(str(path), name=path.name, label=path.parent.name, digest=digest, split=None)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return [write_picture(tmp_path / "data" / f"{number:02}.png", 5 * number) for number in range(12)]


def run(samples: list[Sample], tmp_path: Path, **options: object) -> Features:
    settings: dict[str, object] = {"cache_dir": tmp_path / "cache", "threads": 2, **options}
    return featurize(samples, GRAPH, TINY_SPEC, **settings)  # type: ignore[arg-type]


def parts_of(tmp_path: Path, what: str) -> list[Path]:
    """Parts of the cache's features or statistics."""
    return sorted((tmp_path / "cache" / what).rglob("part-*.parquet"))


def expected(sample: Sample, spec: PreprocessSpec = TINY_SPEC) -> NDArray[np.float64]:
    """What `tiny_graph` must give: the mean of each colour."""
    means: NDArray[np.float64] = preprocess(decode(sample.path.read_bytes()), spec).mean((0, 1))
    return means


def test_each_row_is_what_the_graph_gives_for_that_picture(samples: list[Sample], tmp_path: Path) -> None:
    found = run(samples, tmp_path)

    assert found.values.dtype == np.float32
    assert found.values == pytest.approx(np.stack([expected(sample) for sample in samples]), rel=1e-5)
    assert (found.featurized, found.from_cache, found.unreadable) == (12, 0, ())
    assert found.readable == tuple(range(12))


def test_a_second_run_featurises_nothing_and_gives_the_same_bits(samples: list[Sample], tmp_path: Path) -> None:
    first, second = run(samples, tmp_path), run(samples, tmp_path)

    assert (second.featurized, second.from_cache) == (0, 12)
    assert first.values.tobytes() == second.values.tobytes()


def test_many_small_runs_do_not_leave_many_small_parts(tmp_path: Path) -> None:
    samples = [write_picture(tmp_path / "data" / f"{number:02}.png", number) for number in range(MANY_PARTS)]
    for sample in samples:
        run([sample], tmp_path)

    assert [len(parts_of(tmp_path, what)) for what in ("features", "statistics")] == [1, 1]
    assert run(samples, tmp_path).from_cache == MANY_PARTS


def test_a_row_depends_on_its_picture_alone(samples: list[Sample], tmp_path: Path) -> None:
    """Not on threads, order, or what was cached before: else the same pictures could give another model."""
    run(samples[::3], tmp_path)
    pieces = run(samples[::-1], tmp_path, threads=5).values[::-1]

    whole = run(samples, tmp_path, cache_dir=tmp_path / "other", threads=1).values

    assert pieces.tobytes() == whole.tobytes()


def test_one_changed_picture_is_one_picture_to_featurise(samples: list[Sample], tmp_path: Path) -> None:
    run(samples, tmp_path)
    samples[3] = write_picture(samples[3].path, 99)

    found = run(samples, tmp_path)

    assert (found.featurized, found.from_cache) == (1, 11)
    assert found.values[3] == pytest.approx(expected(samples[3]), rel=1e-5)


def test_moved_renamed_and_relabelled_pictures_are_known(samples: list[Sample], tmp_path: Path) -> None:
    before = run(samples, tmp_path).values
    shutil.move(tmp_path / "data", tmp_path / "moved")
    moved = [replace(sample_of(tmp_path / "moved" / sample.name), label="another") for sample in samples]

    found = run(moved, tmp_path)

    assert (found.featurized, found.from_cache) == (0, 12)
    assert found.values.tobytes() == before.tobytes()


def test_another_spec_or_graph_reuses_nothing(samples: list[Sample], tmp_path: Path) -> None:
    run(samples, tmp_path)
    wider = TINY_SPEC.model_copy(update={"resize": 30})

    other_spec = featurize(samples, GRAPH, wider, cache_dir=tmp_path / "cache")
    other_graph = featurize(samples, tiny_graph(factor=2.0), TINY_SPEC, cache_dir=tmp_path / "cache")

    assert (other_spec.featurized, other_graph.featurized) == (12, 12)
    assert other_spec.values == pytest.approx(np.stack([expected(sample, wider) for sample in samples]), rel=1e-5)
    assert other_graph.values == pytest.approx(2 * run(samples, tmp_path).values, rel=1e-5)


def test_equal_pictures_are_computed_once_and_have_equal_rows(samples: list[Sample], tmp_path: Path) -> None:
    shutil.copy(samples[0].path, tmp_path / "data" / "copy.png")
    samples.append(sample_of(tmp_path / "data" / "copy.png"))

    found = run(samples, tmp_path)

    assert found.featurized == 12
    assert found.values.shape == (13, 3)
    assert np.array_equal(found.values[0], found.values[12])


def test_pictures_that_cannot_be_used_are_named_with_a_reason_and_left_out(
    samples: list[Sample], tmp_path: Path
) -> None:
    (tmp_path / "data" / "text.jpg").write_text("not a picture")
    (tmp_path / "data" / "cut.png").write_bytes(samples[0].path.read_bytes()[:-200])
    bad = [sample_of(tmp_path / "data" / name) for name in ("text.jpg", "cut.png")]
    gone = write_picture(tmp_path / "data" / "gone.png", 200)
    gone.path.unlink()

    found = run([bad[0], *samples[:2], bad[1], gone, samples[2]], tmp_path)

    assert found.readable == (1, 2, 5)
    assert found.values == pytest.approx(np.stack([expected(sample) for sample in samples[:3]]), rel=1e-5)
    reasons = {one.name: one.reason for one in found.unreadable}
    assert list(reasons) == ["text.jpg", "cut.png", "gone.png"]
    assert "expected one of JPEG" in reasons["text.jpg"]
    assert "cannot be decoded" in reasons["cut.png"]
    assert "No such file" in reasons["gone.png"]


def test_a_picture_that_cannot_be_used_is_not_cached(samples: list[Sample], tmp_path: Path) -> None:
    """It is asked again next time: the disk may be back, the decoder may have learned the format."""
    gone = write_picture(tmp_path / "data" / "gone.png", 200)
    content = gone.path.read_bytes()
    gone.path.unlink()
    run([*samples, gone], tmp_path)
    gone.path.write_bytes(content)

    found = run([*samples, gone], tmp_path)

    assert (found.featurized, found.from_cache, found.unreadable) == (1, 12, ())


def test_every_copy_of_a_bad_picture_is_named(tmp_path: Path) -> None:
    for name in ("one.jpg", "two.jpg"):
        (tmp_path / name).write_text("not a picture")

    found = run([sample_of(tmp_path / name) for name in ("one.jpg", "two.jpg")], tmp_path)

    assert [one.name for one in found.unreadable] == ["one.jpg", "two.jpg"]
    assert found.values.shape == (0, 3)


def test_a_file_that_changed_since_it_was_hashed_does_not_poison_the_cache(
    samples: list[Sample], tmp_path: Path
) -> None:
    """Its features would be found later under the digest of the old picture."""
    stale = samples[0]
    write_picture(stale.path, 150)

    found = run(samples, tmp_path)

    assert [one.name for one in found.unreadable] == [stale.name]
    assert "changed while" in found.unreadable[0].reason


def test_a_backbone_that_answers_with_no_numbers_is_told_and_not_cached(samples: list[Sample], tmp_path: Path) -> None:
    broken = tiny_graph(factor=float("nan"))

    found = featurize(samples, broken, TINY_SPEC, cache_dir=tmp_path / "cache")

    assert len(found.unreadable) == 12
    assert "not numbers" in found.unreadable[0].reason


def test_a_damaged_part_is_computed_again_with_a_warning(samples: list[Sample], tmp_path: Path) -> None:
    before = run(samples, tmp_path).values
    (part,) = parts_of(tmp_path, "features")
    part.write_bytes(part.read_bytes()[:-10])
    progress = Quiet()

    found = run(samples, tmp_path, progress=progress)

    assert (found.featurized, found.from_cache) == (12, 0)
    assert found.values.tobytes() == before.tobytes()
    assert len(progress.warnings) == 1 and part.name in progress.warnings[0]


class Interrupting:
    """A display at which someone presses Ctrl-C after so many pictures."""

    def __init__(self, *, after: int) -> None:
        self.after = after

    @contextlib.contextmanager
    def phase(self, stretch: Stretch) -> Iterator[Phase]:
        def show(done: int) -> None:
            if done == self.after:
                raise KeyboardInterrupt

        yield Phase(show)

    def say(self, event: object, text: str, fields: object) -> None:
        pass


def test_an_interrupt_keeps_what_was_done(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(samples, tmp_path, progress=Progress(Interrupting(after=5)))

    found = run(samples, tmp_path)

    assert (found.featurized, found.from_cache) == (7, 5)


def test_progress_counts_the_pictures_that_are_computed(samples: list[Sample], tmp_path: Path) -> None:
    run(samples[:4], tmp_path)
    progress = Quiet()

    run(samples, tmp_path, progress=progress)

    assert progress.phases == [("featurize", 8)]


def test_no_samples_give_no_rows(tmp_path: Path) -> None:
    assert run([], tmp_path).values.shape == (0, 3)


def test_the_torch_engine_agrees_and_keeps_its_rows_apart(samples: list[Sample], tmp_path: Path) -> None:
    """Its features are not those of the graph that serves, so the caches must not mix."""
    (tmp_path / "data" / "text.jpg").write_text("not a picture")
    mixed = [*samples, sample_of(tmp_path / "data" / "text.jpg")]
    onnx = run(mixed, tmp_path)

    torch = run(mixed, tmp_path, engine="torch", module=lambda: MeanColour(TINY_SPEC))

    assert (torch.featurized, torch.from_cache) == (12, 0)
    assert torch.unreadable == onnx.unreadable
    assert relative_differences(onnx.values, torch.values).max() <= 1e-4


def test_the_torch_engine_builds_its_module_only_when_there_is_something_to_compute(
    samples: list[Sample], tmp_path: Path
) -> None:
    run(samples, tmp_path, engine="torch", module=lambda: MeanColour(TINY_SPEC))

    def never() -> MeanColour:
        pytest.fail("built a module for a warm cache")

    assert run(samples, tmp_path, engine="torch", module=never).from_cache == 12


def test_the_torch_engine_needs_a_module(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="torch module"):
        run(samples, tmp_path, engine="torch")


# --- statistics beside the features ---


def measured(sample: Sample) -> PictureStatistics:
    data = sample.path.read_bytes()
    return measure_picture(data, decode(data, at_least=TINY_SPEC.decode_at_least, limits=TRAINER_LIMITS))


def same_statistics(found: PictureStatistics, wanted: PictureStatistics) -> bool:
    return all(np.array_equal(getattr(found, name), getattr(wanted, name)) for name in COLUMNS)


def test_each_row_of_statistics_is_that_of_its_picture(samples: list[Sample], tmp_path: Path) -> None:
    (tmp_path / "data" / "text.jpg").write_text("not a picture")
    asked = [samples[5], sample_of(tmp_path / "data" / "text.jpg"), *samples[:3], samples[5]]

    found = run(asked, tmp_path)

    assert found.statistics.digests == tuple(asked[position].digest for position in found.readable)
    assert len(found.statistics) == len(found.values) == 5
    for row, position in enumerate(found.readable):
        assert same_statistics(found.statistics.row(row), measured(asked[position]))


def test_a_warm_run_reads_no_picture(samples: list[Sample], tmp_path: Path) -> None:
    """The files are gone, and yet everything is known of them by their digests."""
    before = run(samples, tmp_path)
    shutil.rmtree(tmp_path / "data")

    found = run(samples, tmp_path)

    assert (found.featurized, found.from_cache, found.unreadable) == (0, 12, ())
    assert found.statistics.grey.tobytes() == before.statistics.grey.tobytes()
    assert found.statistics.sharpness.tobytes() == before.statistics.sharpness.tobytes()


def test_statistics_that_a_cache_lacks_are_measured_without_the_backbone(samples: list[Sample], tmp_path: Path) -> None:
    """Such as one that was written before there were any."""
    before = run(samples, tmp_path)
    shutil.rmtree(tmp_path / "cache" / "statistics")
    progress = Quiet()

    def never() -> MeanColour:
        pytest.fail("built a module only to measure pictures")

    found = run(samples, tmp_path, progress=progress)
    run(samples, tmp_path, engine="torch", module=lambda: MeanColour(TINY_SPEC))
    shutil.rmtree(tmp_path / "cache" / "statistics")
    torch = run(samples, tmp_path, engine="torch", module=never)

    assert progress.phases == [("measure", 12)]
    assert (found.featurized, found.from_cache, torch.featurized) == (0, 12, 0)
    assert found.statistics.grey.tobytes() == before.statistics.grey.tobytes() == torch.statistics.grey.tobytes()


def test_what_is_lacking_is_computed_picture_by_picture(samples: list[Sample], tmp_path: Path) -> None:
    run(samples[:4], tmp_path)
    shutil.rmtree(tmp_path / "cache" / "statistics")
    run(samples[2:6], tmp_path)
    (part,) = parts_of(tmp_path, "statistics")
    known = set(pq.read_table(part).column("digest").to_pylist())

    found = run(samples, tmp_path, threads=3)

    assert known == {sample.digest for sample in samples[2:6]}
    assert (found.featurized, found.from_cache) == (6, 6)
    assert all(same_statistics(found.statistics.row(row), measured(one)) for row, one in enumerate(samples))


def test_features_that_are_damaged_are_computed_again_and_statistics_are_kept(
    samples: list[Sample], tmp_path: Path
) -> None:
    run(samples, tmp_path)
    for part in parts_of(tmp_path, "features"):
        part.unlink()
    before = parts_of(tmp_path, "statistics")

    assert run(samples, tmp_path).featurized == 12
    assert parts_of(tmp_path, "statistics") == before


def test_a_damaged_part_of_statistics_is_measured_again_with_a_warning(samples: list[Sample], tmp_path: Path) -> None:
    before = run(samples, tmp_path)
    (part,) = parts_of(tmp_path, "statistics")
    damaged = bytearray(part.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    part.write_bytes(damaged)
    progress = Quiet()

    found = run(samples, tmp_path, progress=progress)

    assert (found.featurized, found.from_cache) == (0, 12)
    assert found.statistics.grey.tobytes() == before.statistics.grey.tobytes()
    assert len(progress.warnings) == 1 and part.name in progress.warnings[0]


def test_other_backbones_with_the_same_sizes_share_statistics(samples: list[Sample], tmp_path: Path) -> None:
    run(samples, tmp_path)
    before = parts_of(tmp_path, "statistics")

    other = featurize(samples, tiny_graph(factor=2.0), TINY_SPEC, cache_dir=tmp_path / "cache")

    assert other.featurized == 12
    assert parts_of(tmp_path, "statistics") == before


def test_pictures_that_were_decoded_at_another_size_have_statistics_of_their_own(
    samples: list[Sample], tmp_path: Path
) -> None:
    run(samples, tmp_path)

    featurize(samples, GRAPH, TINY_SPEC.model_copy(update={"resize": 30}), cache_dir=tmp_path / "cache")

    assert len(parts_of(tmp_path, "statistics")) == 2


def test_the_cache_says_what_its_folders_hold(samples: list[Sample], tmp_path: Path) -> None:
    run(samples, tmp_path, backbone="tiny")
    (features,) = parts_of(tmp_path, "features")
    (statistics,) = parts_of(tmp_path, "statistics")

    said = read_description(features.parent)

    assert (said["backbone"], said["spec"]["resize"], said["precision"]) == ("tiny", 24, "float32")
    assert said["engine"].startswith("onnxruntime") and said["first_used"]
    assert read_description(statistics.parent)["decode_at_least"] == [24, 24]


class CountsRows(Interrupting):
    """A display that counts, now and then, how many pictures' rows are in memory at once."""

    def __init__(self) -> None:
        self.most = 0

    @contextlib.contextmanager
    def phase(self, stretch: Stretch) -> Iterator[Phase]:
        def show(done: int) -> None:
            if done % 97 == 0:
                rows = sum(type(one) is PictureStatistics for one in gc.get_objects())
                self.most = max(self.most, rows)

        yield Phase(show)


def test_rows_do_not_pile_up_while_they_are_computed(tmp_path: Path) -> None:
    """At most those of one part, and the few that are ahead; what is stored is let go."""
    for number in range(700):
        Image.new("RGB", (5, 4), (number % 256, number // 256, 9)).save(tmp_path / f"{number:03}.png")
    display = CountsRows()

    found = run([sample_of(path) for path in sorted(tmp_path.glob("*.png"))], tmp_path, progress=Progress(display))

    assert found.featurized == 700
    assert 200 < display.most < 300


def test_rows_on_disk_are_those_in_memory(samples: list[Sample], tmp_path: Path) -> None:
    """Copies of a picture share one; what cannot be read has none."""
    broken = tmp_path / "data" / "broken.png"
    broken.write_bytes(b"no picture")
    mixed = [samples[5], sample_of(broken), samples[2], replace(samples[5], name="copy.png"), *samples[6:]]
    asked: list[int] = []

    def on_disk(feature_size: int) -> bool:
        asked.append(feature_size)
        return True

    found, in_memory = run(mixed, tmp_path, on_disk=on_disk), run(mixed, tmp_path)

    assert asked == [3]
    assert isinstance(found.rows, RowsOnDisk) and found.rows.shape == (len(mixed) - 1, 3)
    assert found.values.tobytes() == in_memory.values.tobytes()
    assert found.readable == in_memory.readable
    assert np.array_equal(found.of_rows([4, 0]).values, in_memory.values[[4, 0]])


def test_where_rows_shall_lie_is_asked_before_anything_is_computed(samples: list[Sample], tmp_path: Path) -> None:
    def refuse(_feature_size: int) -> bool:
        raise UsageError("too large")

    with pytest.raises(UsageError, match="too large"):
        run(samples, tmp_path, on_disk=refuse)

    assert parts_of(tmp_path, "features") == []
