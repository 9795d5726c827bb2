"""A heat map is worth nothing unless it points at what it is about; where a drawn crack lies is known to the pixel."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.settings import ServiceSettings
from shared.bundle import read_bundle
from tests.integration.test_road import settings_for
from tests.service.running import running_app
from trainer.concrete import draw_surface
from trainer.cracks import draw_cracks
from trainer.pipeline import TrainResult, train
from trainer.progress import Quiet
from trainer.sample_pictures import CRACKED, draw_sample, write_sample_pictures

pytestmark = pytest.mark.slow  # pictures are drawn, a backbone is exported

SIZE, SEED, COUNT = 128, 0, 40
CRACK = 0.15
"""Share of the light that is swallowed where the crack is seen."""


@dataclass(frozen=True)
class Cracked:
    """A picture that no training has seen, and where its crack lies, shape (SIZE, SIZE)."""

    data: bytes
    crack: NDArray[np.bool_]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evidence")


@pytest.fixture(scope="module")
def trained(work: Path) -> TrainResult:
    write_sample_pictures(work / "pictures", per_class=100, seed=SEED, size=SIZE)
    return train(settings_for(work / "pictures", work), Quiet())


@pytest.fixture(scope="module")
def few(work: Path) -> Path:
    write_sample_pictures(work / "few", per_class=15, seed=SEED, size=SIZE)
    return work / "few"


def unseen() -> Iterator[Cracked]:
    """The generator is asked for its crack once more: it draws the surface first, and its numbers follow the seed."""
    for number in range(5000, 5000 + COUNT):
        random = np.random.default_rng([SEED, number, 1])
        draw_surface(random, SIZE)
        crack = draw_cracks(random, SIZE) > CRACK
        yield Cracked(draw_sample(number, cracked=True, seed=SEED, size=SIZE), crack)


async def explained(models_dir: Path, pictures: list[Cracked], *, by_occlusion: bool) -> list[dict[str, object]]:
    async with running_app(ServiceSettings(models_dir=models_dir, poll_interval_s=3600)) as (app, client):
        generation = app.state.runtime.registry.require(app.state.runtime.registry.default_model)
        if by_occlusion:
            generation.evidence = None
        found = []
        for picture in pictures:
            answer = await client.post(
                f"/explain?label={CRACKED}", content=picture.data, headers={"Content-Type": "image/jpeg"}
            )
            assert answer.status_code == 200, answer.text
            found.append(answer.json())
        return found


def on_less_off(heat: NDArray[np.float64], crack: NDArray[np.bool_]) -> float:
    """Mean heat on the crack less that beside it."""
    rows, columns = (np.arange(SIZE) * side // SIZE for side in heat.shape)
    everywhere = heat[np.ix_(rows, columns)]
    return float(everywhere[crack].mean() - everywhere[~crack].mean())


@pytest.mark.parametrize(("by_occlusion", "least"), [(False, 0.85), (True, 0.7)])
def test_it_is_hotter_on_the_crack_than_beside_it(
    trained: TrainResult, work: Path, *, by_occlusion: bool, least: float
) -> None:
    """Seen: 97.5 % by class activation, 80 % by occlusion. Heat that knows nothing has 50 %, and 70 % once in 120."""
    pictures = list(unseen())

    found = asyncio.run(explained(work / "models", pictures, by_occlusion=by_occlusion))

    assert {each["method"] for each in found} == {"occlusion" if by_occlusion else "class-activation"}
    assert found[0]["box"] == {"left": 0, "top": 0, "right": 1, "bottom": 1}
    differences = [
        on_less_off(np.asarray(each["heat"]), picture.crack) for each, picture in zip(found, pictures, strict=True)
    ]
    assert np.mean(np.array(differences) > 0) >= least


@pytest.mark.parametrize(
    ("taps", "precision", "reason"),
    [
        ("blocks.9:quarters", "float32", "they are averages of a part of the maps"),
        ("blocks.9,blocks.9:quarters", "int8", "they are averages of a part of the maps"),
        ("blocks.9:peaks", "float32", "they come from Pow"),
    ],
)
def test_where_features_are_no_averages_of_the_whole_picture_it_is_covered_place_by_place(
    few: Path, work: Path, taps: str, precision: str, reason: str
) -> None:
    """Quarters were taken for averages of small maps, and each was laid over the whole picture."""
    models = work / f"models of {taps}"

    bundle = train(settings_for(few, work, models_dir=models, taps=taps, precision=precision), Quiet()).bundle
    (found,) = asyncio.run(explained(models, [next(unseen())], by_occlusion=False))

    assert bundle.metadata.evidence is None
    assert bundle.metadata.evidence_reason == f"the features are not global averages of maps ({reason})"
    assert found["method"] == "occlusion"


def test_the_bundle_has_what_the_service_reads(trained: TrainResult) -> None:
    bundle = read_bundle(trained.bundle.path)

    evidence = bundle.metadata.evidence
    assert evidence is not None
    assert (evidence.outputs, evidence.file) == (("maps", "maps_1"), "evidence.npy")
    assert bundle.metadata.evidence_reason is None
    assert np.load(bundle.path / "evidence.npy").shape == (2, bundle.metadata.backbone.feature_size + 1)
