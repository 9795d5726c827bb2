"""Every error that the service raises on purpose. `problems` says which HTTP status each one is."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from shared.errors import FinialError


class ServiceError(FinialError):
    """Root of the service's errors.

    Attributes:
        headers: what its answer must say besides the problem.
    """

    headers: Mapping[str, str] = MappingProxyType({})


# --- what a client sent ---


class UnknownParameter(ServiceError):
    """A parameter that the route does not have."""

    def __init__(self, found: str, *, known: Sequence[str], meant: str | None) -> None:
        hint = f" Did you mean {meant}?" if meant else " Take it out of the address."
        super().__init__(f"the parameter {found[:80]!r} is unknown here; choose from {', '.join(known)}.{hint}")


class RepeatedParameter(ServiceError):
    """A parameter that is given several times."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the parameter {found} is given more than once, expected once. Send the one that is meant.")


class NoPicture(ServiceError):
    """The request carries nothing to classify."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"{found}; expected a picture. Send a multipart part named `file` (curl -F file=@picture.jpg URL), "
            "or the picture itself as the body with Content-Type image/jpeg."
        )


class UploadMalformed(ServiceError):
    """The multipart body cannot be taken apart."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the multipart body is not well-formed ({detail.rstrip('.')}). "
            "Let your HTTP library write body and boundary."
        )


class UnsupportedContentType(ServiceError):
    """The body is announced as something else than a picture or a form with pictures."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the body is announced as {found or 'nothing (no Content-Type)'}, expected multipart/form-data, image/* "
            "or application/octet-stream. With curl: -F file=@picture.jpg, "
            "or -H 'Content-Type: image/jpeg' --data-binary @picture.jpg."
        )


class UploadTooLarge(ServiceError):
    """More bytes of body than the limit allows; the rest was not read."""

    def __init__(self, *, found: str, max_bytes: int) -> None:
        super().__init__(
            f"the body has {found} bytes; at most {max_bytes:,} are accepted. Send a smaller picture, fewer at once, "
            "or ask the operator to raise --max-upload."
        )


class UploadTooSlow(ServiceError):
    """The body did not arrive in time, or nothing of it came for too long."""

    def __init__(self, *, waited_s: float, is_silent: bool = False) -> None:
        found = (
            f"nothing more of the body came for {waited_s:g} s"
            if is_silent
            else f"the body was not complete after {waited_s:g} s"
        )
        super().__init__(
            f"{found}. Send it again over a better line or send less, and as many bytes as Content-Length says."
        )


class TooManyUploads(ServiceError):
    """All bodies together would take more memory than they may."""

    def __init__(self, *, max_bytes: int) -> None:
        super().__init__(
            f"too many uploads at once; {max_bytes:,} bytes are held for all of them together. Try again shortly."
        )


class InferenceMalformed(ServiceError):
    """The body is no inference request of the Open Inference Protocol, or not one that this model can be asked."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the inference request cannot be used: {detail.rstrip('.')}. docs/open-inference.md has examples, "
            "GET /v2/models/NAME says what the model takes."
        )


class UnsupportedEncoding(ServiceError):
    """The body is compressed in a way that is not known here."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the body is encoded as {found[:40]!r}; expected gzip, deflate or none.")


# --- what broke HTTP itself ---


class RequestMalformed(ServiceError):
    """Not HTTP/1.1 as it is to be, or not only one thing that it can mean."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"the request cannot be understood ({detail.rstrip('.')}). Let your HTTP library write the request, "
            "and look at what stands between it and the service."
        )


class RequestBrokenOff(ServiceError):
    """The connection was closed in the middle of a request; nearly always the client is not there any more."""

    def __init__(self) -> None:
        super().__init__(
            "the request breaks off: the connection was closed before its end. Keep it open, and send as many bytes as "
            "Content-Length says."
        )


class UnsupportedHttpVersion(ServiceError):
    """Another version of HTTP."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the request is of HTTP/{found}; 1.1 and 1.0 are spoken here.")


class HeadersTooLarge(ServiceError):
    """The request's head has too many bytes; the rest was not read."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            f"request line and headers have more than {max_bytes:,} bytes. Send fewer or shorter ones (cookies?), "
            "or ask the operator to raise --max-headers."
        )


class HeadersTooSlow(ServiceError):
    """The request's head did not arrive in time."""

    def __init__(self, *, waited_s: float) -> None:
        super().__init__(f"the request's headers were not complete after {waited_s:g} s. Send them at once.")


class TooManyConnections(ServiceError):
    """As many clients as the service takes are connected."""

    def __init__(self, max_connections: int) -> None:
        super().__init__(
            f"{max_connections:,} connections are open already. Try again shortly, and use one connection for "
            "several requests; the operator may raise --max-connections."
        )


