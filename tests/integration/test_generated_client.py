"""Another tool makes a client of /openapi.json, and a program that knows nothing else of Finial works by it."""

import subprocess
import sys
from pathlib import Path

from tests.service.pictures import GREEN, RED, picture
from tests.service.running import ServiceProcess

PROGRAM = """
import sys
from pathlib import Path
from finial_client import Client
from finial_client.api.health import is_ready
from finial_client.api.models import describe_model, list_models
from finial_client.api.predict import predict, predict_with_model
from finial_client.models import ModelAnswer, PredictAnswer, Pictures, PredictManyAnswer, Problem
from finial_client.types import File

red, green = (File(payload=Path(name).open("rb"), file_name=name, mime_type="image/png") for name in sys.argv[2:])

def again(file):
    file.payload.seek(0)
    return file

with Client(base_url=sys.argv[1], timeout=30) as client:
    assert is_ready.sync(client=client).status == "ready"
    assert list_models.sync(client=client).default == "colours"
    described = describe_model.sync("colours", client=client)
    assert isinstance(described, ModelAnswer) and described.labels == ["red", "green", "blue"]

    one = predict.sync(client=client, body=Pictures(file=[red]), top_k=2, x_request_timeout_ms=20000)
    assert isinstance(one, PredictAnswer), one
    assert (one.label, len(one.predictions), one.novelty) == ("red", 2, None)
    assert one.predictions[0].score == one.score > 0.9

    raw = predict_with_model.sync("colours", client=client, body=again(green))
    assert isinstance(raw, PredictAnswer) and raw.label == "green"

    broken = File(payload=b"no picture", file_name="c.png", mime_type="image/png")
    many = predict.sync(client=client, body=Pictures(file=[again(red), broken, again(green)]))
    assert isinstance(many, PredictManyAnswer), many
    first, second, third = many.results
    assert (first.label, second.status, third.label) == ("red", 415, "green")
    assert isinstance(second, Problem) and second.type_ == "urn:finial:problem:unknown-format"

    refused = predict.sync_detailed(client=client, body=Pictures(file=[broken]))
    assert (refused.status_code, type(refused.parsed)) == (415, Problem)
    assert refused.parsed.request_id == refused.headers["x-request-id"]

    unknown = describe_model.sync("cats", client=client)
    assert isinstance(unknown, Problem) and unknown.type_ == "urn:finial:problem:unknown-model", unknown

print("all is well")
"""


def test_a_generated_client_asks_and_understands(service: ServiceProcess, tmp_path: Path) -> None:
    with service.client() as client:
        (tmp_path / "openapi.json").write_text(client.get("/openapi.json").text)
    (tmp_path / "config.yml").write_text("post_hooks: []\n")  # it would call ruff
    for name, content in {"program.py": PROGRAM.encode(), "red.png": picture(RED), "green.png": picture(GREEN)}.items():
        (tmp_path / name).write_bytes(content)

    generated = run(
        *(sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--meta", "none"),
        *("--output-path", "finial_client", "--config", "config.yml"),
        folder=tmp_path,
    )
    warnings = [line.strip() for line in generated.stdout.splitlines() if "WARNING" in line or "Unsupported" in line]
    assert set(warnings) <= {"", "Unsupported content type image/*"}, generated.stdout
    used = run(sys.executable, "program.py", service.url, "red.png", "green.png", folder=tmp_path)

    assert used.stdout == "all is well\n"


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done
