"""`bench.replicas` measures the shipped configuration: only addresses and the number of servers are others."""

import difflib

from bench.replicas import CONFIGURATION, configured


def test_only_addresses_and_the_number_of_servers_are_others() -> None:
    shipped = CONFIGURATION.read_text("utf-8")

    made = configured(shipped, 18000, 18404, [9001, 9002])

    lines = difflib.ndiff(shipped.splitlines(), made.splitlines())
    changed = [line[1:].split() for line in lines if line[0] == "+"]
    assert [words[:2] for words in changed if words[0] != "http-request"] == [
        ["bind", "127.0.0.1:18000"],
        ["server", "replica-1"],
        ["server", "replica-2"],
        ["bind", "127.0.0.1:18404"],
    ]
    assert [words[-3:] for words in changed if words[0] == "http-request"] == [["ge", "2", "}"]]
    assert "server replica-2 127.0.0.1:9002\n" in made
    assert "replica-3:8000" not in made