# --- which model ---


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

    def __init__(self, name: str, *, failure: str | None = None, is_loading: bool = False) -> None:
        if failure is not None:
            found = f"model {name!r} could not be loaded ({failure.rstrip('.')}). It is tried again by itself"
            super().__init__(f"{found}; GET /models/{name} tells more.")
        elif is_loading:
            super().__init__(f"model {name[:80]!r} is not loaded yet. Try again shortly; GET /models tells more.")
        else:
            super().__init__(
                f"model {name!r}, the default, is not there. Publish it; it is picked up by itself. "
                "Or start with another --default-model."
            )


class VersionSwapped(FinialError):
    """The model was swapped between two pictures that one version has to answer; who asks begins again."""

    def __init__(self, name: str) -> None:
        super().__init__(f"model {name!r} was swapped in the middle of a request.")


class RepositoryNotControlled(ServiceError):
    """Models are loaded and unloaded by what is published, not by requests of the Open Inference Protocol."""

    def __init__(self) -> None:
        super().__init__(
            "explicit model load / unload is not allowed: what is published into the models folder is served by "
            "itself. GET /models says what is."
        )


# --- where models come from ---


class StoreError(FinialError):
    """What the watcher meets where models come from. No request ever does, so that none is answered with it."""


class StoreUnreachable(StoreError):
    """Nobody answers there, or not with what was asked for."""

    def __init__(self, origin: str, detail: str) -> None:
        super().__init__(
            f"{origin}: cannot be read ({detail}). What is loaded is served on; it is asked again by itself. "
            "Check the address, the access rights and the network."
        )


class StoreClosed(StoreError):
    """The service is shutting down."""

    def __init__(self) -> None:
        super().__init__("the service is shutting down and fetches nothing more.")


class LookLate(StoreError):
    """Where models come from does not answer, and there is nobody who would break off the wait."""

    def __init__(self, origin: str, name: str, *, age_s: float, doing: str) -> None:
        super().__init__(
            f"{origin}: the last look at {name} ended {age_s:.0f} s ago (now: {doing}). What is loaded is served on. "
            "If it stays so, check the mount and the network; what hangs in a file system may need a restart."
        )


class FollowerNotStarted(StoreError):
    """The process cannot have another thread."""

    def __init__(self, names: Sequence[str], detail: str) -> None:
        super().__init__(
            f"{len(names)} models cannot be followed, {names[0]!r} the first of them ({detail}); each needs a thread. "
            "It is tried again by itself. Raise the limit of processes (a container's pids limit, ulimit -u)."
        )


class CacheTooSmall(StoreError):
    """A version is larger than what the cache folder has room for."""

    def __init__(self, origin: str, *, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"{origin}: it has {needed_bytes:,} bytes, the cache folder has room for {free_bytes:,}. "
            "Free some, or name another --cache-dir."
        )


class VersionAltered(StoreError):
    """The files of the version that is served are not those that were loaded."""

    def __init__(self, origin: str, name: str, version: str, detail: str) -> None:
        super().__init__(
            f"{origin}: the files of {name}/{version} were changed or lost after it was loaded ({detail}). A version "
            "never changes: what was loaded is served on. Publish a new version, or restore the files of this one."
        )


# --- waiting for a lane ---


class PoolError(ServiceError):
    """A lane cannot be leased."""


class TooManyWaiting(PoolError):
    """The line is full, so the caller is refused at once instead of being kept waiting."""

    def __init__(self, *, waiting: int, lanes: int, device_is_full: bool = False) -> None:
        found = "the device has as many pictures as it takes" if device_is_full else f"all {lanes} lanes are leased"
        super().__init__(f"{found} and {waiting} requests are waiting already. Try again shortly.")


class WaitTooLong(TooManyWaiting):
    """The line moves so slowly that the caller's time would pass in it, so that it is refused at once."""

    def __init__(self, *, waiting: int) -> None:
        ServiceError.__init__(
            self,
            f"{waiting} requests are waiting already, and as fast as they are answered now, the time of this one would "
            "pass before its turn. Try again shortly.",
        )


class PoolTimeout(PoolError):
    """The deadline passed before there was an answer; what has not begun to run costs nothing more."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"{detail}, so the picture was dropped. Try again, or allow more time: X-Request-Timeout-Ms in the "
            "request, up to the operator's --request-timeout-s."
        )


class PoolClosed(PoolError):
    """The service is shutting down and gives no new leases."""

    def __init__(self) -> None:
        super().__init__(
            "the service is shutting down and takes no new work. Send the request again; another one will answer."
        )


# --- what cannot be mended here ---


class ModelFailed(ServiceError):
    """The graph fails with this picture; the log has ONNX Runtime's words."""

    def __init__(self, model: str, version: str) -> None:
        super().__init__(
            f"model {model!r} (version {version}) fails with this picture; it was logged. It would fail again: tell "
            "the operator, who may publish another version or take the last one back."
        )


