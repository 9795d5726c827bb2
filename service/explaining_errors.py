"""What a request to explain a picture may get wrong. `problems` says which HTTP status each one is."""

import difflib
from collections.abc import Sequence

from service.errors import ServiceError

LABELS_NAMED = 8


class UnknownLabel(ServiceError):
    """The model has no such label."""

    def __init__(self, label: str, labels: Sequence[str]) -> None:
        near = difflib.get_close_matches(label[:80], labels[:1000], n=LABELS_NAMED, cutoff=0.5)
        named = list(dict.fromkeys([*near, *labels]))[:LABELS_NAMED]
        more = f" and {len(labels) - len(named)} more" if len(labels) > len(named) else ""
        known = ", ".join(f"{each[:80]!r}" for each in named)
        super().__init__(
            f"the model has no label {label[:80]!r}; it knows {known}{more}. Leave `label` out for the best one; "
            "GET /models lists them all."
        )


class TooManyPictures(ServiceError):
    """Several pictures, where one is taken."""

    def __init__(self, found: int) -> None:
        super().__init__(f"the form has {found} pictures; one at a time is explained. Send a request for each.")
