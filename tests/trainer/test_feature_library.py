"""Any choice of features is computed once, kept, and in the order of the samples."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

from shared.decode import decode
from shared.preprocess import Fit, PreprocessSpec, preprocess
from tests.trainer.test_featurize import write_picture
from tests.trainer.test_parity import MeanColour
from tests.trainer.tiny_graph import tiny_graph
from trainer.backbones import BackboneEntry, Weights
from trainer.errors.features import PictureNoLongerUsable
from trainer.feature_choices import base_choice, prepared_for
from trainer.feature_library import FeatureLibrary
from trainer.manifest import Sample
from trainer.progress import Progress, Quiet
from trainer.recipe import FeatureChoice
from trainer.run_backbone import RunBackbone
from trainer.settings import TrainSettings
from trainer.taps import worth_a_try
from trainer.views import render_views

PRESET = PreprocessSpec(height=64, width=64, resize=64)
ENTRY = BackboneEntry("tiny", 3, PRESET, "none", "none", "a test's", middle_stages=("middle",))
_, PEAKS, ALL = worth_a_try(ENTRY.middle_stages)


def graph_with_taps(spec: PreprocessSpec, taps: tuple[str, ...], *, shift: float) -> bytes:
    """The mean colours, which are moved by `shift`, and after them the mean of the first row of pixels for each tap."""
    model = ModelProto.FromString(tiny_graph(spec))
    model.graph.node[2].output[0] = "means"
    nodes = [
        helper.make_node("Add", ["means", "shift"], ["moved"], name="Add_3"),
        helper.make_node("Gather", ["scaled", "first"], ["row"], name="Gather_4", axis=1),
        helper.make_node("ReduceMean", ["row", "across"], ["tapped"], name="ReduceMean_5", keepdims=0),
        helper.make_node("Concat", ["moved", *["tapped"] * len(taps)], ["features"], name="Concat_6", axis=1),
    ]
    constants = {"shift": np.float32(shift), "first": np.array(0, np.int64), "across": np.array([1], np.int64)}
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(numpy_helper.from_array(np.asarray(one), name) for name, one in constants.items())
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3 + 3 * len(taps)]))
    return bytes(model.SerializeToString(deterministic=True))


class TappedColour(MeanColour):
    """The mean colours, and once more for each tap."""

    def __init__(self, choice: FeatureChoice) -> None:
        super().__init__(choice.spec)
        self._times = 1 + len(choice.taps)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images).repeat(1, self._times)


@dataclass(frozen=True)
class TinyBackbone(RunBackbone):
    """Its graphs cost nothing; `exported` names those that were asked for."""

    shift: float = 0.0
    exported: list[tuple[int, int, bool]] = field(default_factory=list)

    def graph_of(self, choice: FeatureChoice, cache_dir: Path, progress: Progress) -> bytes:
        self.exported.append((choice.spec.height, len(choice.taps), choice.mirror))
        model = ModelProto.FromString(
            graph_with_taps(choice.spec, choice.taps, shift=self.shift) if choice.taps else tiny_graph(choice.spec)
        )
        model.graph.name = "mirrored" if choice.mirror else "plain"  # another graph, if one of the same features
        return bytes(model.SerializeToString(deterministic=True))

    def find_graph(self, choice: FeatureChoice, cache_dir: Path) -> bytes | None:
        known = (choice.spec.height, len(choice.taps), choice.mirror) in self.exported
        return self.graph_of(choice, cache_dir, Quiet()) if known else None

    def module_of(self, choice: FeatureChoice) -> nn.Module:
        return TappedColour(choice)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    return [write_picture(tmp_path / "data" / f"{number:02}.png", 9 * number) for number in (3, 0, 2, 1)]


@pytest.fixture
def library(samples: list[Sample], tmp_path: Path) -> Callable[..., FeatureLibrary]:
    def make(
        shift: float = 0.0, pictures: list[Sample] = samples, *, square: bool = False, **options: Any
    ) -> FeatureLibrary:
        settings = TrainSettings.model_validate(
            {"data": "data", "cache_dir": tmp_path / "cache", "provider": "cpu", "threads": 2} | options
        )
        choice = base_choice(ENTRY, settings)
        weights = Weights(Path("none.pth"), 64 * "0", "none")
        backbone = TinyBackbone(ENTRY, weights, "it is small", choice, tiny_graph(choice.spec), shift)
        return FeatureLibrary(backbone, pictures, settings, Quiet(), square=square)

    return make


def choice(*taps: str, side: int = 64, fit: Fit = "crop", mirror: bool = False) -> FeatureChoice:
    return FeatureChoice(prepared_for(ENTRY, side, fit), taps, mirror=mirror)


def test_rows_are_those_of_the_choice_in_the_order_of_the_samples(
    library: Callable[..., FeatureLibrary], samples: list[Sample]
) -> None:
    wanted = choice(side=96, fit="stretch")

    rows = library(fit="stretch").rows(wanted, views=2)

    means = [preprocess(decode(sample.path.read_bytes()), wanted.spec).mean((0, 1)) for sample in samples]
    assert rows.plain == pytest.approx(np.array(means), rel=1e-5)
    assert rows.views.shape == (2, 4, 3)
    assert not np.array_equal(rows.views[0], rows.views[1])


def test_copies_of_a_picture_have_copies_of_its_rows(
    library: Callable[..., FeatureLibrary], samples: list[Sample]
) -> None:
    twice = library(pictures=[*samples, replace(samples[0], name="copy.png")])

    rows = twice.rows(choice(), views=1)

    assert np.array_equal(rows.plain[4], rows.plain[0]) and np.array_equal(rows.views[:, 4], rows.views[:, 0])
    assert twice.computed == 8


def test_another_run_computes_nothing_again(library: Callable[..., FeatureLibrary]) -> None:
    first, second = library(search=True), library(search=True)
    found = [first.rows(one, views=1) for one in first.candidates()]

    again = [second.rows(one, views=1) for one in second.candidates()]

    assert first.computed > 0 and second.computed == 0
    assert all(np.array_equal(a.plain, b.plain) for a, b in zip(found, again, strict=True))


def test_features_with_less_of_the_stage_are_taken_from_those_with_all_of_it(
    library: Callable[..., FeatureLibrary],
) -> None:
    one = library(taps="auto")

    widest = one.rows(choice(*ALL), views=1)

    for taps, size in (((), 3), (PEAKS, 9)):
        found = one.rows(choice(*taps), views=1)
        assert np.array_equal(found.plain, widest.plain[:, :size])
        assert np.array_equal(found.views, widest.views[:, :, :size])
    assert one.computed == 8


def test_they_are_computed_where_the_two_graphs_do_not_agree_to_the_last_bit(
    library: Callable[..., FeatureLibrary],
) -> None:
    """The head must learn from features of the very graph that serves."""
    one = library(shift=1e-4, taps="auto")

    tapped, plain = one.rows(choice(*ALL)), one.rows(choice())

    assert one.computed == 8
    assert not np.array_equal(plain.plain, tapped.plain[:, :3])


def test_where_the_stage_is_not_asked_for_nothing_is_computed_for_it(library: Callable[..., FeatureLibrary]) -> None:
    one = library()

    one.rows(choice())

    assert set(one.backbone.exported) == {(64, 0, False)}  # type: ignore[attr-defined]


def test_each_fit_and_size_is_computed_for_itself(library: Callable[..., FeatureLibrary]) -> None:
    one = library()

    for count, wanted in enumerate([choice(), choice(fit="pad"), choice(fit="stretch"), choice(side=96)]):
        assert one.computed == 4 * count
        one.rows(wanted)


@pytest.mark.parametrize("engine", ["onnxruntime", "torch"])
def test_how_much_a_search_takes_is_said_before_it_starts_and_not_said_when_all_is_there(
    library: Callable[..., FeatureLibrary], engine: str
) -> None:
    """With torch every kind of features is computed by itself."""
    before, after = library(search=True, engine=engine), library(search=True, engine=engine)
    everything = [(one, 0) for one in before.candidates()]

    before.announce(everything)
    for wanted, views in everything:
        before.rows(wanted, views)
    after.backbone.exported.extend(before.backbone.exported)  # type: ignore[attr-defined]
    after.announce(everything)

    (said,) = [text for text in before.progress.said if "compares" in text]  # type: ignore[attr-defined]
    assert f"{before.computed} renderings to featurise and 6 graphs to export, about" in said
    assert "on a quiet machine, and fitting heads comes on top" in said, "a search took six times what was announced"
    assert after.progress.said == []  # type: ignore[attr-defined]


def test_mirror_images_and_what_may_follow_are_announced(library: Callable[..., FeatureLibrary]) -> None:
    """Nobody is to wait twice as long as was said; features with and without the stage are computed once."""
    one = library(search=True, precision="int8", folds=3)
    kinds = [*one.candidates(), *(replace(choice, mirror=True) for choice in one.candidates())]

    one.announce([(choice, 0) for choice in kinds], views_tried=1)
    for wanted in kinds:
        one.rows(wanted)

    (said,) = [text for text in one.progress.said if "compares" in text]  # type: ignore[attr-defined]
    assert one.computed == len(kinds) / 3 * 4
    assert f"compares {len(kinds)} kinds of features: {one.computed} renderings to featurise" in said
    each = 1 + 2  # a view, and picture and view in int8
    assert f"Up to {4 * each * 4} more may follow" in said  # of 4 pictures, in 3 folds and once for the model


def test_a_mirrored_picture_has_no_mirror_image_among_its_views(
    library: Callable[..., FeatureLibrary], samples: list[Sample]
) -> None:
    """Its features are those of picture and mirror image together: the same row again would teach nothing."""
    plain, mirrored = library(), library(mirror=True)

    first, second = plain.rows(choice(), views=2), mirrored.rows(choice(mirror=True), views=2)

    (sample, *_) = samples
    image = decode(sample.path.read_bytes())
    for rows, numbers in ((first, (0, 1)), (second, (1, 2))):
        for row, pixels in zip(rows.views, render_views(image, PRESET, sample.digest, numbers), strict=True):
            assert row[0] == pytest.approx(pixels.mean((0, 1)), rel=1e-5)


def test_of_square_pictures_equal_renderings_are_tried_once(library: Callable[..., FeatureLibrary]) -> None:
    """The preset of the tiny backbone crops nothing of a square: all three fits give the same pixels."""
    every, apart = library(search=True), library(search=True, square=True)

    assert [one.spec.fit for one in apart.candidates()] == ["crop"] * 6
    assert len(every.candidates()) == 3 * len(apart.candidates())


def test_of_further_views_all_fits_are_tried(library: Callable[..., FeatureLibrary]) -> None:
    """Parts of a square picture are not square."""
    assert library(search=True, square=True, views=2).candidates() == library(search=True, views=2).candidates()


def test_what_is_featurised_is_told(library: Callable[..., FeatureLibrary]) -> None:
    one = library()

    for views in (1, 3, 3):
        one.rows(choice(), views)

    assert [text for text in one.progress.said if "Featurising" in text] == [  # type: ignore[attr-defined]
        "Featurising 4 pictures and 4 views: 64 px, crop.",
        "Featurising 8 views of 4 pictures: 64 px, crop.",
    ]


def test_a_picture_that_went_bad_meanwhile_ends_the_run_with_its_name(
    library: Callable[..., FeatureLibrary], samples: list[Sample]
) -> None:
    samples[2].path.write_bytes(b"overwritten")

    with pytest.raises(PictureNoLongerUsable, match=f"{samples[2].name}: changed while"):
        library().rows(choice())


def test_the_torch_engine_computes_every_choice_itself(library: Callable[..., FeatureLibrary]) -> None:
    one = library(engine="torch", taps="none")

    with torch.inference_mode():
        rows = one.rows(choice())

    assert rows.plain.shape == (4, 3)
    assert one.computed == 4