class RunnerBroken(ServiceError):
    """What computes has ended for good; the process is to be replaced."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"{detail}. The service must be restarted; /health/live says so too. Send the request again.")


# --- who may do what ---


class KeyMissing(ServiceError):
    """The request brings no key, and needs one."""

    headers = MappingProxyType({"WWW-Authenticate": "Bearer"})

    def __init__(self) -> None:
        super().__init__(
            "the request brings no key; expected `Authorization: Bearer KEY` or `X-Api-Key: KEY`. "
            "The operator hands keys out."
        )


class KeyUnknown(ServiceError):
    """The key is nobody's, or its time is over; which of the two is not told."""

    headers = MappingProxyType({"WWW-Authenticate": 'Bearer error="invalid_token"'})

    def __init__(self) -> None:
        super().__init__(
            "the key is not known here, or not valid any more. Look for a slip, a missing end or a stray quote; "
            "else ask the operator for another one."
        )


class KeyNotAllowed(ServiceError):
    """The key is known, but not for this."""

    def __init__(self, right: str) -> None:
        super().__init__(
            f"the key has not the right {right!r}, which this needs. Take a key that has it, or ask the operator."
        )


class AdminClosed(ServiceError):
    """No keys are in use, so nobody can be known to be an admin."""

    def __init__(self) -> None:
        super().__init__(
            "admin verbs need a key with the right 'admin', and this service was started without keys. "
            "The operator may make one (`python -m service.keys new`) and name its file by --api-keys."
        )


class RateLimited(ServiceError):
    """The key has made as many requests as it may, for now."""

    def __init__(self, *, per_minute: int, retry_after_s: int) -> None:
        self.headers = {"Retry-After": str(retry_after_s)}
        super().__init__(
            f"the key's limit is reached, which is {per_minute:,} a minute. The next request is taken in "
            f"{retry_after_s} s; spread them out, or ask the operator for more."
        )


class KeyFileError(FinialError):
    """What is wrong with the file of keys; for the operator, and never told to a client."""


class TracingUnavailable(FinialError):
    """Spans are asked for, and a package that makes them is missing."""

    def __init__(self, missing: str) -> None:
        super().__init__(
            f"--otlp-endpoint needs OpenTelemetry, and {missing!r} cannot be imported. "
            "Install it (pip install -r requirements/telemetry.txt -c requirements/tested.txt), or leave it out."
        )


class KeyFileInvalid(KeyFileError):
    """The file of keys cannot be read, or is not as it must be."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"the file of keys {path}: {detail.rstrip('.')}. Expected a line for each key, as "
            "`python -m service.keys new` writes them."
        )


class KeyNameTaken(KeyFileError):
    """There is a key of this name already."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__(
            f"{path} has a key named {name!r} already. Choose another name, or remove that one first: "
            f"python -m service.keys remove --name {name}."
        )


class KeyNameUnknown(KeyFileError):
    """There is no key of this name."""

    def __init__(self, path: Path, name: str, *, choices: Sequence[str]) -> None:
        super().__init__(f"{path} has no key named {name!r}; it has {', '.join(choices) or 'none'}.")


# --- admin verbs ---


class VersionNotLoadable(ServiceError):
    """The version that is asked for cannot be served; what was served is."""

    def __init__(self, model: str, version: str, reason: str) -> None:
        super().__init__(f"version {version} of {model!r} cannot be served, and nothing was changed: {reason}")


class NoEarlierVersion(ServiceError):
    """This process has served no version before the present one."""

    def __init__(self, model: str) -> None:
        super().__init__(
            f"of {model!r} this process has served no version before the present one. Pin one by its name, or go back "
            f"for good (`python -m trainer rollback {model}`)."
        )


class VersionFixed(ServiceError):
    """It is served beside the current version, in one version for as long as the process lives."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r} is served beside the current version by --also, and stays what it is. "
            f"Name the model itself: {name.partition('@')[0]}."
        )


class AdminBusy(ServiceError):
    """Somebody looks at the model right now, and does not come to an end."""

    def __init__(self, model: str, *, waited_s: float, doing: str) -> None:
        super().__init__(
            f"{model!r} is being looked at ({doing}), and was not free within {waited_s:g} s. Nothing was changed; "
            "try again."
        )


# --- the try-it page ---


class PageBroken(ServiceError):
    """The page's files do not fit together; the service does not start with them."""

    def __init__(self, room: str, found: str) -> None:
        super().__init__(
            f"service/page/{room}: {found}. See docs/decisions/0045-the-try-it-page.md."
        )
