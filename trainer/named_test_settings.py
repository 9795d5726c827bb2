"""The options of a test set that is named by itself: where it lies, and where its labels come from."""

from pydantic import Field, model_validator

from shared.settings import FinialSettings
from trainer.locations import Location


class NamedTestSettings(FinialSettings):
    """`--test`, and what is only about it."""

    test: Location | None = Field(
        None, description="A test set by itself, given as DATA is: never learned from, nor are its copies in DATA."
    )
    test_labels: str | None = Field(
        None, description="Where the labels of --test come from; default: as --labels, or a table's own."
    )

    @model_validator(mode="after")
    def _is_about_something(self) -> "NamedTestSettings":
        if self.test is None and self.test_labels is not None:
            raise ValueError(f"--test-labels {self.test_labels}: it is about a test set; name that with --test")
        return self

    def check_shares(self, shares: tuple[float, float, float], *, asked: bool) -> None:
        """Refuse a share of DATA to test on, where it was asked for beside a test set by itself.

        Raises:
            ValueError: it was.
        """
        if self.test is not None and asked and shares[2] > 0:
            raise ValueError(
                f"--split: a share of {shares[2]:g} to test on, but --test names the pictures to test on; let the "
                "third share be 0, such as 0.85,0.15,0"
            )
