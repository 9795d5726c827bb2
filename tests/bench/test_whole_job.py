from pathlib import Path

from PIL import Image

from bench.whole_job import HOLD_OUTS, Curve, hold_out, pooled
from bench.whole_job_side import Clock, Reached


def test_a_side_is_as_good_once_it_first_gets_there() -> None:
    curve = Curve((Reached(2.0, 3.0, 0.5), Reached(4.0, 5.0, 0.9), Reached(6.0, 9.0, 0.8)), ended=7.0)

    assert curve.best == 0.9
    assert curve.first(0.8) == (4.0, 5.0, 0.9)
    assert curve.first(0.95) is None


def test_hold_outs_are_pooled_by_their_pictures_and_times_are_medians() -> None:
    """One picture more or less in a hold-out of forty decides nothing then."""
    curves = [
        Curve((Reached(1.0, 2.0, 0.5), Reached(5.0, 8.0, 1.0)), ended=6.0),
        Curve((Reached(2.0, 3.0, 1.0), Reached(6.0, 9.0, 1.0)), ended=7.0),
        Curve((Reached(9.0, 9.0, 1.0),), ended=10.0),  # it came to one point only
    ]

    found = pooled(curves, [2, 1, 1])

    assert found.reached == (Reached(2.0, 3.0, 0.75),)
    assert found.ended == 7.0


def test_measuring_costs_neither_time_nor_processor() -> None:
    times, used = iter([103.0, 110.0, 112.0]), iter([2.0, 11.0, 12.5])
    clock = Clock(100.0, now=lambda: next(times), used=lambda: next(used))

    with clock.stopped():
        pass
    clock.note(0.5)

    assert clock.reached == [Reached(seconds=5.0, processor_s=3.5, accuracy=0.5)]


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


def test_all_hold_outs_together_measure_each_picture_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for label in ("a", "b"):
        (data / label).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (16, 16), (20 * number, 0, 90 if label == "a" else 200)).save(
                data / label / f"{number}.png"
            )

    folds = [hold_out(data, "auto", tmp_path / str(fold), fold=fold) for fold in range(HOLD_OUTS)]

    measured = [path.read_bytes() for _, test in folds for path in test.rglob("*.png")]
    assert sorted(measured) == sorted(path.read_bytes() for path in data.rglob("*.png"))
