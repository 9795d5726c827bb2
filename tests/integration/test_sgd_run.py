"""`train --head sgd` and `--mlnet-options`, from pictures to a bundle."""

import json

import pytest

from trainer.live_metrics import FeaturizedPicture, HeadStep
from trainer.pipeline import TrainResult, train
from trainer.progress import Quiet
from trainer.sample_pictures import write_sample_pictures
from trainer.settings import TrainSettings

OPTIONS = {"Epoch": 6, "BatchSize": 8, "EarlyStoppingCriteria": {"Patience": 3}, "ValidationSetFraction": 0.3}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainResult, Quiet, list[FeaturizedPicture | HeadStep]]:
    work = tmp_path_factory.mktemp("sgd")
    write_sample_pictures(work / "pictures", per_class=16, seed=0, progress=Quiet())
    (work / "options.json").write_text(json.dumps(OPTIONS))
    settings = TrainSettings(
        data=str(work / "pictures"),
        models_dir=work / "models",
        cache_dir=work / "cache",
        backbone="nano",
        threads=1,
        views=0,
        mlnet_options=work / "options.json",
    )
    told: list[FeaturizedPicture | HeadStep] = []
    progress = Quiet()
    return train(settings, progress, on_metrics=told.append), progress, told


def metrics(result: TrainResult) -> dict[str, object]:
    head: dict[str, object] = json.loads((result.bundle.path / "metrics.json").read_text())["head"]
    return head


def test_the_callback_is_told_of_every_epoch(
    run: tuple[TrainResult, Quiet, list[FeaturizedPicture | HeadStep]],
) -> None:
    """With the fields that ML.NET's MetricsCallback has: on what is learned from, then on the validation split."""
    steps = [step for step in run[2] if isinstance(step, HeadStep)]

    epochs = len(steps) // 2
    assert [(step.dataset, step.epoch) for step in steps] == [
        (dataset, epoch) for epoch in range(epochs) for dataset in ("train", "validation")
    ]
    assert 4 <= epochs <= 6
    assert {step.learning_rate for step in steps[:4]} == {0.01}, "ML.NET's default, before the first decay"
    assert steps[0].batches is not None and steps[0].batches >= 2


def test_the_head_is_that_of_the_options(run: tuple[TrainResult, Quiet, list[FeaturizedPicture | HeadStep]]) -> None:
    """And the bundle says what was done, so that the run can be repeated without the file."""
    result, progress, _ = run
    settings = result.bundle.metadata.settings

    assert metrics(result)["kind"] == "sgd" and metrics(result)["l2"] == 0.0
    assert (settings["head"], settings["epochs"], settings["batch_size"]) == ("sgd", 6, 8)
    assert settings["mlnet_options"] is None
    assert settings["split"] == pytest.approx([0.85 * 0.7, 0.85 * 0.3, 0.15])
    assert any("BatchSize" in line and "--batch-size 8" in line for line in progress.said)


def test_the_published_head_has_as_many_epochs_as_were_best(
    run: tuple[TrainResult, Quiet, list[FeaturizedPicture | HeadStep]],
) -> None:
    steps = [step for step in run[2] if isinstance(step, HeadStep) and step.dataset == "validation"]

    best = max(steps, key=lambda step: (step.accuracy, -step.cross_entropy, -(step.epoch or 0)))
    assert metrics(run[0])["epochs"] == (best.epoch or 0) + 1
