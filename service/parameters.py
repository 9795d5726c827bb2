"""What an address may say behind its question mark: parameters that the route knows, each once.

A misspelt one that is ignored is answered as if it had been heard, and nobody notices.
"""

import difflib
from collections import Counter
from urllib.parse import parse_qsl

from starlette.types import Scope

from service.request_errors import RepeatedParameter, UnknownParameter


def check_parameters(scope: Scope, *known: str) -> None:
    """Refuse what is unknown or repeated; what the values are is for the route's types.

    Raises:
        UnknownParameter, RepeatedParameter: the first that is found.
    """
    query: bytes = scope["query_string"]
    if not query:
        return
    found = Counter(name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    for name, count in found.items():
        if name not in known:
            meant = difflib.get_close_matches(name[:80], known, n=1)
            raise UnknownParameter(name, known=known, meant=meant[0] if meant else None)
        if count > 1:
            raise RepeatedParameter(name)
