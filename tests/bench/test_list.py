"""`python -m bench`: what it lists, and what it passes on."""

import pytest

from bench.__main__ import FOLDER, is_program, main, measurements, split


def test_every_measurement_is_listed_with_what_it_measures(capsys: pytest.CaptureFixture[str]) -> None:
    found = measurements()

    assert main([]) == 0
    assert {"predict", "startup", "swap", "overload"} <= found.keys()
    assert not {"serving", "drawn", "load", "__main__"} & found.keys()
    assert all(found.values())
    assert len(capsys.readouterr().out.splitlines()) == len(found)


def test_the_readme_tells_of_every_measurement_and_of_no_other() -> None:
    rows = (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    told = [
        row.split("python -m bench.")[1].split()[0].strip("`") for row in rows if row.startswith("| `python -m bench.")
    ]

    assert sorted(told) == sorted(measurements())


def test_options_go_to_each_that_is_named() -> None:
    assert split(["predict", "pool", "--quick", "x"]) == (["predict", "pool"], ["--quick", "x"])
    assert split([]) == ([], [])


def test_an_unknown_measurement_is_refused_with_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predicts"]) == 2
    assert "unknown predicts; choose of accuracy, " in capsys.readouterr().err


def test_a_program_is_what_does_something_when_run() -> None:
    assert is_program("if __name__ == '__main__':\n    main()")
    assert not is_program("def main() -> None: ...")
