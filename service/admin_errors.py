"""What keeps an admin verb from being done."""

from collections.abc import Sequence

from service.errors import ServiceError


class VersionNotLoadable(ServiceError):
    """The version that is asked for cannot be served; what was served is."""

    def __init__(self, model: str, version: str, reason: str) -> None:
        super().__init__(f"version {version} of {model!r} cannot be served, and nothing was changed: {reason}")


class NoEarlierVersion(ServiceError):
    """This process has served no version before the present one, or none that it did not come back from to this one."""

    def __init__(self, model: str, *, serving: str | None) -> None:
        super().__init__(
            f"of {model!r} this process knows no version to go back to from {serving or 'nothing'}: it served none "
            "before it, or left those again by a rollback or by a pin to an earlier one, and a rollback does not "
            "return to them. "
            f"Pin one by its name, or go back for good (`python -m trainer rollback {model}`)."
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


class NoSuchVersionName(ServiceError):
    """What was asked for is not called as versions are."""

    def __init__(self, model: str, found: str, *, choices: Sequence[str]) -> None:
        known = f"known of {model!r} are {', '.join(choices[:5])}" if choices else f"none of {model!r} is known yet"
        super().__init__(
            f"{found[:80]!r} is no version: one is called as its folder is, like 20260102T030405678Z-0a1b2c3d; {known}."
        )


class BodyNotTaken(ServiceError):
    """A verb that takes no body got one; ignored, it would seem to have been heard."""

    def __init__(self, verb: str) -> None:
        super().__init__(
            f'the verb {verb!r} takes no body. Leave it out; a version is named only to `pin`, as {{"version": "..."}}.'
        )
