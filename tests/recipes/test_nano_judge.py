"""How nano is judged: hand-made features, contenders, the pipeline's probe, and the comparison of architectures."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from recipes.nano import compare, judge
from recipes.nano.candidates import CANDIDATES
from recipes.nano.contenders import HandmadeContender, read_contender
from recipes.nano.handmade import colour_histograms, gradient_histograms, handmade_features
from recipes.nano.network import Answers, Network
from recipes.nano.release import write_weights
from recipes.nano.settings import Settings
from recipes.nano.timing import TIMED_PICTURES, runs_per_s
from trainer.manifest import read_manifest
from trainer.nano import build_nano
from trainer.progress import Quiet


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Stripes that lie and stripes that stand, 12 each, all of other widths: plain to any gradient histogram."""
    rng = np.random.default_rng(0)
    for label, axes in (("lying", (0, 1, 2)), ("standing", (1, 0, 2))):
        folder = tmp_path / "labelled" / label
        folder.mkdir(parents=True)
        for index in range(12):
            wave = 120 + 60 * np.sin(np.arange(64) / rng.uniform(2, 4) + rng.uniform(0, 6))
            pixels = wave[:, None, None] + rng.uniform(-20, 20, (64, 64, 3))
            Image.fromarray(pixels.astype(np.uint8).transpose(axes)).save(folder / f"{index}.png")
    return tmp_path / "labelled"


def test_gradient_histograms_tell_directions_and_forget_contrast() -> None:
    """Stripes that lie differ from stripes that stand; stronger ones of the same direction do not."""
    wave = (100 + 60 * np.sin(np.arange(128) / 3)).astype(np.uint8)
    lying = np.broadcast_to(wave[:, None, None], (128, 128, 3))
    paler = (lying // 2 + 60).astype(np.uint8)

    first, second, turned = (gradient_histograms(one) for one in (lying, paler, lying.transpose(1, 0, 2)))

    assert first @ second > 0.98 * np.linalg.norm(first) * np.linalg.norm(second)
    assert first @ turned < 0.1 * np.linalg.norm(first) * np.linalg.norm(turned)


def test_colour_histograms_tell_where_a_colour_is() -> None:
    """The first histogram is of the whole picture, the others of its quarters."""
    left, right = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    left[:, :32, 0] = right[:, 32:, 0] = 255

    first, second = colour_histograms(left).reshape(5, -1), colour_histograms(right).reshape(5, -1)

    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[2])
    assert not np.array_equal(first[1], second[1])


def test_a_flat_picture_has_finite_features() -> None:
    """It has no gradient to divide by."""
    assert np.isfinite(handmade_features(np.full((128, 128, 3), 7, np.uint8))).all()


