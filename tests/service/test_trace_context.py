"""Which trace a request belongs to; what is malformed belongs to none."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.trace_context import TraceContext, begin_trace, parse_trace, trace_of

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
GOOD = f"00-{TRACE}-{PARENT}-01"

hexadecimal = st.text("0123456789abcdef", min_size=1)


def of_length(length: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=length, max_size=length).filter(lambda digits: set(digits) != {"0"})


def test_the_standards_own_example_is_read() -> None:
    assert parse_trace(GOOD, "congo=t61rcWkgMzE") == TraceContext(TRACE, PARENT, True, "congo=t61rcWkgMzE")


@given(of_length(32), of_length(16), st.integers(0, 255))
def test_whatever_is_well_formed_is_read(trace_id: str, parent_id: str, flags: int) -> None:
    """Of the flags only the last bit is known; the others are for later versions."""
    found = parse_trace(f"00-{trace_id}-{parent_id}-{flags:02x}")

    assert found == TraceContext(trace_id, parent_id, flags % 2 == 1)


@given(st.text(), st.text())
def test_nothing_makes_it_fail(traceparent: str, tracestate: str) -> None:
    parse_trace(traceparent, tracestate)
    found = parse_trace(GOOD, tracestate)

    assert found is not None
    assert found.tracestate.isascii()
    assert found.tracestate.isprintable()


@given(st.integers(0, 54), st.sampled_from(string.ascii_uppercase + "ghz_- é"))
def test_one_wrong_character_makes_it_none(position: int, wrong: str) -> None:
    spoilt = GOOD[:position] + wrong + GOOD[position + 1 :]

    assert (parse_trace(spoilt) is None) == (spoilt != GOOD)


@pytest.mark.parametrize(
    "malformed",
    [
        "",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT.upper()}-01",
        f"0A-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0A",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{PARENT[:-1]}-01",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}",
        f"00-{TRACE}-{PARENT}-01-",
        f"00-{TRACE}-{PARENT}-01-more",
        f"01-{TRACE}-{PARENT}-01more",
        f"00-{TRACE}-{PARENT}-01\n",
        f"{GOOD},{GOOD}",
    ],
)
def test_what_is_malformed_is_ignored(malformed: str) -> None:
    assert parse_trace(malformed) is None


@pytest.mark.parametrize("later", [f"01-{TRACE}-{PARENT}-01", f"fe-{TRACE}-{PARENT}-01-what-comes-then"])
def test_a_later_version_is_read_as_far_as_it_is_known(later: str) -> None:
    assert parse_trace(later) == TraceContext(TRACE, PARENT, True)


def test_two_parents_are_none() -> None:
    parent = (b"traceparent", GOOD.encode())

    assert trace_of([parent]) is not None
    assert trace_of([parent, parent]) is None
    assert trace_of([(b"tracestate", b"a=1")]) is None


def test_states_in_several_headers_are_one_list() -> None:
    found = trace_of(
        [(b"tracestate", b"a=1"), (b"traceparent", b" " + GOOD.encode()), (b"tracestate", b" b=2 , c@d=3")]
    )

    assert found is not None
    assert found.tracestate == "a=1,b=2,c@d=3"


@pytest.mark.parametrize(
    "state",
    [
        "a",
        "=1",
        "a=",
        "A=1",
        "a=1=2",
        "a=1,a=2",
        "a=\x07",
        "a=é",
        "a=" + "x" * 257,
        "k" * 257 + "=1",
        ",".join(f"k{n}=1" for n in range(33)),
    ],
)
def test_a_state_that_cannot_be_read_is_dropped_and_the_trace_kept(state: str) -> None:
    assert parse_trace(GOOD, state) == TraceContext(TRACE, PARENT, True)


def test_a_state_may_be_as_long_as_the_standard_says() -> None:
    state = ",".join(f"k{n}={'x' * 256}" for n in range(32))

    assert parse_trace(GOOD, state) == TraceContext(TRACE, PARENT, True, state)


def test_a_trace_that_begins_here_has_an_id_of_which_every_bit_is_drawn() -> None:
    """Samplers take the share of their ratio by its last 64 bits; those of a UUID would never be among the lowest."""
    ids = [int(begin_trace({}).trace_id, 16) for _ in range(64)]

    assert [{each >> bit & 1 for each in ids} for bit in range(128)] == [{0, 1}] * 128


def test_a_trace_that_is_there_is_gone_on_with() -> None:
    scope: dict[str, object] = {}

    assert begin_trace(scope) is begin_trace(scope)
