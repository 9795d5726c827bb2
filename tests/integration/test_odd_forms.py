"""Forms as hypothesis makes them, through the real program over sockets: an answer or a problem, never a hang."""

import itertools
import json
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.bundles import publish_bundle
from tests.service.form_bodies import FORMS, Form
from tests.service.pictures import GREEN, RED, picture
from tests.service.raw_http import Answer, RawClient, chunked, connected
from tests.service.running import ServiceProcess, running_process

PICTURES = st.sampled_from([picture(RED), picture(GREEN, kind="JPEG"), picture(RED)[:50]])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    models_dir = tmp_path_factory.mktemp("models")
    publish_bundle(models_dir)
    log = models_dir.parent / "service.log"
    with running_process(models_dir, log=log) as process:
        process.wait_until_ready()
        yield process
        assert process.stop() == 0
    assert "Traceback" not in log.read_text("utf-8")


def with_pictures(form: Form, pictures: Sequence[bytes]) -> bytes:
    """The form's body, with pictures where the words that stand for them are; some have none."""
    body = form.body
    for content in pictures:
        body = body.replace(b"\x89PNG", content, 1)
    return body


def ask(client: RawClient, form: Form, *framing_and_body: bytes) -> Answer:
    head = f"POST /predict HTTP/1.1\r\nHost: it\r\nContent-Type: {form.content_type}\r\n".encode()
    client.send(head, *framing_and_body)
    return client.answer()


def verdict_of(answer: Answer) -> object:
    """The status, and the kind of problem or the labels."""
    assert answer.status < 500
    found = json.loads(answer.body)
    if answer.status != 200:
        assert answer.problem, "a problem of ours"
        return answer.status, answer.problem
    results = found.get("results", [found])
    return [result.get("label", result.get("type")) for result in results]


@settings(max_examples=150, deadline=None)
@given(FORMS, st.lists(PICTURES, max_size=3), st.lists(st.integers(1, 40), max_size=30))
def test_a_form_is_answered_the_same_however_it_comes(
    service: ServiceProcess, form: Form, pictures: list[bytes], lengths: list[int]
) -> None:
    body = with_pictures(form, pictures)
    cuts = [cut for cut in itertools.accumulate(lengths) if cut < len(body)]
    pieces = [body[start:end] for start, end in itertools.pairwise([0, *cuts, len(body)]) if end > start]

    with connected(service.port) as first, connected(service.port) as second:
        whole = ask(first, form, b"Content-Length: %d\r\n\r\n" % len(body), body)
        in_pieces = ask(second, form, b"Transfer-Encoding: chunked\r\n\r\n", chunked(*pieces))

    assert verdict_of(whole) == verdict_of(in_pieces)
