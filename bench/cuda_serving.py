"""Micro-batched serving on a CUDA device, against the model alone on it and against decoding alone.

    python -m bench.cuda_serving                             random MobileNetV2, a drawn photo of 500 x 375, 64 clients
    python -m bench.cuda_serving --model models/NAME --picture FILE --max-batches 16 64
    python -m bench.cuda_serving --device cpu --quick        to see that it works: of a CUDA device it says nothing

Three kinds of work take turns, in an order that is drawn for each round: the graph alone, on batches that lie in memory
already; reading and resizing a picture alone, on one thread and on one for each core; and the service with `--device
require-gpu`, asked by clients in closed loops, once for each `--max-batch`. No service can exceed either of the first
two, so both ratios are told, and how many cores would have to decode for the device to have enough to do. The client is
ours and runs on the same cores; what it takes of them is shown. Without a device it says so and ends.
"""

import argparse
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.arguments import parse, tell, told_arguments
from bench.cuda import why_no_cuda
from bench.drawn_pictures import as_jpeg, draw
from bench.http_client import post
from bench.load import closed_loop
from bench.models import make_bundle
from bench.process_tree import processor_s, tree
from bench.serving import Metrics, Served, serving
from bench.spread import Spread, ratios, spread, turns
from service.loading import wanted_outputs
from shared.bundle import Bundle, read_bundle
from shared.cores import usable_cores
from shared.decode import DecodeLimits, decode
from shared.preprocess import preprocess
from shared.publish import resolve
from shared.session import open_session

BATCHES, MAX_BATCHES, CLIENTS = (8, 32, 64), (16, 64), 64
_WARM_RUNS = 3
_DEVICES = {"cuda": ("--device", "require-gpu"), "cpu": ("--device", "cpu", "--micro-batching", "on")}


@dataclass(frozen=True)
class Figures:
    """What one measurement of one side gave; all but the first only of the service.

    Attributes:
        per_s: pictures a second.
        p50_ms, p99_ms: from asking to the answer.
        processor_ms: of the service, for an answer.
        client_share: of one core, that the client took.
        batch: pictures in a run of the model, on average.
    """

    per_s: float
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    processor_ms: float = 0.0
    client_share: float = 0.0
    batch: float = 0.0


Found = Mapping[str, Sequence[Figures]]


def main() -> None:
    """Print a line a measurement, the medians with their ratios, and one JSON object at the end."""
    given = _arguments()
    if given.device == "cuda" and (reason := why_no_cuda()):
        print(f"nothing measured: {reason}")
        return
    bundle = read_bundle(
        resolve(given.model)
        if given.model
        else make_bundle(given.folder, backbone="mobilenet_v2", cache_dir=given.cache_dir)
    )
    picture = given.picture.read_bytes() if given.picture else as_jpeg(draw(0))
    models, decoding = models_alone(bundle, given), decoding_alone(bundle, picture, given)
    with services(bundle, picture, given) as served:
        found = _measure(models | decoding | served, given.rounds)
    one_core, all_cores = decoding
    print("\n".join(report(found, models=list(models), one_core=one_core, all_cores=all_cores, served=list(served))))
    figures = {name: [asdict(one) for one in of_one] for name, of_one in found.items()}
    told = {"device": given.device, "clients": given.clients, "picture_bytes": len(picture), "figures": figures}
    tell(told, given)


def models_alone(bundle: Bundle, given: argparse.Namespace) -> dict[str, Callable[[], Figures]]:
    """The graph on batches of noise that are in memory, fetching what the service fetches."""
    session = open_session(bundle.read_model(), provider=given.device, threads=usable_cores())
    spec, outputs, random = bundle.metadata.spec, wanted_outputs(bundle), np.random.default_rng(0)

    def of_batch(size: int) -> Callable[[], Figures]:
        images = random.integers(0, 256, (size, spec.height, spec.width, 3), dtype=np.uint8)
        for _ in range(_WARM_RUNS):
            session.run(images, outputs)
        return lambda: Figures(rate(lambda: session.run(images, outputs), pictures=size, seconds=given.seconds))

    return {f"the model alone, batches of {size}": of_batch(size) for size in given.batches}


def decoding_alone(bundle: Bundle, picture: bytes, given: argparse.Namespace) -> dict[str, Callable[[], Figures]]:
    """Bytes to pixels, as the service does it, on one thread and on all cores."""
    spec = bundle.metadata.spec

    def once() -> object:
        return preprocess(decode(picture, at_least=spec.decode_at_least, limits=DecodeLimits()), spec)

    def on(threads: int) -> Callable[[], Figures]:
        return lambda: Figures(rate(once, pictures=1, seconds=given.seconds, threads=threads))

    cores = usable_cores()
    return {"decoding alone, one thread": on(1), f"decoding alone, {cores} threads": on(cores)}


