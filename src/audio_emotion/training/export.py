"""From a trained model to one model file: waveform in, probabilities out, front end inside."""

import logging
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..audio import Signal, resample
from ..datasets import Clip, Corpus
from ..datasets.provenance import FittedClips
from ..errors import TrainingError
from ..evaluation.enrolment import at_temperature
from ..evaluation.transfer import Transfer
from ..files import write_with
from ..inference.model_file import FORMAT, INPUT, OUTPUTS, ModelInfo
from ..version import __version__
from .features.mel_power import MelPower
from .features.voicing import Voicing
from .model import EmotionModel, TrainedModel, find_model, neutral_reference
from .quantize import CLIPS, quantize

OPSET = 18
Precision = Literal["fp16", "fp32", "int8"]


class ExportedModel(nn.Module):
    """What the file computes: the model, softmax, the extent of what is loud, and its voicing.

    With these two a runtime knows whether the window held all of a clip, and whether anybody
    speaks in it, without a speech detector of its own.

    Args:
        model: the trained model.
        temperature: divides the logits.
        matrices: whether to compute the spectrum by matrices, if its frames allow that; every
            runtime is fast at them.
    """

    def __init__(
        self, model: EmotionModel, temperature: float = 1, *, matrices: bool = True
    ) -> None:
        super().__init__()
        self.frontend = model.frontend
        self.network = model.network
        self.temperature = temperature
        fits = matrices and MelPower.fits(model.frontend.config)
        self.mel_power = MelPower(model.frontend.config) if fits else None
        in_order = np.arange(model.frontend.config.n_fft // 2 + 1)
        bins = self.mel_power.bins if self.mel_power else in_order
        self.voicing = Voicing(model.frontend.config, bins)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map `(batch, samples)` to probabilities, extents and voicing.

        Returns:
            Probabilities `(batch, classes)`; the first sample and the number of samples of the
            loud part, `(batch, 2)`; and `Voicing`'s score, `(batch, 1)`.
        """
        start, length = self.frontend.extent(waveform)
        placed = self.frontend.place(waveform, start, length, self._window(length))
        if self.mel_power is None:
            spectrum = self.frontend.power(placed)
            power = spectrum @ self.frontend.filters.T
        else:
            spectrum = self.mel_power.spectrum(placed)
            power = self.mel_power.bands(spectrum)
        logits = self.network(*self.frontend.features(power, length))
        first = torch.clamp(start, min=0)
        end = torch.clamp(start + length, max=waveform.shape[1])
        extent = torch.cat([first, end - first], 1)
        return (logits / self.temperature).softmax(1), extent, self.voicing(spectrum)

    def _window(self, length: Tensor) -> int:
        """Return how many samples to look at: no more than matter for the longest extent."""
        config, context = self.frontend.config, self.network.context
        if context is None or not config.uses_mask:
            return config.window
        far = length.max() + context * config.hop_length
        window: int = torch.clamp(far, max=config.window).item()  # type: ignore[assignment]
        torch._check(window >= config.n_fft)  # type: ignore[no-untyped-call]
        torch._check(window <= config.window)  # type: ignore[no-untyped-call]
        return window


def export(
    source: Path,
    out: Path,
    precision: Precision = "fp16",
    corpus: Corpus | None = None,
    transfer: Transfer | None = None,
) -> None:
    """Write a trained model as an ONNX file, atomically.

    Args:
        source: a run or a safetensors file; see `find_model`.
        out: the model file; its folder is made.
        precision: of the stored weights; `fp16` halves the file and still computes in fp32, `int8`
            computes the network in integers.
        corpus: what was trained on, for `int8`, which measures ranges on training clips, and for a
            model without a reference of enrolment, which is measured on validation clips.
        transfer: corrects the calibration for recordings of other corpora.

    Raises:
        TrainingError: `source` holds no model; or for `int8` none of its training clips is in
            `corpus`.
    """
    trained = _recalibrated(_with_reference(find_model(source), corpus), transfer)
    fuse_batch_norms(trained.model.network)
    if precision == "fp16":
        round_weights(trained.model.network)
    graph = to_onnx(ExportedModel(trained.model, trained.calibration.temperature).eval())
    remove_traces(graph)
    if precision == "fp16":
        store_halves(graph)
    if precision == "int8":
        graph = quantize(graph, training_signals(trained, corpus))
    set_metadata(graph, model_info(trained, precision))
    write_with(out, lambda temporary: onnx.save(graph, temporary))


def export_weights(
    source: Path, out: Path, corpus: Corpus | None = None, transfer: Transfer | None = None
) -> None:
    """Write a trained model as a safetensors file in fp16, to start other trainings from.

    Args as `export`.

    Raises:
        TrainingError: `source` holds no model.
    """
    trained = _recalibrated(_with_reference(find_model(source), corpus), transfer)
    trained.save(out, half=True)


def _recalibrated(trained: TrainedModel, transfer: Transfer | None) -> TrainedModel:
    if transfer is None:
        return trained
    calibration = transfer.apply(trained.calibration)
    enrolment = trained.enrolment
    if enrolment:
        temperatures = trained.calibration.temperature, calibration.temperature
        enrolment = at_temperature(enrolment, *temperatures)
        if transfer.strength is not None:
            enrolment = enrolment.model_copy(update={"strength": transfer.strength})
    return replace(trained, calibration=calibration, enrolment=enrolment)


def _with_reference(trained: TrainedModel, corpus: Corpus | None) -> TrainedModel:
    """Measure the reference of a model that was trained before there was one."""
    if trained.enrolment or corpus is None:
        return trained
    rate = trained.architecture.frontend.sampling_rate
    clips = _clips_of(trained, corpus, "val")
    enrolment = neutral_reference(trained, clips, lambda clip: resample(*clip.read(), rate))
    return replace(trained, enrolment=enrolment)


def _clips_of(trained: TrainedModel, corpus: Corpus | None, split: str) -> list[Clip]:
    """Return the clips of a split that are in `corpus`."""
    fitted = FittedClips(trained.data.provenance.compact())
    return [
        clip
        for clip, digest in (zip(corpus.clips, corpus.digests(), strict=True) if corpus else ())
        if digest and fitted.contains(split, clip, digest)
    ]


def training_signals(trained: TrainedModel, corpus: Corpus | None) -> list[Signal]:
    """Return some of the clips that a model was trained on, evenly spread, at its rate.

    Raises:
        TrainingError: none of them is in `corpus`.
    """
    clips = _clips_of(trained, corpus, "train")
    if not clips:
        raise TrainingError(
            "int8 needs clips that the model was trained on, to measure the ranges of its maps: "
            "name their corpus with --data"
        )
    rate = trained.architecture.frontend.sampling_rate
    return [resample(*clip.read(), rate) for clip in clips[:: max(1, len(clips) // CLIPS)]]


def fuse_batch_norms(network: nn.Module) -> None:
    """Fold each batch norm into the convolution before it: the same numbers in fewer steps."""
    for block in list(network.modules()):
        if not isinstance(block, nn.Sequential):
            continue
        for index, layer in enumerate(block):
            if isinstance(layer, nn.BatchNorm2d):
                convolution = block[index - 1]
                assert isinstance(convolution, nn.Conv2d)
                block[index - 1] = fuse_conv_bn_eval(convolution, layer)
                block[index] = nn.Identity()


@torch.no_grad()
def round_weights(network: nn.Module) -> None:
    """Round every weight to half precision, so that storing it as such loses nothing more."""
    for parameter in network.parameters():
        parameter.copy_(parameter.half().float())


def to_onnx(model: ExportedModel) -> onnx.ModelProto:
    """Return the graph for any batch size and any number of samples."""
    example = torch.randn(2, model.frontend.config.window) * 0.1
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    dynamic = {"waveform": {0: torch.export.Dim("batch"), 1: torch.export.Dim("samples")}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own deprecations
        program = torch.onnx.export(
            model,
            (example,),
            input_names=[INPUT],
            output_names=list(OUTPUTS),
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def remove_traces(graph: onnx.ModelProto) -> None:
    """Remove the exporter's notes on each node, which hold stack traces and local paths."""
    for part in (graph.graph.node, graph.graph.value_info, graph.graph.initializer):
        for entry in part:
            entry.ClearField("metadata_props")
            entry.ClearField("doc_string")
    for entry in (graph.graph, *graph.graph.input, *graph.graph.output):
        entry.ClearField("metadata_props")
    graph.ClearField("metadata_props")


def store_halves(graph: onnx.ModelProto) -> None:
    """Store as fp16 what `round_weights` rounded, with a cast that the runtime folds at loading.

    Other tensors of the network, such as a batch norm's statistics, stay fp32.
    """
    for tensor in list(graph.graph.initializer):
        if tensor.data_type != onnx.TensorProto.FLOAT or not tensor.name.startswith("network."):
            continue
        values = onnx.numpy_helper.to_array(tensor)
        halves = values.astype("float16")
        if (halves != values).any():
            continue
        half = onnx.numpy_helper.from_array(halves, f"{tensor.name}.half")
        cast = onnx.helper.make_node("Cast", [half.name], [tensor.name], to=onnx.TensorProto.FLOAT)
        graph.graph.initializer.remove(tensor)
        graph.graph.initializer.append(half)
        graph.graph.node.insert(0, cast)


def model_info(trained: TrainedModel, precision: str) -> ModelInfo:
    """Return what the file says about the model."""
    architecture, data = trained.architecture, trained.data
    return ModelInfo(
        format=FORMAT,
        name=architecture.name,
        labels=architecture.labels,
        sampling_rate=architecture.frontend.sampling_rate,
        win_dur=architecture.frontend.win_dur,
        precision=precision,
        calibration=trained.calibration,
        frontend=architecture.frontend.model_dump(),
        trained_on=data.corpus,
        citation=data.citation,
        licence=f"{data.licence} (weights trained on {data.corpus})",
        protocol=data.protocol,
        provenance=data.provenance.compact(),
        scores=trained.scores,
        package_version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        enrolment=trained.enrolment,
    )


def set_metadata(graph: onnx.ModelProto, info: ModelInfo) -> None:
    """Replace the metadata of a graph."""
    graph.ClearField("metadata_props")
    for key, value in info.to_metadata().items():
        graph.metadata_props.add(key=key, value=value)
