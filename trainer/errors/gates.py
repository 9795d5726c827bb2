"""Checks that a new bundle did not pass; nothing was published."""

from trainer.errors import GateFailed


class AccuracyTooLow(GateFailed):
    """The lower bound of the accuracy's interval is below what was asked for."""

    def __init__(self, *, low: float, accuracy: float, wanted: float, n: int) -> None:
        super().__init__(
            f"accuracy {accuracy:.4f} on {n} pictures is at least {low:.4f} with 95 % confidence; --min-accuracy asks "
            f"for {wanted:.4f}. Nothing was published. Add pictures (the interval narrows) or choose another backbone."
        )


class NothingToMeasure(GateFailed):
    """--min-accuracy was asked for, but there is neither a test split nor a cross-validation."""

    def __init__(self) -> None:
        super().__init__(
            "--min-accuracy needs a test split or a cross-validation, this run has neither. Nothing was published. "
            "Give the test split a share, or add pictures."
        )


class WorseThanCurrent(GateFailed):
    """--not-worse was asked for, and the new model is worse than the current one beyond chance."""

    def __init__(self, numbers: str) -> None:
        super().__init__(
            f"the new model is worse than the current one: {numbers}; --not-worse refuses what is below 5 %. Nothing "
            "was published. Look at what changed (train --from BUNDLE tells), or publish it without --not-worse."
        )


class NothingInCommon(GateFailed):
    """--not-worse was asked for, but too little was held out both by this run and by the one that is current."""

    def __init__(
        self, version: str, *, held_out_before: int, held_out: int = 0, unknown: int = 0, n: int = 0, groups: int = 0
    ) -> None:
        reason = f"none of the {held_out_before} pictures that it held out is among the {held_out} held out now"
        if not held_out_before:
            reason = (
                "it does not say what its held-out pictures were taken for (an earlier trainer made it, or it had none)"
            )
        elif not held_out:
            reason = "this run has neither a test split nor a cross-validation"
        elif n:
            apart = f" in {groups} group{'s' * (groups > 1)}" if groups < n else ""
            reason = f"both held out only {n} picture{'s' * (n > 1)}{apart}; of fewer than 5, chance explains any loss"
        elif unknown:
            reason = f"it knows the label of none of the {unknown} pictures that both held out"
        super().__init__(
            f"--not-worse cannot compare with the current version {version}: {reason}. Nothing was published. Keep "
            "--split and --seed as they were, or publish once without --not-worse; later runs are compared with that."
        )


class CurrentUnreadable(GateFailed):
    """--not-worse was asked for, but the current bundle cannot be read."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"--not-worse cannot compare with the current version: {detail} Nothing was published. Repair it, roll "
            "back, or publish without --not-worse."
        )


class BundleFailsItsCheck(GateFailed):
    """The bundle that was just written does not pass the check that a service makes when it loads it."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"the new bundle fails its own check: {detail} Nothing was published.")
