"""What nano's recipe does before and after training: pictures, crops, the teacher, the weights file, the command."""

import contextlib
import dataclasses
import hashlib
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recipes.nano.__main__ import run
from recipes.nano.crop_set import CropSet, ask_through_torch, make_crop_set
from recipes.nano.network import Answers, Network, read_teacher
from recipes.nano.pictures import Picture, draw_crop, list_pictures, shuffle_pictures
from recipes.nano.release import blend, write_weights
from recipes.nano.settings import Settings, read_settings
from tests.recipes.conftest import CPU
from trainer.nano import Nano, load_nano_state
from trainer.progress import Quiet


def test_some_crops_are_mixed_with_another_picture(folder: Path, teacher: Network, settings: Settings) -> None:
    """Mix-up, the same for student and teacher; never in set 0, the pictures as they are."""
    asked: list[np.ndarray] = []

    def ask(pixels: np.ndarray) -> Answers:
        asked.append(pixels)
        return ask_through_torch(teacher, CPU)(pixels)

    white, black = folder / "a.png", folder / "b.png"
    Image.new("RGB", (64, 64), "white").save(white)
    Image.new("RGB", (64, 64), "black").save(black)
    pictures = [Picture.of(str(row), (white if row % 2 else black).read_bytes) for row in range(40)]
    for index in (0, 1):
        make_crop_set(index, pictures, ask, settings, Quiet())

    plain, mixed = asked
    assert set(np.unique(plain)) == {0, 255}
    grey = [crop for crop in mixed if 0 < crop.mean() < 170]
    assert 0 < len(grey) < 30


def test_a_crop_set_goes_on_where_it_was_interrupted(teacher: Network, settings: Settings) -> None:
    """The teacher is the expensive half on a CPU; what it has answered is not asked again."""
    pictures = list_pictures(settings.pictures)
    ask, asked = ask_through_torch(teacher, CPU), []

    def break_off(pixels: np.ndarray) -> Answers:
        asked.append(len(pixels))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return ask(pixels)

    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            found = make_crop_set(1, pictures, break_off, settings, Quiet(), chunk=3)
    elsewhere = dataclasses.replace(settings, work_dir=settings.work_dir / "through")
    through = make_crop_set(1, pictures, ask, elsewhere, Quiet(), chunk=3)

    assert asked == [3, 3, 3, 2]
    assert _same(found, through)


def test_a_finished_crop_set_asks_nothing(teacher: Network, settings: Settings) -> None:
    """A second start of the command goes straight to training."""
    pictures = list_pictures(settings.pictures)
    make_crop_set(0, pictures, ask_through_torch(teacher, CPU), settings, Quiet())

    again = make_crop_set(0, pictures, lambda _: pytest.fail("asked again"), settings, Quiet())

    assert len(again) == len(pictures)


def test_what_is_done_is_never_half_written(teacher: Network, settings: Settings) -> None:
    """A new file takes the old one's name; a process killed in between leaves the old one whole."""
    ask, done_file = ask_through_torch(teacher, CPU), settings.work_dir / "crops-0" / "done.json"
    seen = settings.work_dir / "seen.json"

    def look(pixels: np.ndarray) -> Answers:
        if done_file.exists() and not seen.exists():
            seen.hardlink_to(done_file)
        return ask(pixels)

    make_crop_set(0, list_pictures(settings.pictures), look, settings, Quiet(), chunk=4)

    assert [json.loads(path.read_text())["done"] for path in (seen, done_file)] == [4, 8]


def test_a_crop_set_half_overwritten_is_not_taken_for_the_old_one(teacher: Network, settings: Settings) -> None:
    """Two seeds in one work folder, the second broken off while it overwrites the first."""
    pictures, ask = list_pictures(settings.pictures), ask_through_torch(teacher, CPU)
    elsewhere = dataclasses.replace(settings, work_dir=settings.work_dir / "through")
    expected = make_crop_set(1, pictures, ask, elsewhere, Quiet())
    make_crop_set(1, pictures, ask, settings, Quiet())

    with pytest.raises(ValueError, match="broadcast"):  # pixels are written, answers are not
        other = dataclasses.replace(settings, seed=1)
        make_crop_set(1, pictures, lambda pixels: ask(pixels[:3]), other, Quiet())

    assert _same(make_crop_set(1, pictures, ask, settings, Quiet()), expected)


def test_a_picture_that_was_replaced_makes_another_crop_set(folder: Path, teacher: Network, settings: Settings) -> None:
    """Under the same name, the old answers would be about a picture that is gone."""
    ask = ask_through_torch(teacher, CPU)
    make_crop_set(0, list_pictures([folder]), ask, settings, Quiet())
    Image.new("RGB", (60, 50), "white").save(folder / "3.png")

    pixels, _ = make_crop_set(0, list_pictures([folder]), ask, settings, Quiet()).take(
        np.arange(8), np.zeros(8, dtype=np.bool_)
    )

    assert int(pixels[3].min()) == 255


