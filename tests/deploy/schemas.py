"""Whether objects are as Kubernetes wants them, by the schemas of its releases; unknown fields are refused.

KServe and KEDA publish no schemas in a package that would be worth its weight (decision 56). Of their objects the
fields that the manifests use are described here, after the types of kserve 0.21 and KEDA's v1alpha1; what is of pods
in them is judged as Kubernetes' own.
"""

from typing import Annotated, Any, Literal

import kubernetes_validate
from jsonschema import Draft202012Validator
from kubernetes_validate.utils import all_versions, schema_contents
from pydantic import BaseModel, ConfigDict, Field
from referencing import Registry, Resource

RELEASES = tuple(dict.fromkeys(".".join(version.split(".")[:2]) for version in all_versions()))[-3:]
"""Those that are maintained, as far as the package knows: the last three."""

_PATCH_DIRECTIVE = "$patch"


def complaints(content: dict[str, Any], release: str) -> list[str]:
    """What a release of Kubernetes would refuse in an object of its own."""
    try:
        kubernetes_validate.validate(content, release, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [error.message]
    return []


def complaints_of_patch(content: dict[str, Any], release: str) -> list[str]:
    """The same of a part of an object: nothing has to be there, but what is there has to be right."""
    folder = f"kubernetes-json-schema/v{release}.0-local-strict"
    group, _, version = content["apiVersion"].rpartition("/")
    file = "-".join(part for part in (content["kind"].lower(), group.split(".")[0], version) if part)
    schema, definitions = (schema_contents(f"{folder}/{name}.json", release) for name in (file, "_definitions"))
    registry = Resource.from_contents(definitions) @ (Resource.from_contents(schema) @ Registry())
    errors = Draft202012Validator(schema, registry=registry).iter_errors(_without_directives(content))
    return [error.message for error in errors if error.validator != "required"]


def _without_directives(value: Any) -> Any:
    """Without what tells kustomize to delete; null deletes, too."""
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if key != _PATCH_DIRECTIVE and inner is not None}
        return {key: _without_directives(inner) for key, inner in kept.items()}
    return [_without_directives(inner) for inner in value] if isinstance(value, list) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(_Strict):
    """Of an object."""

    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class SupportedModelFormat(_Strict):
    """What a runtime can serve."""

    name: str
    version: str
    autoSelect: bool  # noqa: N815


class RuntimeSpec(_Strict):
    """Containers and volumes are Kubernetes' own."""

    labels: dict[str, str]
    supportedModelFormats: list[SupportedModelFormat]  # noqa: N815
    protocolVersions: list[Literal["v1", "v2", "grpc-v2"]]  # noqa: N815
    containers: list[dict[str, Any]]
    volumes: list[dict[str, Any]]


class ServingRuntime(_Strict):
    """KServe's."""

    apiVersion: Literal["serving.kserve.io/v1alpha1"]  # noqa: N815
    kind: Literal["ServingRuntime"]
    metadata: Metadata
    spec: RuntimeSpec


class ModelFormat(_Strict):
    """Of a model."""

    name: str
    version: str


class Model(_Strict):
    """What is served by which runtime."""

    modelFormat: ModelFormat  # noqa: N815
    protocolVersion: Literal["v1", "v2", "grpc-v2"]  # noqa: N815
    runtime: str
    storageUri: Annotated[str, Field(pattern=r"^(pvc|s3|gs|https?)://")]  # noqa: N815


class Predictor(_Strict):
    """Fields of a pod, and KServe's."""

    minReplicas: int  # noqa: N815
    maxReplicas: int  # noqa: N815
    scaleMetric: Literal["cpu", "memory"]  # noqa: N815
    scaleTarget: int  # noqa: N815
    enableServiceLinks: bool  # noqa: N815
    automountServiceAccountToken: bool  # noqa: N815
    terminationGracePeriodSeconds: int  # noqa: N815
    model: Model


class InferenceServiceSpec(_Strict):
    """Only a predictor: no transformer, no explainer."""

    predictor: Predictor


class InferenceService(_Strict):
    """KServe's."""

    apiVersion: Literal["serving.kserve.io/v1beta1"]  # noqa: N815
    kind: Literal["InferenceService"]
    metadata: Metadata
    spec: InferenceServiceSpec


class ScaleTarget(_Strict):
    """What has replicas."""

    apiVersion: str  # noqa: N815
    kind: str
    name: str


class PrometheusQuestion(_Strict):
    """Of the trigger `prometheus`; KEDA's values are texts."""

    serverAddress: str  # noqa: N815
    query: str
    threshold: str
    ignoreNullValues: Literal["true", "false"]  # noqa: N815


class PrometheusTrigger(_Strict):
    """Asks Prometheus."""

    type: Literal["prometheus"]
    metricType: Literal["Value", "AverageValue"]  # noqa: N815
    metadata: PrometheusQuestion


class Percentage(_Strict):
    """Of what is requested."""

    value: str


class ProcessorTrigger(_Strict):
    """As the autoscaler itself measures it."""

    type: Literal["cpu"]
    metricType: Literal["Utilization"]  # noqa: N815
    metadata: Percentage


class AutoscalerConfig(_Strict):
    """Of the autoscaler that KEDA makes; `behavior` is Kubernetes' own."""

    behavior: dict[str, Any]


class Advanced(_Strict):
    """What is rarely set."""

    horizontalPodAutoscalerConfig: AutoscalerConfig  # noqa: N815


class ScaledObjectSpec(_Strict):
    """What is scaled by what."""

    scaleTargetRef: ScaleTarget  # noqa: N815
    pollingInterval: int  # noqa: N815
    minReplicaCount: int  # noqa: N815
    maxReplicaCount: int  # noqa: N815
    triggers: list[PrometheusTrigger | ProcessorTrigger]
    advanced: Advanced


class ScaledObject(_Strict):
    """KEDA's."""

    apiVersion: Literal["keda.sh/v1alpha1"]  # noqa: N815
    kind: Literal["ScaledObject"]
    metadata: Metadata
    spec: ScaledObjectSpec


CUSTOM: dict[str, type[_Strict]] = {
    "ServingRuntime": ServingRuntime,
    "InferenceService": InferenceService,
    "ScaledObject": ScaledObject,
}
"""By kind, what is not Kubernetes' own."""


def as_pod(pod: dict[str, Any]) -> dict[str, Any]:
    """Containers and volumes of a custom object as a pod, so that Kubernetes' schemas can judge them."""
    spec = {key: pod[key] for key in ("containers", "volumes") if key in pod}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "of-a-custom-object"}, "spec": spec}


def as_autoscaler(scaled: dict[str, Any]) -> dict[str, Any]:
    """The autoscaler that KEDA makes of its object, as far as it is Kubernetes' own."""
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": scaled["metadata"]["name"]},
        "spec": {
            "scaleTargetRef": scaled["spec"]["scaleTargetRef"],
            "minReplicas": scaled["spec"]["minReplicaCount"],
            "maxReplicas": scaled["spec"]["maxReplicaCount"],
            "behavior": scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"],
        },
    }
