"""What keeps an admin verb from being done."""

from service.errors import ServiceError


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
