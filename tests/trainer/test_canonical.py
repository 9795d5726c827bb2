"""Equal computations give equal bytes, and nothing tells where they were made."""

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from shared.onnx_file import refuse_unsafe_model
from tests.trainer.tiny_graph import tiny_graph
from trainer.canonical import canonical
from trainer.errors.features import ExportFailed

PLACE = "/home/someone/secret.py"


def talkative() -> ModelProto:
    """The tiny backbone as an exporter writes it: other names, other order, and paths wherever there is room."""
    model = ModelProto.FromString(tiny_graph())
    renames = {"pixels": "val_7", "scaled": "mul", "factor": "backbone.factor", "axes": "val_3"}
    for node in model.graph.node:
        node.name = f"node_{node.name}"
        node.doc_string = PLACE
        node.input[:] = [renames.get(name, name) for name in node.input]
        node.output[:] = [renames.get(name, name) for name in node.output]
        for attribute in node.attribute:
            attribute.doc_string = PLACE
    constants = sorted(model.graph.initializer, key=lambda tensor: tensor.name)
    del model.graph.initializer[:]
    for tensor in constants:
        model.graph.initializer.add().CopyFrom(tensor)
        model.graph.initializer[-1].name = renames[tensor.name]
    model.graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "nobody_reads_this"))
    model.graph.value_info.append(helper.make_tensor_value_info("mul", TensorProto.FLOAT, ["N", 16, 24, 3]))
    holders = (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.initializer,
        *model.graph.input,
        *model.graph.value_info,
    )
    for holder in holders:
        holder.metadata_props.add(key="stack_trace", value=PLACE)
        holder.doc_string = PLACE
    model.producer_name, model.producer_version, model.domain = "pytorch", "9.9", "somewhere"
    model.opset_import.add(domain="pkg.torch", version=1)
    return model


def test_names_order_and_notes_of_the_exporter_do_not_matter() -> None:
    plain, noisy = canonical(ModelProto.FromString(tiny_graph())), canonical(talkative())

    assert plain == noisy
    assert b"secret" not in noisy and b"nobody" not in noisy and b"torch" not in noisy


def test_the_canonical_form_of_a_canonical_form_is_itself() -> None:
    once = canonical(talkative())

    assert canonical(ModelProto.FromString(once)) == once


def test_inputs_and_outputs_keep_their_names_and_shapes() -> None:
    graph = ModelProto.FromString(canonical(talkative())).graph

    assert [value.name for value in (*graph.input, *graph.output)] == ["images", "features"]
    assert [side.dim_param or side.dim_value for side in graph.input[0].type.tensor_type.shape.dim] == ["N", 16, 24, 3]


def test_the_result_is_a_valid_model_that_may_be_served() -> None:
    model = canonical(talkative())

    onnx.checker.check_model(model, full_check=True)
    refuse_unsafe_model(model)


def test_local_functions_are_inlined() -> None:
    model = ModelProto.FromString(tiny_graph())
    body = [helper.make_node("Mul", ["x", "y"], ["z"])]
    model.functions.append(
        helper.make_function("local", "Scale", ["x", "y"], ["z"], body, [helper.make_opsetid("", 20)])
    )
    model.opset_import.add(domain="local", version=1)
    model.graph.node[1].op_type, model.graph.node[1].domain = "Scale", "local"

    assert canonical(model) == canonical(ModelProto.FromString(tiny_graph()))


def test_operators_outside_the_standard_are_refused() -> None:
    model = ModelProto.FromString(tiny_graph())
    model.graph.node[1].domain = "com.microsoft"

    with pytest.raises(ExportFailed, match=r"com\.microsoft"):
        canonical(model)


def test_control_flow_is_refused() -> None:
    model = ModelProto.FromString(tiny_graph())
    branch = helper.make_graph([], "branch", [], [])
    model.graph.node[1].CopyFrom(helper.make_node("If", ["pixels"], ["scaled"], then_branch=branch, else_branch=branch))

    with pytest.raises(ExportFailed, match="control flow"):
        canonical(model)
