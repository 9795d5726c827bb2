"""What a search says of itself: every recipe that was tried, with its numbers, and why one was taken."""

from trainer.progress import Progress
from trainer.recipe_search import Searched


def tell_searched(searched: Searched, progress: Progress) -> None:
    """A line for each recipe that was tried; nothing where there was nothing to choose."""
    for one in searched.tried:
        mark = "*" if one.chosen else " "
        progress.say(
            f"{mark} {one.name}: accuracy {one.accuracy:.3f}, log loss {one.log_loss:.4f}, "
            f"{one.difference:+.4f} ± {one.difference_error:.4f}, work {one.cost:.2g}, {one.seconds:.1f} s: "
            f"{one.reason}",
            **one.as_json(),
        )
    if searched.tried:
        progress.say(f"Recipe: {searched.name}.", recipe=searched.name)
