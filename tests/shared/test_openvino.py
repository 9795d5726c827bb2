"""What OpenVINO is told when a model is opened on it."""

import json

from shared.openvino import openvino_options


def test_a_wide_session_has_all_cores_for_one_run_and_a_narrow_one_a_core_for_each() -> None:
    """OpenVINO computes on threads of its own: with one stream, a second caller would wait though its core is free."""
    wide, narrow = (
        json.loads(openvino_options(threads=threads, runs=runs, input_name="x", one_picture=(1, 2))["load_config"])[
            "CPU"
        ]
        for threads, runs in ((4, 1), (1, 4))
    )

    assert (wide["NUM_STREAMS"], wide["INFERENCE_NUM_THREADS"]) == (1, 4)
    assert (narrow["NUM_STREAMS"], narrow["INFERENCE_NUM_THREADS"]) == (4, 4)


def test_it_rounds_to_nothing_coarser_than_the_head_was_fitted_on() -> None:
    """By default a processor that has bfloat16 computes with 8 bits of mantissa."""
    options = openvino_options(threads=1, runs=1, input_name="images", one_picture=(1, 224, 224, 3))

    assert json.loads(options["load_config"])["CPU"]["INFERENCE_PRECISION_HINT"] == "f32"
    assert options["reshape_input"] == "images[1,224,224,3]"
