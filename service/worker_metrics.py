"""The metrics of several workers as one page: every sample says whose it is."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families


def join_workers(texts: Mapping[str, bytes | None]) -> bytes:
    """One text of many, each family once, with the label `worker` in every sample.

    Args:
        texts: what each worker answered, by its name; None for one that did not. `finial_worker_up` counts them, and
            those whose text is none.
    """
    return generate_latest(_Joined(texts))


class _Joined:
    def __init__(self, texts: Mapping[str, bytes | None]) -> None:
        self._texts = texts

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("finial_worker_up", "Whether a worker told its metrics.", labels=("worker",))
        families: dict[str, Metric] = {}
        for worker, text in self._texts.items():
            told = _families_in(text)
            up.add_metric((worker,), told is not None)
            for family in told or []:
                known = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                known.samples += [
                    sample._replace(labels=sample.labels | {"worker": worker}) for sample in family.samples
                ]
        yield up
        yield from families.values()


def _families_in(text: bytes | None) -> list[Metric] | None:
    try:
        return None if text is None else list(text_string_to_metric_families(text.decode()))
    except ValueError:  # one worker's mistake must not hide what the others say
        return None
