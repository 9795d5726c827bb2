"""Which models run the pictures of several requests together, and that they can."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from service.micro_batch import NO_TURN, MicroBatcher
from shared.bundle import INPUT_NAME, Bundle
from shared.errors import RunFailed
from shared.session import CUDA, Session

MicroBatching = Literal["auto", "on", "off"]


@dataclass(frozen=True)
class Batching:
    """When to run pictures together.

    Attributes:
        when: "auto" does so on a GPU, where many pictures take hardly longer than one.
        max_batch: largest batch.
        on_broken: told why nothing can be computed any more, if it comes to that.
        cores: for the length of a run on all cores: on a CPU, models take turns.
    """

    when: MicroBatching
    max_batch: int
    on_broken: Callable[[str], object] = lambda _: None
    cores: threading.Lock = field(default_factory=threading.Lock, compare=False)

    def suits(self, session: Session) -> bool:
        """Whether this session's pictures are to be run together."""
        wanted = self.when == "on" or (self.when == "auto" and session.provider == CUDA)
        takes_more = session.only_shape is None and session.shape_of(INPUT_NAME)[0] is None
        return wanted and self.max_batch > 1 and takes_more

    def open(self, session: Session, outputs: Sequence[str], bundle: Bundle) -> MicroBatcher:
        """A batcher, after one run of the largest batch: memory that it needs is missed now, and not under load.

        Raises:
            RunFailed: the device cannot compute so many at once.
        """
        spec = bundle.metadata.spec
        images = np.zeros((self.max_batch, spec.height, spec.width, 3), np.uint8)
        try:
            session.run(images, outputs)
        except RunFailed as error:
            raise RunFailed(
                images.shape, detail=f"{error.__cause__}; perhaps it can with a smaller --max-batch"
            ) from error
        turn = NO_TURN if session.provider == CUDA else self.cores
        return MicroBatcher(session, outputs=outputs, max_batch=self.max_batch, turn=turn, on_broken=self.on_broken)


NO_BATCHING = Batching("off", 1)
