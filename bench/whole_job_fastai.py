"""One side of `bench.whole_job`: fastai, as its documentation has it. Runs where fastai is installed.

`vision_learner` with the same weights on pictures of `Resize(224)`, at fastai's own learning rate: either its head
alone (`fit_one_cycle`, the backbone stays frozen, as the learner begins), or `fine_tune(1)`: an epoch of the head, then
one of everything. Prints one JSON object: what was reached when.
"""

import importlib
from typing import Any

from bench.whole_job_side import Clock, Task, task_arguments
from trainer.backbones import build_classifier, choose_backbone, find_weights


def main() -> None:
    """Learn as told, and measure after each epoch."""
    task = task_arguments(__doc__)
    vision: Any = importlib.import_module("fastai.vision.all")
    vision.set_seed(task.seed, reproducible=True)
    clock = Clock(task.started)
    learner = _learner(vision, task, clock)
    with learner.no_bar(), learner.no_logging():
        if task.fine_tune:
            learner.fine_tune(task.epochs)
        else:
            learner.fit_one_cycle(task.epochs)
    clock.tell()


def _learner(vision: Any, task: Task, clock: Clock) -> Any:
    entry, _ = choose_backbone(task.backbone, task.weights)
    weights = find_weights(entry, task.weights, download=False)
    loaders = vision.ImageDataLoaders.from_folder(
        task.train.parent,
        train=task.train.name,
        valid=task.test.name,
        item_tfms=vision.Resize(224),
        bs=task.batch,
        num_workers=task.threads,
    )

    def architecture(pretrained: bool) -> Any:  # noqa: FBT001 -- fastai calls it so
        return build_classifier(entry, weights).requires_grad_(pretrained)

    # What fastai knows of its own architectures: the body is all but the classifier, and how pixels are normalised.
    vision.model_meta[architecture] = {"cut": -1, "split": vision.default_split, "stats": vision.imagenet_stats}
    return vision.vision_learner(loaders, architecture, metrics=vision.accuracy, cbs=_stopper(vision.Callback, clock))


def _stopper(callback: Any, clock: Clock) -> Any:
    """A callback that stops the clock while fastai measures, and notes what it found."""

    def before_validate(self: Any) -> None:
        self.standing = clock.stopped()
        self.standing.__enter__()

    def after_validate(self: Any) -> None:
        self.standing.__exit__(None, None, None)
        clock.note(float(self.learn.recorder.log[-1]))  # losses, then metrics

    methods = {"before_validate": before_validate, "after_validate": after_validate, "order": 60}
    return type("Stopper", (callback,), methods)()


if __name__ == "__main__":
    main()
