from pathlib import Path

from PIL import Image

from bench.whole_job import Curve, hold_out


def test_a_side_is_as_good_once_it_first_gets_there() -> None:
    curve = Curve(((2.0, 0.5), (4.0, 0.9), (6.0, 0.8)), ended=7.0)

    assert curve.best == 0.9
    assert curve.seconds_to(0.8) == 4.0
    assert curve.seconds_to(0.95) is None


def test_a_fifth_of_each_label_is_held_out_and_equal_files_are_on_one_side(tmp_path: Path) -> None:
    """What was learned by heart is not measured."""
    data = tmp_path / "data"
    for label in ("a", "b"):
        (data / label).mkdir(parents=True)
        for number in range(20):
            colour = (10 * (number // 2), 0, 90 if label == "a" else 200)  # each picture lies there twice
            Image.new("RGB", (16, 16), colour).save(data / label / f"{number}.png")

    train, test = hold_out(data, "auto", tmp_path)

    learned, measured = ({path.read_bytes() for path in folder.rglob("*.png")} for folder in (train, test))
    assert not learned & measured
    assert [len(list((test / label).iterdir())) for label in ("a", "b")] == [4, 4]
    assert [len(list((train / label).iterdir())) for label in ("a", "b")] == [16, 16]
