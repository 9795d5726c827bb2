"""One function a verb: settings in, the work done by its room, the result on stdout as text or JSON."""

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainer.compare_settings import CompareSettings
from trainer.counting import counted
from trainer.progress import Progress
from trainer.settings import (
    AuditSettings,
    BackbonesSettings,
    CacheSettings,
    EvaluateSettings,
    PredictSettings,
    RollbackSettings,
    SampleSettings,
    TrainSettings,
)

if TYPE_CHECKING:
    from trainer.action_result import ActionResult


def train(arguments: Sequence[str], program: str) -> None:
    """Train and publish; then say where bundle and report are."""
    settings = TrainSettings.from_command_line(arguments, program=program)
    from trainer.pipeline import train as run
    from trainer.summaries import training_summary

    result = run(settings, Progress())
    if settings.json_:
        _print_json(result.as_json())
        return
    _print(training_summary(result.bundle, result.metrics, unchanged=result.unchanged))
    if result.differences is not None:
        _print(result.differences.text)


def audit(arguments: Sequence[str], program: str) -> None:
    """Tell everything that was found; then refuse, as `train` would, what cannot be learned from."""
    settings = AuditSettings.from_command_line(arguments, program=program)
    from trainer.audit_table import render_audit
    from trainer.auditing import audit_data

    found = audit_data(settings, Progress())
    if settings.json_:
        _print_json(found.as_json())
    else:
        _print(render_audit(found, width=_columns(), colour=sys.stdout.isatty()))
    found.require_fit_for_training()


def compare(arguments: Sequence[str], program: str) -> None:
    """Backbones side by side on labelled pictures."""
    settings = CompareSettings.from_command_line(arguments, program=program)
    from trainer.comparing import compare as run

    found = run(settings, Progress())
    if settings.json_:
        _print_json(found.as_json())
    else:
        _print(found.text)


def evaluate(arguments: Sequence[str], program: str) -> None:
    """Measure a bundle on labelled pictures."""
    settings = EvaluateSettings.from_command_line(arguments, program=program)
    from trainer.evaluating import evaluate_bundle
    from trainer.summaries import evaluation_summary

    result = evaluate_bundle(settings, Progress())
    if settings.json_:
        _print_json(result.as_json())
        return
    _print(evaluation_summary(result.bundle, result.as_json(), len(result.unusable)))


def predict(arguments: Sequence[str], program: str) -> None:
    """One line a picture; with --out, a table and a count. If no picture could be predicted, it ends with 3."""
    settings = PredictSettings.from_command_line(arguments, program=program)
    from trainer.errors.scoring import NothingPredicted
    from trainer.predicting import predict as run

    count = problems = 0
    for prediction in run(settings, Progress()):
        count += 1
        problems += prediction.problem is not None
        if settings.json_:
            _print_json(prediction.as_json(), indent=None)
        elif settings.out is None or prediction.problem is not None:
            _print(prediction.line)
    if settings.out is not None and not settings.json_:
        _print(f"{settings.out}: {counted(count, 'new prediction')}, {counted(problems, 'picture')} could not be used.")
    if count and problems == count:
        raise NothingPredicted(count)


def backbones(arguments: Sequence[str], program: str) -> None:
    """List, fetch or verify."""
    settings = BackbonesSettings.from_command_line(arguments, program=program)
    from trainer import backbone_actions

    action = {"list": backbone_actions.list_all, "fetch": backbone_actions.fetch, "verify": backbone_actions.verify}
    result = action[settings.action](settings, Progress())
    _print_result(result, as_json=settings.json_)


def cache(arguments: Sequence[str], program: str) -> None:
    """List, verify or prune; damage that was found ends with exit code 3."""
    settings = CacheSettings.from_command_line(arguments, program=program)
    from trainer import cache_actions
    from trainer.errors.caches import CacheDamaged

    action = {"list": cache_actions.list_all, "verify": cache_actions.verify, "prune": cache_actions.prune}
    result = action[settings.action](settings, Progress())
    _print_result(result, as_json=settings.json_)
    if damaged := result.values.get("damaged"):
        raise CacheDamaged(settings.cache_dir, [one["path"] for one in damaged])


def rollback(arguments: Sequence[str], program: str) -> None:
    """Repoint `current`."""
    settings = RollbackSettings.from_command_line(arguments, program=program)
    from shared.publish import rollback as run

    bundle = run(settings.models_dir, settings.name, settings.version)
    _print(f"{settings.name}: current is now {bundle.version}; running services pick it up by themselves.")


def sample(arguments: Sequence[str], program: str) -> None:
    """Write the procedural pictures."""
    settings = SampleSettings.from_command_line(arguments, program=program)
    from trainer.sample_pictures import write_sample_pictures

    write_sample_pictures(settings.folder, per_class=settings.per_class, seed=settings.seed, progress=Progress())
    _print(
        f"{settings.folder}: {settings.per_class} cracked and {settings.per_class} uncracked pictures of concrete, "
        "drawn by a program: good for a first run, not for judging real concrete."
    )


def _columns() -> int:
    """The width of the terminal, or of a page where there is none."""
    return shutil.get_terminal_size((100, 24)).columns


def _print_result(result: "ActionResult", *, as_json: bool) -> None:
    if as_json:
        _print_json(result.as_json())
    else:
        _print(result.text)


def _print(text: str | Path) -> None:
    print(text, flush=True)  # noqa: T201


def _print_json(value: dict[str, Any], *, indent: int | None = 1) -> None:
    print(json.dumps(value, indent=indent, ensure_ascii=False), flush=True)  # noqa: T201
