"""What goes over the wire: the shapes of answers, as clients see them in /openapi.json."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from service.answers import Answer
from service.device import Device
from service.drift import Drift
from service.generation import Generation
from service.model_status import FailedLoad, Outcome, PinnedBy, Status


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class PredictionAnswer(_Answer):
    """One label with its score."""

    label: str
    score: float = Field(description="Probability that the model gives this label, 0 to 1.")


class PredictAnswer(_Answer):
    """What the model says about one picture."""

    label: str | None = Field(description="The most probable label; null when its score is below `threshold`.")
    score: float = Field(description="Probability of the most probable label, 0 to 1.")
    predictions: list[PredictionAnswer] = Field(description="The `top_k` most probable labels, best first.")
    novelty: float | None = Field(description="How unlike the training pictures, 0 to 1; null if not known.")
    unfamiliar: bool | None = Field(description="Whether novelty is above the model's threshold; null if not known.")
    model: str
    version: str = Field(description="The version that answered.")
    request_id: str

    @classmethod
    def of(cls, answer: Answer, *, request_id: str, threshold: float = 0.0) -> Self:
        """Put an answer into words; it has no label when the best score is below the threshold."""
        best = answer.predictions[0]
        return cls(
            label=best.label if best.score >= threshold else None,
            score=best.score,
            predictions=[PredictionAnswer(label=each.label, score=each.score) for each in answer.predictions],
            novelty=answer.novelty,
            unfamiliar=answer.unfamiliar,
            model=answer.model,
            version=answer.version,
            request_id=request_id,
        )


def predict_json(answer: Answer, *, request_id: str) -> bytes:
    """As `PredictAnswer.of` without a threshold, written as JSON: byte for byte, in a third of the time."""
    best = answer.predictions[0]
    told = {
        "label": best.label if best.score >= 0 else None,
        "score": best.score,
        "predictions": [{"label": each.label, "score": each.score} for each in answer.predictions],
        "novelty": answer.novelty,
        "unfamiliar": answer.unfamiliar,
        "model": answer.model,
        "version": answer.version,
        "request_id": request_id,
    }
    return to_json(told, inf_nan_mode="null")


class Problem(_Answer):
    """An error as RFC 9457 defines it, served as application/problem+json."""

    type: str = Field(description="Stable name of the kind of problem, e.g. urn:finial:problem:queue-full.")
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was found, what was expected, and what to do.")
    request_id: str


class PredictManyAnswer(_Answer):
    """What the model says about several pictures, in the order in which they were sent."""

    results: list[PredictAnswer | Problem] = Field(description="An answer, or what is wrong with that picture.")


class FailedLoadAnswer(_Answer):
    """Why a version is not served."""

    version: str | None = Field(description="What `current` named; null when that could not be read.")
    error: str
    at: datetime
    attempts: int = Field(description="How often this version was tried.")

    @classmethod
    def of(cls, failed: FailedLoad) -> Self:
        """Put a failed load into words."""
        return cls(version=failed.version, error=failed.message, at=failed.at, attempts=failed.attempts)


class DriftAnswer(_Answer):
    """At least which share of the latest pictures is not like the training; of the worker that answers."""

    pictures: int = Field(description="How many of the latest pictures this is told of, at most 2,000.")
    label: float | None = Field(description="By predicted label, 0 to 1; null where nothing can be said.")
    novelty: float | None = Field(description="By novelty, 0 to 1; null where nothing can be said.")
    label_sees_from: float | None = Field(description="A change of a smaller share may leave `label` at 0.")
    novelty_sees_from: float | None = Field(description="The same of `novelty`.")
    label_reason: str | None = Field(description="Why `label` is null.")
    novelty_reason: str | None = Field(description="Why `novelty` is null.")

    @classmethod
    def of(cls, drift: Drift) -> Self:
        """Put drift into words."""
        return cls(
            pictures=drift.pictures,
            label=drift.label,
            novelty=drift.novelty,
            label_sees_from=drift.label_sees_from,
            novelty_sees_from=drift.novelty_sees_from,
            label_reason=drift.label_reason or None,
            novelty_reason=drift.novelty_reason or None,
        )


class ModelAnswer(_Answer):
    """What is served under a name; the fields of the version are null when none could be loaded."""

    name: str
    ready: bool
    version: str | None = None
    labels: tuple[str, ...] | None = None
    metrics: Mapping[str, Any] | None = Field(
        default=None, description="As measured by the trainer on held-out pictures."
    )
    backbone: str | None = None
    precision: str | None = None
    loaded_at: datetime | None = None
    provider: str | None = Field(default=None, description="Where ONNX Runtime really computes.")
    warnings: tuple[str, ...] = Field(default=(), description="What differs from the training machine.")
    pinned: str | None = Field(default=None, description="The version that it is pinned to, served come what may.")
    pinned_by: PinnedBy | None = Field(
        default=None, description="`setting`: --pin or --also; `admin`: a verb, until the process ends."
    )
    look_age_s: float | None = Field(
        default=None,
        description="Seconds since the last look for a new version ended; far above the poll interval, it hangs.",
    )
    reloads: Mapping[Outcome, int] = Field(
        default={}, description="How often a version was loaded, failed to load, or something was not as it must be."
    )
    last_reload_error: FailedLoadAnswer | None = Field(default=None, description="The first of `failed_loads`.")
    failed_loads: tuple[FailedLoadAnswer, ...] = Field(
        default=(), description="The last ten versions that could not be loaded, newest first."
    )
    drift: DriftAnswer | None = Field(default=None, description="Told by `GET /models/{name}` of a served version.")

    @classmethod
    def of(cls, name: str, status: Status) -> Self:
        """Describe a model."""
        failures = tuple(FailedLoadAnswer.of(each) for each in status.failures)
        known = cls(
            name=name,
            ready=status.generation is not None,
            pinned=None if status.pin is None else status.pin.version,
            pinned_by=None if status.pin is None else status.pin.by,
            look_age_s=None if status.look_age_s is None else round(status.look_age_s, 3),
            reloads=status.reloads,
            last_reload_error=failures[0] if failures else None,
            failed_loads=failures,
        )
        return known if status.generation is None else known._with(status.generation)

    def and_drift(self, drift: Drift | None) -> Self:
        """The same with how far its pictures drift."""
        return self if drift is None else self.model_copy(update={"drift": DriftAnswer.of(drift)})

    def _with(self, generation: Generation) -> Self:
        metadata = generation.bundle.metadata
        served = {
            "version": generation.version,
            "labels": generation.labels,
            "metrics": metadata.metrics,
            "backbone": metadata.backbone.name,
            "precision": metadata.precision,
            "loaded_at": generation.loaded_at,
            "provider": generation.provider,
            "warnings": generation.warnings,
        }
        return self.model_copy(update=served)


class DeviceAnswer(_Answer):
    """Where models are computed: what was asked for, and what was obtained."""

    policy: str = Field(description="What --device says: require-gpu, prefer-gpu, cpu or openvino.")
    provider: str | None = Field(description="What was obtained; null when what is required is not there.")
    reason: str | None = Field(
        default=None,
        description="Why there is no GPU, or no OpenVINO: "
        "provider-missing, library-not-loadable, no-device or device-failed.",
    )
    detail: str | None = Field(default=None, description="The same in a sentence, with what to do.")

    @classmethod
    def of(cls, device: Device | None) -> Self | None:
        """Put a device into words; None while it is looked for."""
        if device is None:
            return None
        if (failure := device.failure) is None:
            return cls(policy=device.policy, provider=device.provider)
        return cls(policy=device.policy, provider=device.provider, reason=failure.reason, detail=str(failure))


class ModelsAnswer(_Answer):
    """Every model that is served or could not be loaded."""

    default: str | None = Field(description="What POST /predict serves; null when that is not clear.")
    models: list[ModelAnswer]
    store_error: str | None = Field(default=None, description="Why the models cannot be listed just now.")
    max_upload_bytes: int = Field(description="The largest body that a request for a prediction may have.")
    device: DeviceAnswer | None = Field(
        default=None, description="Where they are computed; null while it is looked for."
    )


class HealthAnswer(_Answer):
    """Whether the process answers, or whether it should get traffic; `reason` says why not."""

    status: str
    reason: str | None = None
    device: DeviceAnswer | None = Field(default=None, description="Told by /health/ready.")
