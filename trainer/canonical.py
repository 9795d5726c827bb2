"""The canonical form of an ONNX model: equal computations give equal bytes, and nothing tells where they were made."""

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto
from onnx.inliner import inline_local_functions

from trainer.errors.features import ExportFailed

PRODUCER = "finial"
IR_VERSION = 10


def canonical(model: ModelProto) -> bytes:
    """Serialise a model in canonical form; its inputs and outputs keep their names.

    Documentation, metadata, inferred shapes and producer are left out, functions are inlined, and nodes and tensors are
    named by their position. The exporter writes stack traces with file paths into metadata.

    Raises:
        ExportFailed: control flow or operators outside the ONNX standard.
    """
    if model.functions:
        model = inline_local_functions(model)
    graph = _rename(model.graph)
    result = ModelProto(ir_version=IR_VERSION, producer_name=PRODUCER, graph=graph)
    result.opset_import.add(domain="", version=_standard_opset(model))
    return serialise(result)


def serialise(model: ModelProto) -> bytes:
    """Equal models give equal bytes; also maps, such as metadata, are written in a fixed order."""
    return bytes(model.SerializeToString(deterministic=True))


def _rename(graph: GraphProto) -> GraphProto:
    """A copy with only what computes: nodes and constants in the order of their use, named by it."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    result = GraphProto(name=PRODUCER)
    names = {"": ""} | {value.name: value.name for value in (*graph.input, *graph.output)}
    for number, node in enumerate(graph.node):
        new = _bare(node, number)
        for position, name in enumerate(node.input):
            if name not in names:
                names[name] = f"{new.name}.{position}"
                result.initializer.append(_constant(constants[name], names[name]))
            new.input.append(names[name])
        for position, name in enumerate(node.output):
            new.output.append(names.setdefault(name, f"{new.name}:{position}"))
        result.node.append(new)
    result.input.extend(_bare_value(value) for value in graph.input)
    result.output.extend(_bare_value(value) for value in graph.output)
    return result


def _bare(node: NodeProto, number: int) -> NodeProto:
    """The node's operator and attributes, named by its position; inputs and outputs are still to be set."""
    if node.domain not in ("", "ai.onnx"):
        raise ExportFailed(f"operator {node.op_type} of domain {node.domain!r} is not part of the ONNX standard")
    bare = NodeProto(op_type=node.op_type, name=f"{node.op_type}_{number}")
    for attribute in sorted(node.attribute, key=lambda attribute: attribute.name):
        if attribute.HasField("g") or attribute.graphs:
            raise ExportFailed(f"operator {node.op_type} holds control flow, expected a plain graph")
        kept = bare.attribute.add()
        kept.CopyFrom(attribute)
        kept.ClearField("doc_string")
    return bare


def _constant(tensor: TensorProto, name: str) -> TensorProto:
    bare = TensorProto()
    bare.CopyFrom(tensor)
    for field in ("doc_string", "metadata_props"):
        bare.ClearField(field)
    bare.name = name
    return bare


def _bare_value(value: ValueInfoProto) -> ValueInfoProto:
    return ValueInfoProto(name=value.name, type=value.type)


def _standard_opset(model: ModelProto) -> int:
    return next(int(opset.version) for opset in model.opset_import if opset.domain in ("", "ai.onnx"))
