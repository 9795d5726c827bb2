"""Models to measure with, for anyone with a checkout: seeded random weights, drawn pictures, published by the trainer.

    python -m bench.models FOLDER --backbone resnet50 --precision int8      makes one, or finds it made already

What a picture costs depends on the architecture and not on what the weights have learned. Each is made once and then
reused from its folder.
"""

import argparse
import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from shared.bundle import read_bundle
from shared.errors import BundleError
from shared.files import sha256_of_file, write_atomically
from shared.publish import resolve
from trainer.catalogue import NANO, get_entry

BACKBONES = ("mobilenet_v2", "resnet18", "resnet50", NANO)
PRECISIONS = ("float32", "int8")
PER_CLASS = 60  # more than the 100 pictures in all that novelty needs
ROOT = Path(__file__).resolve().parents[1]
_NOISE = (8, 3, 224, 224)


def random_weights(architecture: str, folder: Path, *, seed: int = 0) -> Path:
    """A weights file with seeded random weights in the architecture's own format: torchvision's state dict in a .pth.

    Batch norms hold the statistics of noise: with those they are built with, values would grow or fade from block to
    block until they overflow, or are so small that a processor is slow with them.

    Args:
        architecture: torchvision's name of it.
        folder: where the file is kept; it is made once.
        seed: of the weights and the noise.

    Raises:
        UnknownBackbone: no such name.
        ValueError: nano carries its own weights.
    """
    if get_entry(architecture).name == NANO:
        raise ValueError("nano carries its own weights; ask for another architecture")
    path = folder / f"{architecture}-random{seed or ''}.pth"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, _drawn_weights(architecture, seed))
    return path


def _drawn_weights(architecture: str, seed: int) -> bytes:
    import torch
    from torchvision.models import get_model

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        network = get_model(architecture, weights=None).train()
        for layer in network.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = 1.0  # hold those of the one batch that comes
        network(torch.randn(_NOISE))
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    return file.getvalue()


def make_bundle(
    models_dir: Path, *, backbone: str, precision: str = "float32", weights: Path | None = None, cache_dir: Path
) -> Path:
    """A published bundle of drawn pictures: the folder of its version, `models_dir/NAME/VERSION`.

    NAME tells the backbone and the precision, and the weights where they were given. It is made in a process of its
    own, so that torch is not in the memory, nor its threads in the way, of whoever measures.

    Args:
        models_dir: where it is published; one that is there already is reused.
        backbone: a name of the catalogue.
        precision: "float32" or "int8".
        weights: a weights file; by default random ones, nano's its own.
        cache_dir: the trainer's cache; random weights and pictures are kept in it, too.

    Raises:
        RuntimeError: the trainer did not make it; the message ends with what it said.
    """
    made = _made(models_dir / name_of(backbone, precision, weights))
    if made is None:
        command = [sys.executable, "-m", "bench.models", str(models_dir.resolve())]
        command += ["--cache-dir", str(cache_dir.resolve()), "--backbone", backbone, "--precision", precision]
        command += ["--weights", str(weights.resolve())] if weights else []
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FINIAL_")}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        made = _made(models_dir / name_of(backbone, precision, weights))
        if made is None:
            raise RuntimeError(f"no bundle of {backbone} in {precision} was made: {done.stderr[-600:]}")
    return made


def make_alone(folder: Path, *, backbone: str, cache_dir: Path) -> Path:
    """A folder with this model alone, below `folder`: a service loads all that are beside each other."""
    models = folder / f"alone-{backbone}"
    make_bundle(models, backbone=backbone, cache_dir=cache_dir)
    return models


def name_of(backbone: str, precision: str, weights: Path | None) -> str:
    """The name that such a model is published under."""
    return "-".join([backbone, precision, *([sha256_of_file(weights)[:8]] if weights else [])])


def _made(model: Path) -> Path | None:
    """The current version of a model, if it is there and whole."""
    with contextlib.suppress(BundleError, OSError):
        return read_bundle(resolve(model)).path
    return None


def _make(models_dir: Path, backbone: str, precision: str, weights: Path | None, cache_dir: Path) -> Path:
    """Train in this process."""
    from trainer.pipeline import train
    from trainer.sample_pictures import write_sample_pictures
    from trainer.settings import TrainSettings

    pictures = cache_dir / "bench-pictures"
    write_sample_pictures(pictures, per_class=PER_CLASS)
    drawn = None if weights or backbone == NANO else random_weights(backbone, cache_dir / "bench-weights")
    settings = TrainSettings.model_validate(
        {
            "data": str(pictures),
            "name": name_of(backbone, precision, weights),
            "models_dir": models_dir,
            "cache_dir": cache_dir,
            "backbone": backbone,
            "weights": weights or drawn,
            "precision": precision,
        }
    )
    return train(settings).bundle.path


def main() -> None:
    """Print the folder of the version."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models_dir", type=Path)
    parser.add_argument("--backbone", choices=BACKBONES, default="mobilenet_v2")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--weights", type=Path, help="default: random ones")
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    given = parser.parse_args()
    made = _made(given.models_dir / name_of(given.backbone, given.precision, given.weights))
    print(made or _make(given.models_dir, given.backbone, given.precision, given.weights, given.cache_dir))


if __name__ == "__main__":
    main()
