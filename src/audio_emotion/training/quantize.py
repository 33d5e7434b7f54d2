"""Weights and activations as 8-bit integers, with ranges measured on training clips.

ONNX Runtime's static quantisation with explicit quantise and dequantise nodes.  The network is
quantised, the front end is not: the logarithm of a rounded power would be a step function.
"""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from ..audio import Signal

CLIPS = 200  # of the training split, which are enough to measure the ranges
KINDS = {"Conv", "Gemm", "MatMul"}


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Signals one by one, as inputs of the graph."""

    def __init__(self, signals: Sequence[Signal]) -> None:
        self.signals: Iterator[Signal] = iter(signals)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next input, or None after the last, as the library expects."""
        signal = next(self.signals, None)
        return None if signal is None else {"waveform": signal[None]}


def quantize(graph: onnx.ModelProto, signals: Sequence[Signal]) -> onnx.ModelProto:
    """Return `graph` with its network in 8-bit integers.

    Args:
        graph: as `export.to_onnx` makes it, in fp32.
        signals: training clips at the model's rate, each `(samples,)`.
    """
    with tempfile.TemporaryDirectory() as name:
        plain, prepared, small = (Path(name) / f"{n}.onnx" for n in ("plain", "prepared", "small"))
        onnx.save(graph, plain)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(small),
            Reader(signals),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            calibrate_method=CalibrationMethod.MinMax,
            nodes_to_quantize=network_nodes(onnx.load(prepared)),
        )
        return onnx.load(small)


def network_nodes(graph: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that multiply by a weight of the network."""
    return [
        node.name
        for node in graph.graph.node
        if node.op_type in KINDS and any(name.startswith("network.") for name in node.input)
    ]
