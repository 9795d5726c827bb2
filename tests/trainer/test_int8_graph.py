"""A run's int8 graph is made once for what it depends on, from pictures of the train split alone."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto
from PIL import Image

from shared.cpu_features import Cpu
from shared.preprocess import PreprocessSpec
from tests.trainer.conv_graph import CONV_SPEC, conv_graph
from trainer.canonical import canonical
from trainer.errors.features import PictureNoLongerUsable
from trainer.int8_graph import CALIBRATION_COUNT, calibration_samples, int8_graph, requirements_of
from trainer.progress import Quiet
from trainer.samples import Sample

GRAPH = canonical(ModelProto.FromString(conv_graph()))
WITH_VNNI, WITHOUT = Cpu("x86_64", frozenset({"avx2", "avx_vnni"})), Cpu("x86_64", frozenset({"avx2"}))


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    random = np.random.default_rng(0)
    made = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        Image.fromarray(random.integers(0, 256, (20, 20, 3), np.uint8)).save(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        made.append(Sample(str(path), path.name, "ab"[number % 2], digest, "train"))
    return made


def graph_files(cache: Path) -> int:
    return len(list((cache / "graphs").iterdir()))


def make(samples: list[Sample], cache: Path, *, cpu: Cpu = WITH_VNNI, spec: PreprocessSpec = CONV_SPEC) -> bytes:
    return int8_graph(GRAPH, spec, samples, cache_dir=cache, cpu=cpu, progress=Quiet())


def test_a_second_run_reads_no_picture(samples: list[Sample], tmp_path: Path) -> None:
    first = make(samples, tmp_path / "cache")
    for sample in samples:
        sample.path.unlink()

    assert make(samples, tmp_path / "cache") == first


def test_whatever_it_depends_on_makes_another(samples: list[Sample], tmp_path: Path) -> None:
    """Other pictures, another way to prepare them, another kind of CPU: nothing is reused by mistake."""
    cache = tmp_path / "cache"
    make(samples, cache)
    make(samples[1:], cache)
    make(samples, cache, cpu=WITHOUT)
    make(samples, cache, spec=CONV_SPEC.model_copy(update={"fit": "stretch"}))

    assert graph_files(cache) == 4


def test_where_pictures_lie_does_not_matter(samples: list[Sample], tmp_path: Path) -> None:
    moved = []
    for number, sample in enumerate(reversed(samples)):
        path = tmp_path / f"moved-{number}.png"
        path.write_bytes(sample.path.read_bytes())
        moved.append(Sample(str(path), path.name, sample.label, sample.digest, "train"))

    assert make(samples, tmp_path / "one") == make(moved, tmp_path / "other")


def test_only_a_graph_of_full_range_requires_vnni(samples: list[Sample], tmp_path: Path) -> None:
    """With 7 bits no sum overflows, so the model may be served anywhere."""
    assert (requirements_of(WITH_VNNI), requirements_of(WITHOUT)) == (("vnni",), ())
    assert make(samples, tmp_path, cpu=WITH_VNNI) != make(samples, tmp_path, cpu=WITHOUT)


def test_a_few_pictures_of_each_label_are_looked_at_whatever_their_order() -> None:
    everything = [
        Sample("", f"{label}{number}", label, hashlib.sha256(f"{label}{number}".encode()).hexdigest(), "train")
        for label, count in (("many", 500), ("few", 3))
        for number in range(count)
    ]

    chosen = calibration_samples(everything)
    assert chosen == calibration_samples(everything[::-1])
    assert len(chosen) == CALIBRATION_COUNT
    assert sum(sample.label == "few" for sample in chosen) == 3


def test_a_picture_that_was_changed_meanwhile_gives_no_scales(samples: list[Sample], tmp_path: Path) -> None:
    """The graph is kept under the digests of its pictures: other ones would spoil every later run."""
    samples[3].path.write_bytes(samples[2].path.read_bytes())

    with pytest.raises(PictureNoLongerUsable, match=r"^3\.png: changed while this command ran"):
        make(samples, tmp_path / "cache")

    assert not (tmp_path / "cache" / "graphs").exists() or graph_files(tmp_path / "cache") == 0


def test_a_picture_that_is_gone_is_named(samples: list[Sample], tmp_path: Path) -> None:
    samples[3].path.unlink()

    with pytest.raises(PictureNoLongerUsable, match=r"^3\.png: cannot be read: No such file"):
        make(samples, tmp_path / "cache")
