"""The roots of the trainer's errors, and the exit code each ends a command with. Each subject has a room in here."""

from typing import ClassVar

from shared.errors import FinialError


class TrainerError(FinialError):
    """Root of the trainer's errors. `exit_code` is what the command line ends with."""

    exit_code: ClassVar[int] = 3


class UsageError(TrainerError):
    """The command or a setting cannot be carried out as it was given."""

    exit_code: ClassVar[int] = 2


class BadData(TrainerError):
    """The pictures or their labels cannot be learned from as they are."""

    exit_code: ClassVar[int] = 3


class GateFailed(TrainerError):
    """A check that must pass before publishing did not; nothing was published."""

    exit_code: ClassVar[int] = 4
