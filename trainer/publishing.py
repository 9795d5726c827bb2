"""The last steps of a run: its files are written, checked and published, and the report follows.

A run that made what is current already publishes nothing.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared.bundle import Bundle, BundleMetadata, read_bundle
from shared.errors import BundleError
from shared.publish import list_also, publish, resolve, seal, staging_folder
from trainer.bundle_files import Run, metadata_fields, write_bundle_files
from trainer.errors.training import ModelsDirNotWritable
from trainer.gates import check_bundle
from trainer.progress import Progress
from trainer.report import REPORT_FILE, report_files
from trainer.report_facts import report_facts

# What a service acts on. Settings, tools and times may differ between runs that give the same model.
_ACTED_ON = (
    *("content_sha256", "labels", "spec", "outputs", "precision", "requirements", "thresholds", "evidence"),
    *("reference", "manifest_digest"),
)


@dataclass(frozen=True)
class Published:
    """The current bundle, whether it was there already, equal to what the run made, and what the run says of itself."""

    bundle: Bundle
    unchanged: bool
    made: BundleMetadata


def require_writable(models_dir: Path) -> None:
    """Learn before an hour of work, not after it, that its result cannot be stored.

    Raises:
        ModelsDirNotWritable: it cannot.
    """
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=models_dir):
            pass
    except OSError as error:
        raise ModelsDirNotWritable(models_dir, error.strerror or str(error)) from error


def publish_run(run: Run, progress: Progress) -> Published:
    """Write the bundle, make it current, then add the report; if the current one is the same model, that one stays.

    A twin would make a rollback land on what it is to lead away from. Whoever waits for the model need not wait for
    the report: it fits a learning curve, draws, and reads pictures again.

    Raises:
        GateFailed: the bundle fails its own check; nothing was published.
        PublishConflict: another program is publishing this model.
    """
    settings, fields = run.settings, metadata_fields(run)
    with staging_folder(settings.models_dir, settings.model_name) as folder:
        with run.timings.measure("write"):
            write_bundle_files(folder, run)
        made = seal(folder, fields)
        if (current := _same_as_current(made, settings.models_dir)) is not None:
            progress.say(f"Unchanged: version {current.version} is already current.", version=current.version)
            # A run that was stopped right after publishing left none.
            bundle = current if REPORT_FILE in current.metadata.files else _add_report(current, run, progress)
            return Published(bundle, unchanged=True, made=made)
        with run.timings.measure("check"):
            check_bundle(folder, progress)
            try:
                bundle = publish(folder, settings.models_dir, keep_versions=settings.keep_versions)
            except KeyboardInterrupt:
                # Between writing `current` and removing old versions the model is live already, and the run says so.
                if (live := _same_as_current(made, settings.models_dir)) is None:
                    raise
                progress.warn(
                    f"Published {live.version}; older versions may be left, which the next run removes, and the report "
                    "is missing, which the same command writes."
                )
                return Published(live, unchanged=False, made=made)
    progress.say(f"Version {bundle.version} is current; the report follows.", version=bundle.version)
    return Published(_add_report(bundle, run, progress), unchanged=False, made=made)


def _add_report(bundle: Bundle, run: Run, progress: Progress) -> Bundle:
    """The published bundle with report and card; without them, and with a warning, if that fails or is interrupted.

    The model is live by then: whatever happens here, the run has done what it was started for, and says so.
    """
    try:
        with progress.phase("write report"):
            return list_also(bundle, report_files(report_facts(run)))
    except KeyboardInterrupt:
        progress.warn(f"Published {bundle.version}; the report is missing, the same command writes it.")
    except Exception as error:  # nothing that a report does may hide that the model is live
        progress.warn(
            f"Published {bundle.version}; its report could not be written ({type(error).__name__}: {error}). "
            "The same command tries again."
        )
    return bundle


def _same_as_current(made: BundleMetadata, models_dir: Path) -> Bundle | None:
    """The current bundle, if it is whole and a service would do the same with it."""
    try:
        current = read_bundle(resolve(models_dir / made.name))
    except BundleError:  # there is none, or it is damaged
        return None
    same = all(getattr(current.metadata, field) == getattr(made, field) for field in _ACTED_ON)
    return current if same else None
