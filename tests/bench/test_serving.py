"""What is read of a service from outside."""

from bench.serving import parse_metrics

TEXT = """# HELP requests_total Answers.
# TYPE requests_total counter
requests_total{route="/predict",status="200"} 5.0
requests_total{route="/predict",status="503"} 7.0
requests_total{status="200",route="/models"} 1.0
info{labels="a, \\"b\\" {c}",model="m"} 1.0
lanes 2.0
"""


def test_metrics_are_summed_over_the_labels_that_are_not_named() -> None:
    metrics = parse_metrics(TEXT)

    assert metrics.total("requests_total") == 13
    assert metrics.total("requests_total", status="200") == 6
    assert metrics.total("lanes") == 2
    assert metrics.total("nothing") == 0
    assert metrics.total("info", model="m") == 1
    assert metrics.by("requests_total", "status", route="/predict") == {"200": 5, "503": 7}