def rate(
    work: Callable[[], object],
    *,
    pictures: int,
    seconds: float,
    threads: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Pictures a second, of all threads together.

    Args:
        work: does so many pictures.
        pictures: how many that is.
        seconds: how long each thread repeats it; the last time is finished, and counts with its time.
        threads: how many do it at once.
        clock: in s.
    """
    line = threading.Barrier(threads)

    def repeat(_: int) -> float:
        line.wait()
        began, times = clock(), 0
        while (took := clock() - began) < seconds or not times:
            work()
            times += 1
        return times * pictures / took

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(repeat, range(threads)))


@contextlib.contextmanager
def services(bundle: Bundle, picture: bytes, given: argparse.Namespace) -> Iterator[dict[str, Callable[[], Figures]]]:
    """The service, started once for each largest batch; nobody but the one that is asked computes."""
    request = post(picture, content_type="image/jpeg")
    with contextlib.ExitStack() as stack:
        found = {}
        for size in given.max_batches:
            options = ("--models", bundle.path.parent.name, *_DEVICES[given.device], "--max-batch", str(size))
            service = stack.enter_context(serving(bundle.path.parents[1], *options))
            service.wait_until_ready()
            found[f"the service, --max-batch {size}"] = _asking(service, request, given)
        yield found


def _asking(service: Served, request: bytes, given: argparse.Namespace) -> Callable[[], Figures]:
    def ask() -> Figures:
        before = service.metrics()
        load = closed_loop(
            service.port,
            request,
            callers=given.clients,
            seconds=given.seconds,
            warm_s=given.warm_s,
            watch=lambda: processor_s(tree(service.process.pid)),
        )
        if load.failures or not load.answered:
            raise SystemExit(f"{load.answered} requests were answered; failed: {dict(load.failures)}")
        p50, p99 = np.percentile(load.latencies_s, [50, 99]) * 1000
        used = load.watched[1] - load.watched[0]
        return Figures(
            per_s=load.answered / load.seconds,
            p50_ms=float(p50),
            p99_ms=float(p99),
            processor_ms=1000 * used / load.answered,
            client_share=load.client_s / load.seconds,
            batch=mean_batch(before, service.metrics()),
        )

    return ask


def mean_batch(before: Metrics, after: Metrics) -> float:
    """Pictures in a run between two looks at `/metrics`; 0 if there was no run."""
    batches, pictures = (
        after.total(name) - before.total(name) for name in ("finial_batches_total", "finial_batched_pictures_total")
    )
    return pictures / batches if batches else 0.0


def report(found: Found, *, models: Sequence[str], one_core: str, all_cores: str, served: Sequence[str]) -> list[str]:
    """Lines for people: each side, what limits the service, and what it reaches of that.

    Args:
        found: by side, its figures by round.
        models: the sides that are the model alone; the quickest one is the measure.
        one_core, all_cores: the sides that are decoding alone.
        served: the sides that are the service.
    """
    rates = {name: [one.per_s for one in of_one] for name, of_one in found.items()}
    best = max(models, key=lambda name: spread(rates[name]).median)
    lines = [f"{name:<36} {spread(of_one):.0f}/s" for name, of_one in rates.items()]
    feeding = spread(cores_to_feed(rates[best], rates[one_core]))
    limit = ratios(rates[all_cores], rates[best])
    lines.append(f"decoding on all cores gives {limit:.2f} of what the model takes; {feeding:.1f} cores would feed it")
    for name in served:
        lines += [f"{name}: {_in_words(found[name])}"]
        lines += [f"  {ratios(rates[name], rates[other]):.2f} of {other}" for other in (best, all_cores)]
    return lines


def cores_to_feed(model: Sequence[float], one_core: Sequence[float]) -> list[float]:
    """How many cores must decode, round by round, so that the model alone would have enough to do."""
    return [per_s / of_core for per_s, of_core in zip(model, one_core, strict=True)]


def _in_words(rounds: Sequence[Figures]) -> str:
    def middle(figure: Callable[[Figures], float]) -> Spread:
        return spread([figure(one) for one in rounds])

    return (
        f"p50 {middle(lambda one: one.p50_ms):.1f} ms, p99 {middle(lambda one: one.p99_ms):.1f} ms, "
        f"batches of {middle(lambda one: one.batch):.1f}, {middle(lambda one: one.processor_ms):.2f} ms of processor "
        f"an answer, the client {middle(lambda one: one.client_share):.2f} of a core"
    )


def _measure(sides: Mapping[str, Callable[[], Figures]], rounds: int) -> dict[str, list[Figures]]:
    found: dict[str, list[Figures]] = {name: [] for name in sides}
    for order in turns(list(sides), rounds):
        for name in order:
            found[name].append(sides[name]())
            print(f"{name:<36} {found[name][-1].per_s:.0f}/s", flush=True)
    return found


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="one round of half a second each")
    parser.add_argument("--device", choices=list(_DEVICES), default="cuda")
    parser.add_argument("--model", type=Path, help="whose current version is served; default: one that is made")
    parser.add_argument("--picture", type=Path, help="default: a drawn JPEG of 500 x 375")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--batches", type=int, nargs="+", default=list(BATCHES), help="of the model alone")
    parser.add_argument("--max-batches", type=int, nargs="+", default=list(MAX_BATCHES), help="of the service")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--warm-s", type=float, default=1.0, help="before each of the service")
    parser.add_argument("--folder", type=Path, default=Path("cache/bench-models"), help="where models are made")
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    return parse(parser, rounds=1, seconds=0.5, warm_s=0.2)


if __name__ == "__main__":
    main()
