"""Weights come from a file, a cache or a download, always hashed, and never from a network that nobody asked for."""

import hashlib
import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from trainer.catalogue import BackboneEntry, get_entry
from trainer.errors import UsageError
from trainer.errors.backbones import WeightsDamaged, WeightsMissing, WeightsUnreadable
from trainer.weights import cached_file, fetch_weights, find_weights, is_cached, verify_unchanged

CONTENT = b"weights, for all that a download cares" * 1000


@dataclass
class Mirror:
    """A server of weights files on this machine; `cut` makes it hang up in the middle of a file."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut: bool = False
    asked: list[str] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    mirror = Mirror()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            mirror.asked.append(self.path)
            content = mirror.files.get(self.path.rpartition("/")[2])
            self.send_response(200 if content else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write((content or b"")[: 100 if mirror.cut else None])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        mirror.url = f"http://127.0.0.1:{server.server_port}/models/"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield mirror
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def torch_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of torchvision's, and no proxy between the test and its own server."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "torch"


@pytest.fixture
def entry() -> BackboneEntry:
    """A backbone whose published file is CONTENT."""
    digits = hashlib.sha256(CONTENT).hexdigest()[:8]
    return replace(get_entry("squeezenet1_1"), weights_file=f"squeezenet1_1-{digits}.pth")


def left_in_cache(torch_home: Path) -> list[str]:
    return [path.name for path in torch_home.rglob("*") if path.is_file()]


def test_a_download_is_hash_checked_and_kept_for_the_next_time(entry: BackboneEntry, mirror: Mirror) -> None:
    mirror.files[entry.weights_file] = CONTENT

    first = find_weights(entry, None, download=True, weights_url=mirror.url)
    second = find_weights(entry, None, download=False)

    assert first == second
    assert first.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert first.path == cached_file(entry)
    assert first.source == "torchvision SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert mirror.asked == [f"/models/{entry.weights_file}"]


def test_another_file_of_the_right_name_is_not_kept(entry: BackboneEntry, mirror: Mirror, torch_home: Path) -> None:
    mirror.files[entry.weights_file] = b"a firewall's sign-in page"

    with pytest.raises(WeightsMissing, match="invalid hash"):
        find_weights(entry, None, download=True, weights_url=mirror.url)

    assert left_in_cache(torch_home) == []


def test_half_a_download_leaves_nothing_behind(entry: BackboneEntry, mirror: Mirror, torch_home: Path) -> None:
    mirror.files[entry.weights_file] = CONTENT
    mirror.cut = True

    with pytest.raises(WeightsMissing):
        find_weights(entry, None, download=True, weights_url=mirror.url)

    assert left_in_cache(torch_home) == []


def test_an_unreachable_server_is_an_error_that_tells_the_ways_out(torch_home: Path) -> None:
    """It names the file, the folder where to put it, and what works without a network."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"

    with pytest.raises(WeightsMissing) as caught:
        fetch_weights("resnet50", weights_url=url)

    told = str(caught.value)
    assert f"{url}/resnet50-0676ba61.pth could not be downloaded" in told
    assert f"Put resnet50-0676ba61.pth into {torch_home / 'hub' / 'checkpoints'}" in told
    assert "--weights FILE" in told and "--backbone nano" in told


def test_a_file_that_the_server_does_not_have_is_an_error_that_says_so(mirror: Mirror) -> None:
    with pytest.raises(WeightsMissing, match="404"):
        fetch_weights("resnet18", weights_url=mirror.url)


def test_nothing_is_downloaded_unless_it_was_asked_for(entry: BackboneEntry, mirror: Mirror) -> None:
    mirror.files[entry.weights_file] = CONTENT

    with pytest.raises(WeightsMissing, match="is not cached"):
        find_weights(entry, None, download=False, weights_url=mirror.url)

    assert mirror.asked == []


def test_fetching_what_is_cached_does_not_ask_the_server(entry: BackboneEntry, mirror: Mirror) -> None:
    cached_file(entry).parent.mkdir(parents=True)
    cached_file(entry).write_bytes(CONTENT)

    assert is_cached(entry)
    assert find_weights(entry, None, download=True, weights_url=mirror.url).path == cached_file(entry)
    assert mirror.asked == []


def test_a_cached_file_that_is_not_what_its_name_says_is_refused(entry: BackboneEntry) -> None:
    cached_file(entry).parent.mkdir(parents=True)
    cached_file(entry).write_bytes(CONTENT[:-1])

    with pytest.raises(WeightsDamaged, match="remove it and fetch"):
        find_weights(entry, None, download=False)


@pytest.mark.parametrize("ending", ["pth", "pt", "safetensors"])
def test_a_named_file_must_fit_the_hash_in_its_name(ending: str, entry: BackboneEntry, tmp_path: Path) -> None:
    (tmp_path / f"own-0123abcd.{ending}").write_bytes(CONTENT)

    with pytest.raises(WeightsDamaged, match="expected 0123abcd"):
        find_weights(entry, tmp_path / f"own-0123abcd.{ending}", download=False)


def test_a_named_file_without_a_hash_in_its_name_is_taken_and_hashed(entry: BackboneEntry, tmp_path: Path) -> None:
    (tmp_path / "own.pth").write_bytes(CONTENT)

    weights = find_weights(entry, tmp_path / "own.pth", download=False)

    assert (weights.sha256, weights.source) == (hashlib.sha256(CONTENT).hexdigest(), "own.pth")


def test_a_named_file_that_is_not_there_is_named(entry: BackboneEntry, tmp_path: Path) -> None:
    with pytest.raises(WeightsUnreadable, match=r"^\S+gone\.pth: cannot be read \(No such file"):
        find_weights(entry, tmp_path / "gone.pth", download=True)


def test_nano_needs_no_file_and_takes_none(tmp_path: Path) -> None:
    weights = fetch_weights("nano", weights_url="http://127.0.0.1:1")

    assert (weights.source, weights.path.suffix) == ("embedded", ".safetensors")
    with pytest.raises(UsageError, match="carries its own weights"):
        find_weights(get_entry("nano"), tmp_path / "own.pth", download=False)


def test_a_file_that_changes_after_it_was_found_is_noticed(entry: BackboneEntry, tmp_path: Path) -> None:
    (tmp_path / "own.pth").write_bytes(CONTENT)
    weights = find_weights(entry, tmp_path / "own.pth", download=False)
    (tmp_path / "own.pth").write_bytes(CONTENT + b"!")

    with pytest.raises(WeightsDamaged):
        verify_unchanged(weights)


@pytest.mark.parametrize(
    "environment", [{"TORCH_HOME": "/a/torch"}, {"XDG_CACHE_HOME": "/b"}, {"HOME": "/c"}, {"TORCH_HOME": "~/d"}]
)
def test_the_cache_is_where_torch_looks(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours is written again so that asking need not load torch; they must not drift apart."""
    import torch.hub

    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert str(cached_file(get_entry("resnet18"))) == f"{torch.hub.get_dir()}/checkpoints/resnet18-f37072fd.pth"
