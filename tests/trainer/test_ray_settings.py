"""The options of `--engine ray`: refused where they would be passed over, or cannot be had."""

import pytest

from trainer.bundle_files import _SETTINGS_LEFT_OUT
from trainer.ray_settings import RAY_OPTIONS, RayOptions, computed_by
from trainer.settings import TrainSettings


def settings(**values: object) -> TrainSettings:
    return TrainSettings.model_validate({"data": "pictures", **values})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("ray_address", "auto"),
        ("ray_workers", 4),
        ("ray_cpus_per_worker", 2),
        ("ray_gpus_per_worker", 1),
        ("ray_cache", "s3://bucket/features"),
    ],
)
def test_an_option_of_ray_without_its_engine_is_refused(option: str, value: object) -> None:
    flag = f"--{option.replace('_', '-')}"

    with pytest.raises(ValueError, match=f"{flag} is an option of --engine ray: add that, or leave {flag} out"):
        settings(**{option: value})
    assert settings(engine="ray", **{option: value}).engine == "ray"


def test_a_client_from_outside_is_refused_with_what_is_expected() -> None:
    with pytest.raises(ValueError, match=r"expected auto, or host:port .* not as a client"):
        settings(engine="ray", ray_address="ray://head:10001")


@pytest.mark.parametrize("place", ["/mnt/features", "features", "file://machine/features"])
def test_what_workers_write_to_is_an_address(place: str) -> None:
    with pytest.raises(ValueError, match="expected an address such as s3://bucket/features"):
        settings(engine="ray", ray_cache=place)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"provider": "cuda"}, "--provider cuda: with --engine ray the workers compute; add --ray-gpus-per-worker"),
        ({"provider": "cpu", "ray_gpus_per_worker": 1}, "--ray-gpus-per-worker: --provider cpu uses no GPU"),
        ({"precision": "int8", "ray_gpus_per_worker": 1}, "--precision int8: int8 computes on CPUs"),
    ],
)
def test_what_cannot_be_had_together_is_refused(values: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        settings(engine="ray", **values)


@pytest.mark.parametrize(
    ("values", "cpus"), [({}, 3), ({"ray_workers": 2}, 3), ({"ray_workers": 4, "ray_cpus_per_worker": 2}, 8)]
)
def test_a_cluster_of_this_machine_has_its_threads_or_what_its_workers_take(
    values: dict[str, object], cpus: int
) -> None:
    found = settings(engine="ray", threads=3, **values).ray_options

    assert found.cpus_here == cpus
    assert (found.workers, found.cpus_per_worker) == (values.get("ray_workers"), values.get("ray_cpus_per_worker", 1))
    assert settings(engine="ray", threads=3).ray_options == RayOptions(cpus_here=3)


def test_a_bundle_does_not_say_where_its_features_were_computed() -> None:
    assert set(RAY_OPTIONS) <= _SETTINGS_LEFT_OUT
    assert [computed_by(engine) for engine in ("ray", "onnxruntime", "torch")] == [
        "onnxruntime",
        "onnxruntime",
        "torch",
    ]  # type: ignore[arg-type]
