"""One side of `bench.whole_job`: fastai, as its documentation has it. Runs where fastai is installed.

`vision_learner` with the same weights on pictures of `Resize(224)`, at fastai's own learning rate: either its head
alone (`fit_one_cycle`, the backbone stays frozen, as the learner begins), or `fine_tune(1)`: an epoch of the head, then
one of everything. Prints one JSON object: what was reached when.
"""

import importlib
import json
import time
from typing import Any

from bench.whole_job_side import Clock, Side, side_arguments
from trainer.backbones import build_classifier, choose_backbone, find_weights


def main() -> None:
    """Learn as told, and measure after each epoch."""
    side = side_arguments(__doc__)
    vision: Any = importlib.import_module("fastai.vision.all")
    vision.set_seed(side.seed, reproducible=True)
    clock = Clock(side.started)
    learner = _learner(vision, side, clock)
    with learner.no_bar(), learner.no_logging():
        if side.fine_tune:
            learner.fine_tune(side.epochs)
        else:
            learner.fit_one_cycle(side.epochs)
    print(json.dumps({"points": clock.points, "ended": time.time() - side.started}))


def _learner(vision: Any, side: Side, clock: Clock) -> Any:
    entry, _ = choose_backbone(side.backbone, side.weights)
    weights = find_weights(entry, side.weights, download=False)
    loaders = vision.ImageDataLoaders.from_folder(
        side.train.parent,
        train=side.train.name,
        valid=side.test.name,
        item_tfms=vision.Resize(224),
        bs=side.batch,
        num_workers=side.threads,
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