def test_the_judge_finds_what_is_plain(labelled: Path, tmp_path: Path) -> None:
    """Stripes are told apart by the pipeline's own probe, once a seed; an unreadable picture is left out."""
    (labelled / "lying" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    manifest = read_manifest(labelled, cache_dir=tmp_path / "cache")

    found = judge.judge_contender(HandmadeContender(), manifest, cache_dir=tmp_path / "cache", seeds=2, threads=1)

    assert found == [1.0, 1.0]


def test_the_interval_is_students() -> None:
    """Five runs: 2.776 standard errors."""
    assert judge.mean_and_interval([0.8, 0.9, 0.8, 0.9, 0.85]) == "0.850 ± 0.062"


def test_nano_and_handmade_are_judged_in_one_table(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command that the card's table comes from."""
    judge.main(
        [str(labelled), "--backbone", "handmade", "--seeds", "2", "--cache-dir", str(tmp_path), "--threads", "1"]
    )

    table = capsys.readouterr().out.splitlines()
    assert table[0] == "| data set | handmade |"
    assert table[2] == "| labelled | 1.000 ± 0.000 |"
    assert table[-1] == "| weights file, MB | 0.0 |"


def test_speed_is_timed_on_the_named_pictures(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As many rounds as wished, on pictures that need not be judged; the clock stands beside processor time."""
    (tmp_path / "timed").mkdir()
    for label in ("a", "b"):
        (tmp_path / "timed" / label).mkdir()
        Image.new("RGB", (64, 64), "white").save(tmp_path / "timed" / label / "one.png")
    how = ["--backbone", "handmade", "--seeds", "2", "--cache-dir", str(tmp_path), "--threads", "1"]

    judge.main([str(labelled), *how, "--rounds", "1", "--timed-on", str(tmp_path / "timed")])

    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[3:7]]
    what = ("featurising timed", "graph alone")
    by = ("by processor time", "by the clock")
    assert [name for name, _ in rows] == [f"images/s, {one}, {other}" for one in what for other in by]
    assert all(int(rate) > 0 for _, rate in rows)


def test_no_more_rounds_are_timed_than_wished() -> None:
    """A round is a warm-up and every picture once."""
    seen: list[bytes] = []

    class _Counting(HandmadeContender):
        def of_pixels(self, pixels: np.ndarray) -> np.ndarray:
            seen.append(pixels.tobytes())
            return super().of_pixels(pixels)

    runs_per_s([_Counting()], threads=1, rounds=2)

    assert len(seen) == 2 * (1 + TIMED_PICTURES)


def test_handmade_needs_no_weights(tmp_path: Path) -> None:
    """It is named like a backbone, but is none."""
    assert read_contender("handmade", tmp_path).file_bytes == 0


@pytest.mark.slow
def test_a_result_can_be_judged_before_it_is_shipped(tmp_path: Path) -> None:
    """Named by its file, with the graph of its own weights."""
    write_weights(build_nano(), tmp_path / "mine.safetensors")
    pixels = np.full((128, 128, 3), 90, np.uint8)

    mine, shipped = (read_contender(f"nano{file}", tmp_path) for file in (f"={tmp_path / 'mine.safetensors'}", ""))

    assert mine.name == "nano (mine)"
    assert mine.of_pixels(pixels).shape == shipped.of_pixels(pixels).shape
    assert not np.allclose(mine.of_pixels(pixels), shipped.of_pixels(pixels))


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidates_are_of_one_size(name: str) -> None:
    """About a million parameters, stem at a quarter of the side: otherwise the comparison says nothing."""
    module = CANDIDATES[name]().eval()

    assert 1_000_000 < sum(value.numel() for value in module.parameters()) < 1_500_000
    assert module.stem(torch.zeros(1, 3, 128, 128)).shape[2:] == (32, 32)
    assert module(torch.zeros(2, 3, 128, 128)).shape == (2, module.feature_size)


@pytest.mark.slow
def test_one_command_compares_candidates(
    settings: Settings, labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each, with speeds beside MobileNetV2's; what was trained is kept in the work folder."""
    torchvision = pytest.importorskip("torchvision")
    torch.save(torchvision.models.mobilenet_v2(weights=None).state_dict(), tmp_path / "teacher.pth")
    settings = dataclasses.replace(settings, teacher=tmp_path / "teacher.pth", student_size=128)

    compare.compare(settings, ["plain 3x3 residual"], [labelled], cpu_s=0.2, seeds=2, progress=Quiet())

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| plain 3x3 residual", "| mobilenet_v2"]
    assert " | 1.0 | " in lines[-1]
    assert len(list(settings.work_dir.glob("candidate-plain-3x3-residual-*.pt"))) == 1


class _Crops:
    """Crops of which only the identity is asked: an untrained entrant looks at none."""

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self._answers = torch.zeros(8, 3, 2, 2), torch.zeros(8, 3, 1, 1), torch.zeros(8, 1280)

    def __len__(self) -> int:
        return 8

    def take(self, *_: np.ndarray) -> tuple[torch.Tensor, Answers]:
        return torch.zeros(8, 32, 32, 3), Answers(*self._answers)


@pytest.mark.slow
def test_a_kept_candidate_is_of_the_same_pool_teacher_and_time(tmp_path: Path) -> None:
    """Weights of another pool, another teacher or half the time would silently stand in the table."""
    teacher = Network()
    untrained = compare.entrants(teacher)["untrained (inverted residual)"]

    for identity, cpu_s in (("one", 0.2), ("one", 0.2), ("one", 0.4), ("other", 0.2)):
        compare.enter(untrained, _Crops(identity), teacher, tmp_path, cpu_s=cpu_s)  # type: ignore[arg-type]

    assert len(list(tmp_path.glob("candidate-*.pt"))) == 3


def test_the_student_that_starts_from_the_teacher_leaves_the_teacher_as_it_is() -> None:
    """It is asked for its classifier by every candidate that comes after."""
    teacher = Network()

    started = compare.entrants(teacher)["starts from the teacher"].start()

    assert torch.equal(started.stem.weight, teacher.nano.stem.weight)
    assert started.stem.weight is not teacher.nano.stem.weight