def _same(first: CropSet, second: CropSet) -> bool:
    rows, unflipped = np.arange(len(first)), np.zeros(len(first), dtype=np.bool_)
    (pixels, answers), (others, expected) = (crops.take(rows, unflipped) for crops in (first, second))
    return torch.equal(pixels, others) and all(map(torch.equal, answers, expected))


def test_another_seed_makes_other_crops(teacher: Network, settings: Settings) -> None:
    """Answers to old crops would be silently wrong for new ones."""
    pictures = list_pictures(settings.pictures)
    ask = ask_through_torch(teacher, CPU)
    nothing_flipped = np.zeros(8, dtype=np.bool_)
    before = make_crop_set(1, pictures, ask, settings, Quiet()).take(np.arange(8), nothing_flipped)[0].clone()

    other = make_crop_set(1, pictures, ask, dataclasses.replace(settings, seed=1), Quiet())

    assert not torch.equal(before, other.take(np.arange(8), nothing_flipped)[0])


def test_a_mirrored_picture_gets_the_mirrored_answer(teacher: Network, settings: Settings) -> None:
    """Flips cost the teacher nothing, as long as pixels and maps turn together."""
    crops = make_crop_set(0, list_pictures(settings.pictures), ask_through_torch(teacher, CPU), settings, Quiet())

    plain, mirrored = (crops.take(np.arange(8), np.full(8, flip)) for flip in (False, True))

    assert torch.equal(plain[0].flip(2), mirrored[0])
    assert torch.equal(plain[1].middle.flip(3), mirrored[1].middle)
    assert torch.equal(plain[1].features, mirrored[1].features)


def test_folder_zip_and_tar_hold_the_same_pictures(folder: Path, tmp_path: Path) -> None:
    """However the pool was packed, order and bytes are the same, so the weights are too."""
    with zipfile.ZipFile(tmp_path / "pool.zip", "w") as zipped, tarfile.open(tmp_path / "pool.tar", "w") as tar:
        for path in folder.iterdir():
            zipped.write(path, path.name)
            tar.add(path, path.name)

    contents = [
        [(picture.name, picture.read(), picture.size, picture.crc) for picture in list_pictures([source])]
        for source in (folder, tmp_path / "pool.zip", tmp_path / "pool.tar")
    ]

    assert len(contents[0]) == 8
    assert contents[0] == contents[1] == contents[2]


def test_a_compressed_tar_is_refused(folder: Path, tmp_path: Path) -> None:
    """Its pictures have no place in the file: garbage would be read at their offsets."""
    with tarfile.open(tmp_path / "pool.tar.gz", "w:gz") as tar:
        tar.add(folder, "pool")

    with pytest.raises(ValueError, match=r"pool\.tar\.gz is neither .* nor an uncompressed tar"):
        list_pictures([tmp_path / "pool.tar.gz"])


def test_crops_are_upright(tmp_path: Path) -> None:
    """Phones store pictures as the sensor lies, and say in EXIF how to turn them."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter clockwise
    stored = np.zeros((64, 64, 3), np.uint8)
    stored[:, :32] = 255  # left as stored, top when upright
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)

    data = (tmp_path / "turned.png").read_bytes()
    (upright,) = draw_crop(data, sizes=(32,), rng=np.random.default_rng(0), whole=True)

    assert upright[:14].min() > 250
    assert upright[18:].max() < 5


def test_held_out_pictures_are_drawn_from_the_whole_pool(folder: Path) -> None:
    """The last by name would be one class or one source; another seed draws others, the same seed the same."""
    pictures = list_pictures([folder])

    orders = [[picture.name for picture in shuffle_pictures(pictures, seed)] for seed in (0, 0, 1)]

    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert sorted(orders[0]) == [picture.name for picture in pictures] != orders[0]


def test_nothing_held_out_is_mixed_into_what_is_trained_on(folder: Path, teacher: Network, settings: Settings) -> None:
    """A third of the trained crops would otherwise show held-out pictures. Here these are white, the others black."""
    for name, colour in (("black.png", "black"), ("white.png", "white")):
        Image.new("RGB", (64, 64), colour).save(folder / name)
    black, white = ((folder / name).read_bytes for name in ("black.png", "white.png"))
    pictures = [Picture.of(str(row), white if row >= 70 else black) for row in range(80)]

    crops = make_crop_set(1, pictures, ask_through_torch(teacher, CPU), settings, Quiet())

    pixels, _ = crops.take(np.arange(80), np.zeros(80, dtype=np.bool_))
    assert settings.trained_count(80) == 70
    assert int(pixels[:70].max()) == 0
    assert any(0 < float(crop.float().mean()) < 170 for crop in pixels[70:])


def test_an_empty_source_is_named(tmp_path: Path) -> None:
    """A wrong path must not train on nothing."""
    with pytest.raises(FileNotFoundError, match="no pictures there"):
        list_pictures([tmp_path])


def test_student_and_teacher_see_the_same_crop(folder: Path) -> None:
    """A teacher that saw another crop teaches noise (Beyer et al. 2021)."""
    data = (folder / "0.png").read_bytes()

    small, large = draw_crop(data, sizes=(32, 64), rng=np.random.default_rng(3), whole=False)

    halved = np.asarray(Image.fromarray(large).resize((32, 32), Image.Resampling.BICUBIC))
    assert np.abs(halved.astype(int) - small).mean() < 2


def test_the_teacher_is_a_mobilenet_v2_with_its_batch_norms_folded(tmp_path: Path) -> None:
    """Folding must not change what the teacher says."""
    torchvision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    original = torchvision.models.mobilenet_v2(weights=None).eval()
    for module in original.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    torch.save(original.state_dict(), tmp_path / "teacher.pth")
    images = torch.randn(2, 3, 64, 64)

    with torch.inference_mode():
        found = read_teacher(tmp_path / "teacher.pth")(images).features
        expected = original.features(images).mean((2, 3))

    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_the_result_lies_between_student_and_teacher(teacher: Network) -> None:
    """A share of 0 is the student, 1 the teacher."""
    student = Nano()

    for share, expected in ((0.0, student.stem.weight), (1.0, teacher.nano.stem.weight)):
        assert torch.equal(blend(student, teacher.nano, share).stem.weight, expected)


def test_a_diverged_network_is_not_released(tmp_path: Path) -> None:
    """NaN in the package would only show up at a user's."""
    nano = Nano()
    torch.nn.init.constant_(nano.stem.bias, torch.nan)

    with pytest.raises(ValueError, match=r"stem\.bias"):
        write_weights(nano, tmp_path / "nano.safetensors")


