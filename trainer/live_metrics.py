"""What `train` tells a program while it works, in the fields that ML.NET's MetricsCallback has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from trainer.samples import Split


@dataclass(frozen=True, slots=True)
class FeaturizedPicture:
    """One more picture went through the backbone, or could not; pictures whose features were cached are not told of.

    Attributes:
        dataset: the split that the data gives the picture; None where Finial assigns it, which is later.
        index: of the picture among those to featurise, from 0.
        total: how many there are to featurise.

    Source: ML.NET's ImageClassificationMetrics.Bottleneck (DatasetUsed, Index).
    """

    dataset: Split | None
    index: int
    total: int


@dataclass(frozen=True, slots=True)
class HeadStep:
    """The head was fitted one step further, on all folds at once.

    A step is one more strength of the linear probe, or one more epoch of the SGD head; the latter is told once for what
    it learns from, if that is measured, then once for what is held out.

    Attributes:
        dataset: what accuracy and cross-entropy were measured on, after the step: the held-out folds are a validation
            set, unless the validation split alone decides.
        accuracy: in [0, 1].
        cross_entropy: in nats.
        strength_index: from 0, the strongest; None for a head that has no strength to choose.
        strength: the L2 strength.
        epoch: from 0; None for the linear probe, whose solver has neither epochs nor batches nor learning rates.
        batches: of the epoch.
        learning_rate: of the epoch's last batch.

    Source: ML.NET's ImageClassificationMetrics.Train (DatasetUsed, Epoch, BatchProcessedCount, Accuracy, CrossEntropy,
    LearningRate).
    """

    dataset: Literal["train", "validation"]
    accuracy: float
    cross_entropy: float
    strength_index: int | None = None
    strength: float | None = None
    epoch: int | None = None
    batches: int | None = None
    learning_rate: float | None = None


OnMetrics = Callable[[FeaturizedPicture | HeadStep], None]
"""Called on the thread that called `train`; what it raises ends the run, and the cache keeps what was done."""
