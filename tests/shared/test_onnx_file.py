"""ONNX file: what does not stand on its own, or runs foreign code, is refused before ONNX Runtime sees it."""

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from shared.errors import ModelRefused
from shared.onnx_file import refuse_unsafe_model

WEIGHT = numpy_helper.from_array(np.array([2.0], np.float32), "weight")


def value(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])


def graph(*nodes: NodeProto, initializers: tuple[TensorProto, ...] = (WEIGHT,)) -> GraphProto:
    return helper.make_graph(list(nodes), "graph", [value("x")], [value("y")], initializer=list(initializers))


def model(*nodes: NodeProto, initializers: tuple[TensorProto, ...] = (WEIGHT,)) -> ModelProto:
    domains = {"", *(node.domain for node in nodes)}
    return helper.make_model(
        graph(*nodes, initializers=initializers),
        opset_imports=[helper.make_opsetid(domain, 17 if domain == "" else 1) for domain in sorted(domains)],
        ir_version=8,
    )


def multiply() -> NodeProto:
    return helper.make_node("Mul", ["x", "weight"], ["y"])


def foreign() -> NodeProto:
    return helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")


def branching(*nodes: NodeProto) -> NodeProto:
    """An If whose branches hold these nodes."""
    then_branch = helper.make_graph([multiply()], "then", [], [value("y")])
    else_branch = helper.make_graph(list(nodes), "else", [], [value("y")])
    return helper.make_node("If", ["x"], ["y"], then_branch=then_branch, else_branch=else_branch)


def external(name: str = "weight") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../secret")
    return tensor


def with_attribute(attribute: AttributeProto) -> ModelProto:
    node = multiply()
    node.attribute.append(attribute)
    return model(node)


def nested(depth: int) -> ModelProto:
    node = multiply()
    for _ in range(depth):
        node = branching(node)
    return model(node)


def with_functions() -> ModelProto:
    result = model(multiply())
    result.functions.append(
        helper.make_function("own", "Twice", ["a"], ["b"], [multiply()], [helper.make_opsetid("", 17)])
    )
    return result


def with_training() -> ModelProto:
    result = model(multiply())
    result.training_info.add().algorithm.CopyFrom(graph(foreign()))
    return result


def sparse() -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(WEIGHT, numpy_helper.from_array(np.array([0], np.int64), "at"), [4])


def with_sparse_initializer() -> ModelProto:
    result = model(multiply())
    result.graph.sparse_initializer.append(sparse())
    return result


@pytest.mark.parametrize("wanted", [model(multiply()), model(branching(multiply())), nested(16)])
def test_a_model_of_standard_operators_passes(wanted: ModelProto) -> None:
    refuse_unsafe_model(wanted.SerializeToString())


def test_the_standard_domain_may_be_spelt_out() -> None:
    node = multiply()
    node.domain = "ai.onnx"

    refuse_unsafe_model(model(node).SerializeToString())


