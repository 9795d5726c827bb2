"""Every backbone in every fit and precision, and every two that take the same pixels, on the same folds."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.preprocess import PreprocessSpec
from tests.integration.pictures_on_disk import write_folder
from tests.trainer.conv_graph import CONV_SPEC, conv_graph
from tests.trainer.given_graph import given_backbone
from tests.trainer.tiny_graph import tiny_graph
from trainer.compare_settings import CompareSettings
from trainer.compared import Compared, front_of, table_of
from trainer.comparing import ALL_SPLITS, compare, compare_backbones, require_known
from trainer.errors.backbones import UnknownBackbone
from trainer.errors.comparing import ChartNotWritable, NothingToCompare, SeveralUnusable
from trainer.errors.splits import TooFewForFolds
from trainer.intake import read_audited
from trainer.progress import Quiet
from trainer.run_backbone import RunBackbone
from trainer.samples import Split
from trainer.settings import TrainSettings
from trainer.ways import Way

LARGER = PreprocessSpec(height=24, width=24, resize=24)


CONVOLUTIONS = given_backbone("convolutions", conv_graph(), 8)
COLOURS = given_backbone("colours", tiny_graph(CONV_SPEC), 3)
LARGE = given_backbone("large", tiny_graph(LARGER), 3, spec=LARGER)
SIDES = {"convolutions": CONV_SPEC.height, "colours": CONV_SPEC.height, "large": LARGER.height}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_folder(tmp_path_factory.mktemp("compare") / "data", per_class=8, size=24)
    wide = folder / "dots" / "000.png"
    Image.open(wide).resize((30, 24)).save(wide)  # of square pictures alone all fits are one
    return folder


def settings_for(data: Path, *, fit: str = "auto") -> TrainSettings:
    options = {"data": data, "cache_dir": data.parent / "cache", "threads": 1, "provider": "cpu", "fit": fit}
    return CompareSettings.model_validate(options).for_one(backbone="nano")


def run(
    data: Path, *backbones: RunBackbone, progress: Quiet | None = None, fit: str = "auto", mirror: bool = False
) -> tuple[Compared, ...]:
    settings, progress = settings_for(data, fit=fit), progress or Quiet()
    return compare_backbones(read_audited(settings, progress), backbones, settings, progress, mirror=mirror)[1]


def test_fits_precisions_and_pairs_are_among_the_candidates(data: Path) -> None:
    progress = Quiet()

    names = {one.name for one in run(data, CONVOLUTIONS, COLOURS, LARGE, progress=progress)}

    fits = ("crop", "pad", "stretch")
    alone = {f"{one}, {px} px, {fit}, float32" for one, px in SIDES.items() for fit in fits}
    side = SIDES["convolutions"]
    pairs = {f"convolutions + colours, {side} px, {fit}, float32" for fit in fits}
    assert names == alone | pairs | {f"convolutions, {side} px, {fit}, int8" for fit in fits}
    assert any("colours: --precision int8: this backbone cannot be quantised" in one for one in progress.warnings)


def test_the_mirror_image_is_compared_with_what_it_costs(data: Path) -> None:
    compared = run(data, CONVOLUTIONS, fit="crop", mirror=True)

    by_mirror = {(one.precision, one.mirror): one for one in compared}
    assert set(by_mirror) == {(one, mirror) for one in ("float32", "int8") for mirror in (False, True)}
    for (precision, mirror), one in by_mirror.items():
        times = one.latency_ms / by_mirror[precision, False].latency_ms
        assert one.mirror_latency == (pytest.approx(times) if mirror else None)


def test_of_square_pictures_equal_renderings_are_compared_once(tmp_path: Path) -> None:
    """The preset here crops nothing of a square, so all fits are one."""
    squares, progress = write_folder(tmp_path / "data", per_class=8, size=24), Quiet()

    compared = run(squares, CONVOLUTIONS, progress=progress)

    assert [one.fit for one in compared] == ["crop", "crop"]
    assert any(sentence.startswith("Every picture is square") for sentence in progress.said)


def test_a_pair_is_said_to_be_for_comparing_only(data: Path) -> None:
    compared = run(data, CONVOLUTIONS, COLOURS, fit="crop")

    assert {one.as_json()["trainable"] for one in compared if len(one.backbones) == 2} == {False}
    assert {one.as_json()["trainable"] for one in compared if len(one.backbones) == 1} == {True}
    assert "two backbones side by side are to compare only" in table_of(compared)


def test_all_that_cannot_be_had_is_told_at_once(tmp_path: Path) -> None:
    options = {"data": tmp_path, "backbones": "nano,resnet5,vgg7", "weights": str(tmp_path / "gone.pth")}
    settings = CompareSettings.model_validate(options)

    with pytest.raises(SeveralUnusable, match=r"(?s)cannot be used.*gone\.pth.*'resnet5', 'vgg7'; choose of"):
        compare(settings, Quiet())
    with pytest.raises(UnknownBackbone, match=r"^unknown backbone 'resnet5'"):
        require_known([settings.for_one(backbone=name) for name in ("nano", "resnet5")])


def test_a_pair_has_the_features_of_both_in_one_graph(data: Path) -> None:
    by_name = {one.name: one for one in run(data, CONVOLUTIONS, COLOURS, fit="crop")}
    rest = f"{CONV_SPEC.height} px, crop, float32"
    pair, alone = by_name[f"convolutions + colours, {rest}"], by_name[f"convolutions, {rest}"]

    assert pair.backbones == ("convolutions", "colours")
    assert (pair.feature_size, alone.feature_size) == (11, 8)
    assert pair.size_bytes > alone.size_bytes


def test_nothing_is_featurised_twice(data: Path) -> None:
    run(data, CONVOLUTIONS, COLOURS, fit="crop")
    again = Quiet()

    run(data, CONVOLUTIONS, COLOURS, fit="crop", progress=again)

    assert any("Featurised 0 pictures" in sentence for sentence in again.said)
    assert [one for one in again.said if one.startswith(("Featurising", "Quantising"))] == []


def test_the_most_accurate_comes_first_and_the_front_is_marked(data: Path) -> None:
    compared = run(data, CONVOLUTIONS, COLOURS, fit="crop")

    assert [one.accuracy for one in compared] == sorted((one.accuracy for one in compared), reverse=True)
    assert [one.on_front for one in compared] == front_of([(one.accuracy, one.latency_ms) for one in compared])
    assert all(one.images_per_s > 0 and one.latency_ms > 0 for one in compared)


def test_a_label_of_a_single_picture_leaves_nothing_to_compare_on(tmp_path: Path) -> None:
    write_folder(tmp_path / "data", per_class=3, size=24)
    for path in sorted((tmp_path / "data" / "dots").iterdir())[1:]:
        Image.open(tmp_path / "data" / "dots" / "000.png").save(path.with_suffix(".bmp"))
        path.unlink()

    with pytest.raises(TooFewForFolds, match="dots"):
        run(tmp_path / "data", CONVOLUTIONS, fit="crop")


def test_no_int8_form_anywhere_is_an_error(data: Path) -> None:
    settings, progress = settings_for(data, fit="crop"), Quiet()

    with pytest.raises(NothingToCompare, match="no backbone has an int8 form"):
        compare_backbones(read_audited(settings, progress), [COLOURS], settings, progress, precisions=("int8",))


@pytest.fixture
def split_data(tmp_path: Path) -> Path:
    """Pictures whose split their folders give."""
    for number, split in enumerate(("train", "validation", "test")):
        write_folder(tmp_path / "data" / split, per_class=8, first=8 * number, size=24)
    return tmp_path / "data"


def swap_test_labels(data: Path) -> None:
    dots, stripes, aside = (data / "test" / name for name in ("dots", "stripes", "aside"))
    dots.rename(aside), stripes.rename(dots), aside.rename(stripes)


def losses_of(data: Path, *splits: Split) -> list[float]:
    settings, progress = settings_for(data, fit="crop"), Quiet()
    audit = read_audited(settings, progress)
    _, compared = compare_backbones(
        audit, [CONVOLUTIONS], settings, progress, precisions=("float32",), splits=splits or ALL_SPLITS
    )
    return [float(loss) for loss in compared[0].losses]


def test_labels_of_the_test_split_change_nothing_where_it_is_kept_out(split_data: Path) -> None:
    """What a backbone is picked by must not know what the model is then tested on."""
    alone, everything = losses_of(split_data, "train", "validation"), losses_of(split_data)

    swap_test_labels(split_data)

    assert len(alone) < len(everything)
    assert losses_of(split_data, "train", "validation") == alone
    assert losses_of(split_data) != everything


def test_scales_of_int8_are_those_of_train_pictures_alone(split_data: Path) -> None:
    """Pictures that accuracy is then measured on have no part in it: other bytes in their place, and all is there."""
    settings = settings_for(split_data, fit="crop")

    def quantised() -> tuple[int, list[str]]:
        progress = Quiet()
        audit = read_audited(settings, progress)
        training, _ = compare_backbones(audit, [CONVOLUTIONS], settings, progress, precisions=("int8",))
        return len(training.rows("train")), [one for one in progress.said if one.startswith("Quantising")]

    learned, said = quantised()
    for path in [*split_data.glob("validation/*/*.png"), *split_data.glob("test/*/*.png")]:
        with Image.open(path) as image:
            image.putpixel((0, 0), (1, 2, 3))
            image.save(path)
    learned_again, said_again = quantised()

    assert 8 < learned == learned_again <= 16
    assert said == [f"Quantising the backbone to int8, with the scales that {learned} training pictures have."]
    assert said_again == []


def test_lists_are_given_with_commas(tmp_path: Path) -> None:
    program = "python -m trainer compare"
    arguments = [str(tmp_path), "--backbones", "nano,resnet18", "--weights", "a.pth,b.pth", "--precisions", "int8"]

    settings = CompareSettings.from_command_line(arguments, program=program)

    assert settings.backbones == ("nano", "resnet18")
    assert settings.weights == (Path("a.pth"), Path("b.pth"))
    assert settings.precisions == ("int8",)


def test_variables_of_train_do_not_change_what_is_compared(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = settings_for(data)
    for name, value in {"MIRROR": "true", "IMAGE_SIZE": "320", "TAPS": "middle", "BALANCE": "true"}.items():
        monkeypatch.setenv(f"FINIAL_{name}", value)

    assert settings_for(data) == plain


def test_the_name_tells_size_taps_and_mirror() -> None:
    choice = replace(CONVOLUTIONS.choice, taps=("features.3",), mirror=True)

    name = Way(("convolutions",), choice, b"", np.zeros((1, 8), np.float32)).name

    assert name == f"convolutions, {CONV_SPEC.height} px, {CONV_SPEC.fit}, with features.3, and mirrored, float32"


def test_a_chart_that_could_not_be_written_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    settings = CompareSettings.model_validate({"data": tmp_path / "gone", "out": tmp_path / "nodir" / "x.svg"})

    with pytest.raises(ChartNotWritable, match=r"nodir/x\.svg: nothing can be written there"):
        compare(settings, Quiet())
