"""A bundle is scored only where it gives the answers it was measured with."""

from pathlib import Path

import pytest

from shared.cpu_features import Cpu
from shared.errors import RequirementMissing
from tests.service.bundles import publish_bundle
from trainer.progress import Quiet
from trainer.scoring import Scorer


def test_a_bundle_whose_requirements_this_cpu_does_not_meet_is_not_scored(tmp_path: Path) -> None:
    """`evaluate` and `predict` would else report numbers of sums that overflowed."""
    bundle = publish_bundle(tmp_path, requirements=("vnni",))

    with pytest.raises(RequirementMissing, match="vnni"):
        Scorer(bundle.path, threads=1, provider="cpu", progress=Quiet(), cpu=Cpu("x86_64", frozenset({"avx2"})))