REFUSED = {
    "foreign operator": (model(foreign()), "domain 'com.microsoft'"),
    "foreign operator in a branch": (model(branching(foreign())), "domain 'com.microsoft'"),
    "foreign operator two branches down": (model(branching(branching(foreign()))), "domain 'com.microsoft'"),
    "foreign operator in a list of graphs": (
        with_attribute(helper.make_attribute("bodies", [graph(multiply()), graph(foreign())])),
        "domain 'com.microsoft'",
    ),
    "function of its own": (with_functions(), "functions or training of its own"),
    "training": (with_training(), "functions or training of its own"),
    "external weight": (model(multiply(), initializers=(external(),)), "in another file"),
    "external constant": (with_attribute(helper.make_attribute("value", external())), "in another file"),
    "external tensors": (with_attribute(helper.make_attribute("values", [WEIGHT, external()])), "in another file"),
    "sparse weight": (with_sparse_initializer(), "sparse tensors"),
    "sparse constant": (with_attribute(helper.make_attribute("sparse_value", sparse())), "sparse tensors"),
    "deep nesting": (nested(17), "deeper than 16"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_does_not_stand_on_its_own_is_refused(name: str) -> None:
    refused, why = REFUSED[name]
    with pytest.raises(ModelRefused, match=why):
        refuse_unsafe_model(refused.SerializeToString())


def test_a_location_without_the_external_flag_is_refused_and_so_is_the_flag_without_a_location() -> None:
    flag_only, location_only = external(), external()
    del flag_only.external_data[:]
    location_only.ClearField("data_location")

    for tensor in (flag_only, location_only):
        with pytest.raises(ModelRefused, match="in another file"):
            refuse_unsafe_model(model(multiply(), initializers=(tensor,)).SerializeToString())


def number(of: int) -> bytes:
    digits = b""
    while of > 127:
        digits += bytes((of & 127 | 128,))
        of >>= 7
    return digits + bytes((of,))


def field(tag: bytes, content: bytes) -> bytes:
    return tag + number(len(content)) + content


GRAPH_TAG = 7 << 3 | 2


@pytest.mark.parametrize(
    "tag",
    [number(GRAPH_TAG | 1 << 32), number(GRAPH_TAG | 1 << 34), bytes((GRAPH_TAG | 128, 128, 128, 128, 0))],
    ids=["a high bit", "another high bit", "needless digits"],
)
def test_a_graph_under_a_disguised_field_number_is_not_overlooked(tag: bytes) -> None:
    """ONNX Runtime's reader drops the bits above 32 of a field number, and runs the graph it then finds."""
    harmless = model(multiply()).SerializeToString()

    with pytest.raises(ModelRefused):
        refuse_unsafe_model(harmless + field(tag, graph(foreign()).SerializeToString()))
    with pytest.raises(ModelRefused):
        refuse_unsafe_model(field(tag, graph(foreign()).SerializeToString()))


def test_a_second_graph_is_refused() -> None:
    """Readers merge the two; nobody writes that."""
    with pytest.raises(ModelRefused, match="2 graphs"):
        refuse_unsafe_model(
            model(multiply()).SerializeToString() + field(number(GRAPH_TAG), graph(multiply()).SerializeToString())
        )


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"GIF89a", b"{}", b"\x3d", b"\x39\0\0", b"\x3b", b"\xff" * 11, bytes(99)]
)
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(ModelRefused, match="not a"):
        refuse_unsafe_model(content)


def test_a_model_that_is_cut_anywhere_is_refused_or_still_harmless() -> None:
    """Never another exception than ModelRefused."""
    whole = model(multiply(), branching(multiply())).SerializeToString()

    for cut in range(len(whole)):
        try:
            refuse_unsafe_model(whole[:cut])
        except ModelRefused:
            continue
        assert len(ModelProto.FromString(whole[:cut]).graph.node) == 2


@given(content=st.binary(max_size=300))
@settings(max_examples=500, deadline=None)
def test_garbage_is_refused_or_holds_nothing_foreign(content: bytes) -> None:
    try:
        refuse_unsafe_model(content)
        parsed = ModelProto.FromString(content)
    except (ModelRefused, DecodeError):
        return
    assert all(node.domain in ("", "ai.onnx") for node in parsed.graph.node)


@given(position=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
@settings(max_examples=300, deadline=None)
def test_a_damaged_model_that_passes_holds_nothing_foreign(position: float, byte: int) -> None:
    whole = bytearray(model(multiply(), branching(multiply())).SerializeToString())
    whole[int(position * len(whole))] = byte
    try:
        refuse_unsafe_model(bytes(whole))
        parsed = ModelProto.FromString(bytes(whole))
    except (ModelRefused, DecodeError):
        return
    assert all(node.domain in ("", "ai.onnx") for node in parsed.graph.node)
    assert all(tensor.data_location == TensorProto.DEFAULT for tensor in parsed.graph.initializer)
