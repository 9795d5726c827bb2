"""A page of metrics, looked at by name and labels."""

from functools import cached_property

from prometheus_client.parser import text_string_to_metric_families

REFERENCE = {"pictures": 9, "groups": 9, "effective": 9.0, "counts": (3, 3, 3), "novelty_effective": 9.0}
"""As bundle.json has it, of three labels."""

_WORKER = "worker"  # of every sample where there are several


class Told:
    """What one answer to GET /metrics says."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._families = list(text_string_to_metric_families(text))

    @cached_property
    def names(self) -> set[str]:
        """Of families as a page for people names them: a counter with its `_total`, a histogram without an ending."""
        return {family.name + ("_total" if family.type == "counter" else "") for family in self._families}

    @cached_property
    def series(self) -> set[str]:
        """Of samples, as an expression names them; also of families that have none just now, as nobody waits, say."""
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
        return {family.name + ending for family in self._families for ending in endings.get(family.type, ("",))}

    def labels(self, name: str) -> set[str]:
        """Labels of a family's samples, but those of the format and `worker`; empty where it has no sample."""
        families = (family for family in self._families if name.removesuffix("_total") == family.name)
        return {label for family in families for sample in family.samples for label in sample.labels} - {"le", _WORKER}
