"""What a bundle is told of where the evidence for a label lies, if backbone and head allow to tell that from maps."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.bundle import EvidenceInfo
from shared.evidence import EVIDENCE_FILE, MAPS
from trainer.head import Head
from trainer.pooled_maps import Maps, find_pooled_maps


@dataclass(frozen=True)
class LearnedEvidence:
    """Which maps are read, and how.

    Attributes:
        maps: of the backbone's graph; none where the evidence cannot be read from maps.
        weights: shape (K, C + 1), as `shared.evidence.Evidence` has them; None as above.
        reason: why it cannot; None where it can.
    """

    maps: tuple[Maps, ...] = ()
    weights: NDArray[np.float32] | None = None
    reason: str | None = None

    @property
    def exposed(self) -> dict[str, Maps]:
        """The maps by the names that they have as outputs of the served graph."""
        return {f"{MAPS}_{number}" if number else MAPS: maps for number, maps in enumerate(self.maps)}

    @property
    def info(self) -> EvidenceInfo | None:
        """As bundle.json has it."""
        return EvidenceInfo(outputs=tuple(self.exposed), file=EVIDENCE_FILE) if self.maps else None

    def file(self) -> bytes | None:
        """The content of evidence.npy."""
        if self.weights is None:
            return None
        buffer = io.BytesIO()
        np.save(buffer, self.weights, allow_pickle=False)
        return buffer.getvalue()


def learn_evidence(backbone: bytes, head: Head) -> LearnedEvidence:
    """Read from the backbone's graph and the head whether class activation maps tell where the evidence lies.

    Args:
        backbone: the graph that gives the features, float32 or int8.
        head: on them.
    """
    if head.hidden is not None:
        return LearnedEvidence(reason="the head is not linear")
    found = find_pooled_maps(backbone)
    if found.reason:
        return LearnedEvidence(reason=found.reason)
    return LearnedEvidence(found.maps, evidence_weights(head))


def evidence_weights(head: Head) -> NDArray[np.float32]:
    """A linear head by label, its standardisation folded in, less the mean over all labels; shape (K, C + 1).

    A softmax does not see what is added to all logits, so neither does the evidence: without that, channels that are
    strong in every picture would be evidence for every label at once.
    """
    slopes = (head.weight.astype(np.float64) / head.std[:, None]).T
    constants = head.bias - slopes @ head.mean
    weights = np.concatenate([slopes, constants[:, None]], axis=1)
    centred: NDArray[np.float32] = (weights - weights.mean(0)).astype(np.float32)
    return np.ascontiguousarray(centred)
