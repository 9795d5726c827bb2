"""Files from the test suites of image libraries, posted to a real service: classified, or refused with a reason."""

import asyncio
import contextlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.http_client import Asked, Line, post, post_form
from bench.serving import Served, serving
from shared.bundle import Bundle
from shared.decode import SERVICE_FORMATS
from tests.service.bundles import COLOURS

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

AT_ONCE = 3
GROWTH_MB = 1.5  # of some 150; a round brings 22 MB, 3 of them in files that are refused

ON_PURPOSE = {
    "image-png/bugfixes__x_interlaced_chck.png": "422 undecodable-picture",  # a checksum is wrong
    "pngsuite/xcsn0g01.png": "422 undecodable-picture",  # the same
    "pillow/png_decompression_dos.png": "200",  # the bomb is in a text chunk, which is not opened
}
"""What we, on purpose, take otherwise than Pillow does."""


@dataclass(frozen=True)
class Observed:
    """What the manifest says that Pillow made of a file."""

    name: str
    picture_format: str
    size: str
    verdict: str

    @property
    def fates(self) -> set[str]:
        """What may become of it here."""
        if self.name in ON_PURPOSE:
            return {ON_PURPOSE[self.name]}
        if self.picture_format == "-":
            return {"415 unknown-format", "422 undecodable-picture", "413 too-many-pixels"}
        if self.picture_format not in (*SERVICE_FORMATS, "MPO"):  # MPO: a JPEG with more pictures behind it
            return {"415 unknown-format"}
        return {"200"} if self.verdict == "ok" else {"200", "422 undecodable-picture"}


def read_manifest(folder: Path) -> list[Observed]:
    rows = [line.split("\t") for line in (folder / "MANIFEST.tsv").read_text().splitlines()[1:]]
    return [Observed(name=row[0], picture_format=row[2], size=row[4], verdict=row[6]) for row in rows]


async def test_each_is_classified_or_refused_with_a_sentence_that_fits(
    shared_data: Path, models_dir: Path, bundle: Bundle
) -> None:
    """Alone and in forms: never a failure, and no memory stays behind once every lane has had the largest."""
    folder = shared_data / "datasets" / "nasty"
    files = read_manifest(folder)
    assert len(files) > 500
    memory_mb = []
    with serving(models_dir) as service:
        service.wait_until_ready()
        for request_of in (post_form, post, post_form):
            found = await ask_each(service, {file: request_of((folder / file.name).read_bytes()) for file in files})
            assert not (unfit_ones := unfit(found)), "\n".join(unfit_ones)
            memory_mb.append(service.memory_mb())
        ready, _ = service.get("/health/ready")
        assert service.stop() == 0

    assert ready == 200
    assert memory_mb[2] - memory_mb[1] < GROWTH_MB, memory_mb
    assert len({asked.fate for _, asked in found}) == 4


async def ask_each(service: Served, requests: dict[Observed, bytes]) -> list[tuple[Observed, Asked]]:
    """Several clients ask about the same file at once, so that none of the lanes is spared it."""
    found = []
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(Line(service.port)) for _ in range(AT_ONCE)]
        for file, request in requests.items():
            found += [(file, asked) for asked in await asyncio.gather(*(line.ask(request) for line in lines))]
    return found


def unfit(found: list[tuple[Observed, Asked]]) -> list[str]:
    """The files whose answer is not one that the manifest lets expect, with what it was."""
    return [f"{file}: {said(asked)}" for file, asked in found if not fits(file, asked)]


def fits(file: Observed, asked: Asked) -> bool:
    assert asked.answer is not None, (file, asked.fate)
    answer = asked.answer.json()
    if asked.fate == "200":
        return asked.fate in file.fates and answer["label"] in COLOURS
    opening = {
        "415 unknown-format": f"The data looks like {file.picture_format if file.picture_format == 'TIFF' else ''}",
        "422 undecodable-picture": f"This {file.picture_format.replace('MPO', 'JPEG').strip('-')}",
        "413 too-many-pixels": f"The picture is {file.size.replace('x', ' x ').strip('-')}",
    }
    sentence: str = answer["detail"]
    return asked.fate in file.fates and sentence.startswith(opening[asked.fate]) and sentence.endswith(".")


def said(asked: Asked) -> str:
    return f"{asked.fate}: {asked.answer.json().get('detail') if asked.answer else ''}"
