"""What an int8 model needs of a CPU is looked up, and never taken for granted."""

from pathlib import Path

import pytest

from shared.cpu_features import VNNI, Cpu, read_cpu
from shared.errors import RequirementMissing


def cpu_of(root: Path, line: str) -> Cpu:
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(f"processor\t: 0\nmodel name\t: flags\n{line}\n", encoding="ascii")
    return read_cpu(root)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("flags\t\t: fpu sse2 avx2 avx512f avx512_vnni", True),
        ("flags\t\t: fpu sse2 avx2 avx_vnni", True),
        ("flags\t\t: fpu sse2 avx2 avx512f", False),
        ("Features\t: fp asimd asimddp", True),
        ("Features\t: fp asimd", False),
    ],
)
def test_instructions_are_read_as_linux_tells_them(tmp_path: Path, *, line: str, expected: bool) -> None:
    assert cpu_of(tmp_path, line).has(VNNI) is expected


def test_an_unknown_cpu_meets_no_requirement(tmp_path: Path) -> None:
    """Where the system does not tell, a model that may overflow is not served; the error says so."""
    cpu = read_cpu(tmp_path)

    assert cpu.flags is None
    with pytest.raises(RequirementMissing, match="unknown"):
        cpu.require([VNNI], path=tmp_path)


def test_what_is_missing_is_named_with_what_was_found_and_what_to_do(tmp_path: Path) -> None:
    cpu = Cpu("x86_64", frozenset({"avx2"}))

    with pytest.raises(RequirementMissing, match=r"requires a CPU with vnni, found x86_64 avx2.*--precision float32"):
        cpu.require([VNNI], path=tmp_path)


def test_a_requirement_of_a_later_version_is_not_met(tmp_path: Path) -> None:
    with pytest.raises(RequirementMissing, match="fp8"):
        Cpu("x86_64", frozenset({"fp8", "avx512_vnni"})).require(["fp8"], path=tmp_path)


def test_without_requirements_every_cpu_will_do(tmp_path: Path) -> None:
    Cpu("riscv64", None).require([], path=tmp_path)


def test_cpus_of_other_kernels_are_of_another_class() -> None:
    """Int8 features of one class may not pass for those of another."""
    flags = [{"avx2"}, {"avx2", "avx_vnni"}, {"avx2", "avx512f"}, {"avx2", "avx512f", "avx512_vnni"}]

    assert len({Cpu("x86_64", frozenset(one)).instruction_class for one in flags}) == 4
    assert Cpu("x86_64", None).instruction_class == "x86_64 unknown"
