import platform

from bench.machine import as_line, describe
from shared.cores import usable_cores


def test_a_machine_is_told_with_the_versions_of_what_is_installed() -> None:
    machine = describe("pytest", "no-such-distribution")

    assert machine["cores"] == usable_cores()
    assert "pytest" in machine["versions"]
    assert "no-such-distribution" not in machine["versions"]
    assert f"Python {platform.python_version()}" in as_line(machine)
    assert f"pytest {machine['versions']['pytest']}" in as_line(machine)
