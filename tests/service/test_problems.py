"""One table from errors to answers, and nothing falls through it."""

import inspect
from importlib import import_module
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, FastAPI

import service
from service.errors import ServiceError
from service.problems import INTERNAL, KINDS, install_problems, problem_of
from shared import errors as shared_errors
from shared.errors import FinialError, PictureCorrupt, PictureError, TooManyPixels


def raisable(module: object, root: type[Exception]) -> list[type[Exception]]:
    """The error classes of a module that have no subclasses, which are those that are raised."""
    classes = [cls for _, cls in inspect.getmembers(module, inspect.isclass) if issubclass(cls, root)]
    return [cls for cls in classes if not cls.__subclasses__() and cls is not root]


ROOMS = [import_module(f"service.{path.stem}") for path in sorted(Path(service.__file__).parent.glob("*errors.py"))]
OURS = [error for room in ROOMS for error in raisable(room, ServiceError)]


@pytest.mark.parametrize("error", [*dict.fromkeys(OURS), *raisable(shared_errors, PictureError)])
def test_every_error_that_a_client_can_cause_has_its_kind(error: type[FinialError]) -> None:
    assert error in KINDS


def test_kinds_are_told_apart_by_their_slugs() -> None:
    slugs = [kind.slug for kind in dict.fromkeys(KINDS.values())]

    assert len(set(slugs)) == len(slugs)


def test_a_refusal_that_passes_says_when_to_come_back() -> None:
    assert all(kind.retry_after_s for kind in KINDS.values() if kind.status == 503)


def test_a_problem_says_what_was_found_and_what_to_do() -> None:
    problem = problem_of(TooManyPixels(width=10, height=20, max_pixels=100), request_id="r1")

    assert (problem.type, problem.status) == ("urn:finial:problem:too-many-pixels", 413)
    assert (problem.detail[:18], problem.request_id) == ("The picture is 10 ", "r1")


def test_a_subclass_answers_as_its_parent() -> None:
    class Half(PictureCorrupt):
        pass

    assert problem_of(Half(picture_format="PNG", detail="half"), request_id="").status == 422


def test_what_is_not_meant_for_clients_is_not_told_them() -> None:
    problem = problem_of(FinialError("the secret is in /root"), request_id="")

    assert problem.status == INTERNAL.status
    assert "secret" not in problem.detail


@pytest.mark.anyio
async def test_methods_of_two_routes_with_one_path_are_told_together() -> None:
    """`Allow` is of the path, says RFC 9110; Starlette tells those of the first route."""
    app, router = FastAPI(), APIRouter(prefix="/things")

    @router.delete("/{name}")
    async def remove(name: str) -> None: ...

    @router.post("/{name}")
    async def add(name: str) -> None: ...

    app.include_router(router)
    install_problems(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://it") as client:
        answer = await client.get("/things/one")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, DELETE")
