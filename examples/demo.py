"""The whole road once: sample pictures, training, a service, one answer over HTTP.

`make demo` runs this. Everything it writes lies under ./demo; the second run finds its features there.
It uses Finial from outside, the way any program would: two commands and HTTP.
"""

import argparse
import contextlib
import csv
import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

MODEL = "demo"
BACKBONE = "nano"  # the embedded one: nothing is downloaded
READY_WITHIN_S, STOPS_WITHIN_S = 60.0, 30.0


class DemoFailed(Exception):
    """A step of the demo did not do what it should."""


def run_demo(folder: Path) -> None:
    """From no pictures at all to a prediction over HTTP.

    Raises:
        DemoFailed: a step failed; no service is left running.
    """
    pictures, models = folder / "pictures", folder / "models"

    step("Writing sample pictures of concrete, cracked and uncracked")
    say(run_trainer("sample", pictures).strip())

    step("Training on them")
    training = train(pictures, models=models, cache=folder / "cache")
    bundle = Path(training["bundle"])

    step("Serving the model, and asking it about a picture that training never saw")
    picture, label = held_out_picture(bundle, pictures)
    with service(models, log=folder / "service.log") as url:
        answer = predict(url, picture)

    say(f"POST {url}/predict  {picture}\n{json.dumps(answer, indent=2, ensure_ascii=False)}")
    say(f"The picture's own label is {label!r}. The service has stopped.")
    conclude(training, bundle)


def train(pictures: Path, *, models: Path, cache: Path) -> dict[str, Any]:
    """Train and publish; what `train --json` prints."""
    where = ("--name", MODEL, "--models-dir", models, "--cache-dir", cache)
    # Published as measured: the head has not seen the held-out pictures. By default it is fitted again on all of them.
    output = run_trainer("train", pictures, *where, "--backbone", BACKBONE, "--final-fit", "train", "--json")
    result: dict[str, Any] = json.loads(output)
    say(f"{result['featurized']} pictures featurised, {result['from_cache']} taken from the cache.")
    return result


def held_out_picture(bundle: Path, pictures: Path) -> tuple[Path, str]:
    """A picture of the bundle's test split, and its label: the bundle lists its pictures by digest."""
    with (bundle / "split.csv").open(encoding="utf-8", newline="") as file:
        held_out = {row["digest"]: row["label"] for row in csv.DictReader(file) if row["split"] == "test"}
    for picture in sorted(path for path in pictures.rglob("*") if path.is_file()):
        digest = hashlib.sha256(picture.read_bytes()).hexdigest()
        if digest in held_out:
            return picture, held_out[digest]
    raise DemoFailed(f"none of the pictures in {pictures} is in the test split of {bundle}")


@contextlib.contextmanager
def service(models: Path, *, log: Path) -> Iterator[str]:
    """A service for these models at the URL this gives; stopped at the end, whatever happens in between."""
    command = [sys.executable, "-m", "service", "--models-dir", str(models), "--port", "0"]
    with log.open("w", encoding="utf-8") as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            yield wait_until_ready(process, log)
        finally:
            exit_code = stop(process)
    if exit_code != 0:
        raise DemoFailed(f"the service ended with exit code {exit_code}; {log} tells why")


def wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """The service's URL, once its model is loaded and warm."""
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise DemoFailed(f"the service ended with exit code {process.returncode}; {log} tells why")
        url = announced_url(log)
        if url and httpx.get(f"{url}/health/ready", trust_env=False, timeout=10).status_code == httpx.codes.OK:
            return url
        time.sleep(0.1)
    raise DemoFailed(f"the service is not ready after {READY_WITHIN_S:.0f} s; {log} tells why")


def announced_url(log: Path) -> str | None:
    """Where the service listens: with port 0 it takes a free one, and says which in a line of JSON."""
    for line in log.read_text(encoding="utf-8").splitlines():
        if '"event": "listening"' in line:
            url: str = json.loads(line)["url"]
            return url
    return None


def predict(url: str, picture: Path) -> dict[str, Any]:
    """What the service answers for a picture."""
    with picture.open("rb") as file:
        response = httpx.post(f"{url}/predict", files={"file": (picture.name, file)}, trust_env=False, timeout=30)
    if response.status_code != httpx.codes.OK:
        raise DemoFailed(f"the service answered {response.status_code}: {response.text}")
    answer: dict[str, Any] = response.json()
    return answer


def stop(process: subprocess.Popen[bytes]) -> int:
    """End the service the way an operator does, by SIGTERM; its exit code."""
    process.terminate()
    try:
        return process.wait(STOPS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def conclude(training: dict[str, Any], bundle: Path) -> None:
    """Where everything is, and what it is worth."""
    backbone = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["backbone"]
    say(
        f"bundle  {bundle}\n"
        f"report  {bundle / 'report.html'}\n"
        f"tested  {tested(training['metrics'])}\n\n"
        "What this is worth: the pictures are drawn by a program, so the number says that the road works, not that\n"
        f"cracks in real concrete are found. The backbone is {backbone['name']}: small, and there without a download;\n"
        "for pictures of your own a larger pretrained one is usually better (`python -m trainer backbones list`).\n"
        f"Terms of its weights: {backbone['licence']}\n\n"
        "Next: make train DATA=folder-of-pictures NAME=model, then make serve."
    )


def tested(metrics: dict[str, Any]) -> str:
    """The accuracy on the test split, and how sure it is."""
    low, high = metrics["accuracy_interval"]
    return (
        f"{metrics['accuracy']:.1%} of {metrics['n']} held-out pictures right (95 % interval {low:.1%} to {high:.1%})"
    )


def run_trainer(*arguments: str | Path) -> str:
    """Run a verb of the trainer; its standard output. What it tells meanwhile goes to the terminal."""
    command = [sys.executable, "-m", "trainer", *map(str, arguments)]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if result.returncode != 0:
        raise DemoFailed(f"{' '.join(command[1:])} ended with exit code {result.returncode}")
    return result.stdout


def step(title: str) -> None:
    """Announce what comes next."""
    say(f"== {title}")


def say(text: str) -> None:
    """Print at once, so that our lines and the trainer's stay in order."""
    print(f"\n{text}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when every step worked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("demo"), help="where everything is written (demo)")
    folder = parser.parse_args(arguments).folder
    # Being ended must stop the service as well: SIGTERM would otherwise skip every `finally`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        run_demo(folder)
    except (DemoFailed, OSError, httpx.HTTPError) as problem:
        print(f"demo: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