def test_released_weights_are_small_and_named_by_their_hash(tmp_path: Path) -> None:
    """The package may carry at most 4.5 MB, and checks the hash at every load."""
    digest = write_weights(Nano(), tmp_path / "nano.safetensors")

    data = (tmp_path / "nano.safetensors").read_bytes()
    assert len(data) <= 4_500_000
    assert digest == hashlib.sha256(data).hexdigest()


def test_every_setting_is_a_flag(tmp_path: Path) -> None:
    """Whoever has a GPU wants more epochs, and whoever has none fewer."""
    words = [str(tmp_path), "--teacher", "t.pth", "--work-dir", "w", "--out", "o.safetensors", "--epochs", "3"]

    settings = read_settings([*words, "--learning-rate", "0.5", "--judge", "a", "--judge", "b"])

    assert (settings.pictures, settings.epochs, settings.learning_rate) == ((tmp_path,), 3, 0.5)
    assert settings.judges == (Path("a"), Path("b"))


@pytest.mark.slow
def test_one_command_makes_a_weights_file_and_a_log(teacher: Network, settings: Settings, tmp_path: Path) -> None:
    """From pictures and a teacher's file to weights that fit the package's architecture."""
    torchvision = pytest.importorskip("torchvision")
    torch.save(torchvision.models.mobilenet_v2(weights=None).state_dict(), tmp_path / "teacher.pth")
    settings = dataclasses.replace(settings, teacher=tmp_path / "teacher.pth", device="cpu", epochs=1)

    digest = run(settings, Quiet())

    assert digest == hashlib.sha256(settings.out.read_bytes()).hexdigest()
    assert digest == run(settings, Quiet())
    first = shuffle_pictures(list_pictures(settings.pictures), settings.seed)[0]
    expected, _ = draw_crop(first.read(), sizes=(32, 64), rng=np.random.default_rng((0, 0, 0)), whole=True)
    assert np.array_equal(np.load(settings.work_dir / "crops-0" / "pixels.npy")[0], expected)


def test_no_tensor_that_ships_is_the_teachers(shared_data: Path) -> None:
    """The package carries what we trained; a layer taken over unchanged would be somebody else's file."""
    (file,) = (shared_data / "weights").glob("mobilenet_v2*.pth")
    theirs = read_teacher(file).nano.state_dict()

    same = {
        name: float((value == theirs[name].half().float()).float().mean()) for name, value in load_nano_state().items()
    }

    assert same.keys() == theirs.keys()
    # A channel that never fires has no gradient, and float16 rounds: up to a quarter of a small tensor may agree.
    assert {name: share for name, share in same.items() if share > 0.25} == {}


def test_every_tensor_that_ships_is_further_from_the_teachers_than_rounding(shared_data: Path) -> None:
    """Float16 alone moves a tensor by 0.03 %; ten times that is training."""
    (file,) = (shared_data / "weights").glob("mobilenet_v2*.pth")
    theirs, ours = read_teacher(file).nano.state_dict(), load_nano_state()

    moved = {name: float((ours[name] - value).norm() / value.norm()) for name, value in theirs.items()}

    assert {name: share for name, share in moved.items() if share <= 0.003} == {}
