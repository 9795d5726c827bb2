"""Which model, version and label are asked for, and what they cannot do."""

import difflib
from collections.abc import Sequence

from service.errors import ServiceError
from shared.errors import FinialError

LABELS_NAMED = 8


class UnknownModel(ServiceError):
    """No model of that name is here."""

    def __init__(self, name: str, *, choices: Sequence[str]) -> None:
        known = f"choose one of {', '.join(choices)}" if choices else "no model is served yet"
        super().__init__(f"unknown model {name[:80]!r}; {known}.")


class UnknownVersion(ServiceError):
    """The model is served, but in another version."""

    def __init__(self, name: str, version: str, *, served: str) -> None:
        super().__init__(
            f"model {name[:80]!r} is served in version {served!r}, not in {version[:80]!r}. Leave the version out for "
            "the current one."
        )


class UnknownLabel(ServiceError):
    """The model has no such label."""

    def __init__(self, label: str, labels: Sequence[str]) -> None:
        near = difflib.get_close_matches(label[:80], labels[:1000], n=LABELS_NAMED, cutoff=0.5)
        named = list(dict.fromkeys([*near, *labels]))[:LABELS_NAMED]
        more = f" and {len(labels) - len(named)} more" if len(labels) > len(named) else ""
        known = ", ".join(f"{each[:80]!r}" for each in named)
        super().__init__(
            f"the model has no label {label[:80]!r}; it knows {known}{more}. Leave `label` out for the best one; "
            "GET /models lists them all."
        )


class ModelNotChosen(ServiceError):
    """There are several models and none of them is the default."""

    def __init__(self, choices: Sequence[str]) -> None:
        routes = ", ".join(f"/models/{name}/predict" for name in choices)
        super().__init__(
            f"there are {len(choices)} models and none is the default; use one of {routes}, "
            "or start with --default-model."
        )


class NoModel(ServiceError):
    """Nothing is served yet."""

    def __init__(self, *, is_loading: bool = False, store_error: str | None = None) -> None:
        if store_error is not None:
            super().__init__(f"no model is served: {store_error}")
        elif is_loading:
            super().__init__("no model is served yet, models are being loaded. Try again shortly.")
        else:
            super().__init__(
                "no model is served yet. Publish one into the models folder (`python -m trainer train DATA`); "
                "it is picked up by itself."
            )


class ModelNotLoaded(ServiceError):
    """The model is known or named by the operator, but none of its versions is loaded so far."""

    def __init__(
        self, name: str, *, failure: str | None = None, is_loading: bool = False, known: Sequence[str] = ()
    ) -> None:
        if failure is not None:
            found = f"model {name!r} could not be loaded ({failure.rstrip('.')}). It is tried again by itself"
            super().__init__(f"{found}; GET /models/{name} tells more.")
        elif is_loading:
            super().__init__(f"model {name[:80]!r} is not loaded yet. Try again shortly; GET /models tells more.")
        else:
            near = difflib.get_close_matches(name, known, n=1)
            meant = f"Did you mean {near[0]!r}? Start" if near else "Publish it; it is picked up by itself. Or start"
            super().__init__(f"model {name!r}, the default, is not there. {meant} with another --default-model.")


class VersionSwapped(FinialError):
    """The model was swapped between two runs that one version has to answer; who asks begins again."""

    def __init__(self, name: str) -> None:
        super().__init__(f"model {name!r} was swapped in the middle of a request.")


class RepositoryNotControlled(ServiceError):
    """Models are loaded and unloaded by what is published, not by requests of the Open Inference Protocol."""

    def __init__(self) -> None:
        super().__init__(
            "explicit model load / unload is not allowed: what is published into the models folder is served by "
            "itself. GET /models says what is."
        )


class ModelFailed(ServiceError):
    """The graph fails with this picture; the log has ONNX Runtime's words."""

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"model {model!r} (version {version}) fails with this picture; it was logged. It would fail again: tell "
            "the operator, who may publish another version or take the last one back."
        )
