"""What nobody expected: the client is told a name, and the log has it."""

from pathlib import Path

from shared.bundle import Bundle
from tests.service.broken import events_of
from tests.service.pictures import RED, picture
from tests.service.raw_http import connected, head
from tests.service.running import running_process

PICTURE = picture(RED)


def test_an_unexpected_error_is_logged_once_under_the_id_that_the_client_was_told(
    models_dir: Path, bundle: Bundle, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with running_process(models_dir, program=("-m", "tests.service.faulty_service"), log=log) as service:
        service.wait_until_ready()
        with connected(service.port) as client:
            client.send(head(f"Content-Length: {len(PICTURE)}", "X-Request-Id: of-a-client"), PICTURE)
            answer = client.answer()
            assert (answer.status, answer.problem, answer.closes) == (500, "internal-error", True)
            assert client.is_closed()
        assert service.stop() == 0

    (line,) = events_of(log, "request failed")
    assert (line["request_id"], line["method"], line["route"]) == ("of-a-client", "POST", "/predict")
    assert "made on purpose" in str(line["traceback"])
    assert log.read_text("utf-8").count("Traceback") == 1
