"""From a run folder to one model file: waveform in, probabilities out, front end inside.

The file is the whole contract with every consumer.  Its metadata say what the samples must be,
what the numbers mean, and where the weights come from.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import onnx
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..audio import Signal, resample
from ..config import Config
from ..corpora import Corpus
from ..corpora.corpus import heard, shorten
from ..corpora.heard import all_heard
from ..errors import TrainingError
from ..evaluation.calibration import Calibration
from ..files import atomic_path
from ..version import __version__
from .checkpoints import ENDING as ENDING
from .checkpoints import load, save
from .frontend import Frontend
from .mel_power import MelPower
from .module import EmotionModule
from .networks import Network
from .quantize import CLIPS, quantize
from .run import best_of, load_weights, stored_config, stored_data

OPSET = 18
Precision = Literal["fp16", "fp32", "int8"]


class ExportedModel(nn.Module):
    """Front end, network and softmax: what the file computes.

    Beside the probabilities it says where the voice is, so that a runtime can tell whether all of
    it was heard, without trimming silence by a rule of its own.
    """

    def __init__(self, frontend: Frontend, network: Network, temperature: float = 1) -> None:
        super().__init__()
        self.frontend = frontend
        self.network = network
        self.temperature = temperature
        self.mel_power: MelPower | None = None  # the front end's own, or by matrices

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, samples)` → probabilities `(batch, classes)` and voiced extent `(batch, 2)`.

        The extent is the first voiced sample and the number of samples to the last.
        """
        extent = self.frontend.extent(waveform)
        placed = self.frontend.place(waveform, *extent, self._window(waveform.shape[1]))
        if self.mel_power is None:
            bands = self.frontend.bands(self.frontend.power(placed))
        else:
            bands = self.mel_power(placed)
        logits = self.network(*self.frontend.pictures(bands, extent[1]))
        return (logits / self.temperature).softmax(1), torch.cat(extent, 1)

    def _window(self, samples: int) -> int:
        """Samples to look at: of a signal shorter than the window no more than can matter."""
        config, past = self.frontend.config, self.network.past
        if past is None or not config.mask or config.placement != "start":
            return config.window
        far = samples + past * config.hop_length
        window: int = torch.sym_min(config.window, far)  # type: ignore[no-untyped-call]
        return window


def by_matrices(model: ExportedModel) -> ExportedModel:
    """The same model with the spectrum as a runtime is fast at it, where its frames allow that."""
    if MelPower.fits(model.frontend.config):
        model.mel_power = MelPower(model.frontend.config)
    return model


def load_model(run: Path) -> ExportedModel:
    """The best weights of a run, in evaluation mode.

    Raises:
        TrainingError: the run has no checkpoint, or one of another network.
    """
    module = EmotionModule(stored_config(run))
    load_weights(best_of(run), module)
    temperature = stored_calibration(run).temperature
    return ExportedModel(module.frontend, module.judged, temperature).eval()


def stored_calibration(run: Path) -> Calibration:
    """What the training found on its validation part; of a run that has not ended, nothing."""
    path = run / "calibration.json"
    if not path.exists():
        return Calibration()
    return Calibration(**json.loads(path.read_text(encoding="utf-8")))


def export(
    run: Path, out: Path, precision: Precision = "fp16", corpus: Corpus | None = None
) -> None:
    """Write the run's best weights as an ONNX model, atomically.

    Args:
        run: folder of a training.
        out: the model file; its folder is made.
        precision: how weights are stored; `fp16` halves the file and computes in fp32 all the same,
            `int8` computes the network in integers.
        corpus: what was trained on, for `int8`, whose ranges are taken from training clips.

    Raises:
        TrainingError: `run` is not a training with a checkpoint, or for `int8` none of its training
            clips is in `corpus`.
    """
    model = load_model(run)
    fuse_batch_norms(model.network)
    if precision == "fp16":
        round_weights(model.network)
    graph = to_onnx(by_matrices(model))
    forget_origin(graph)
    if precision == "fp16":
        store_halves(graph)
    if precision == "int8":
        graph = quantize(graph, training_signals(run, corpus))
    for key, value in metadata(run, stored_config(run), precision).items():
        graph.metadata_props.add(key=key, value=value)
    with atomic_path(out) as temporary:
        onnx.save(graph, temporary)


def export_weights(run: Path, out: Path) -> None:
    """Write the run's best weights as a checkpoint to start other trainings from, in fp16.

    Raises:
        TrainingError: `run` is not a training with a checkpoint.
    """
    model = load_model(run)
    parts = {"network": model.network, "frontend": model.frontend}
    state = {
        f"{part}.{name}": value.half() if part == "network" and value.is_floating_point() else value
        for part, module in parts.items()
        for name, value in module.state_dict().items()
    }
    labels = list(stored_config(run).labels)
    save({"state_dict": state, "labels": labels, "heard": all_heard(stored_data(run))}, out)


def training_signals(run: Path, corpus: Corpus | None) -> list[Signal]:
    """Some of the clips that a run was trained on, spread evenly, at its rate.

    Raises:
        TrainingError: none of them is in `corpus`.
    """
    data = stored_data(run)
    rate = stored_config(run).frontend.sampling_rate
    trained = heard(data["digests"]["train"])
    clips = (
        []
        if corpus is None
        else [
            clip
            for clip, digest in zip(corpus.clips, corpus.digests(), strict=True)
            if digest and shorten(digest) in trained
        ]
    )
    if not clips:
        raise TrainingError(
            "int8 needs the clips that the run was trained on, to see the ranges of its maps: "
            "name their corpus with --data"
        )
    spread = clips[:: max(1, len(clips) // CLIPS)]
    return [resample(*clip.read(), rate) for clip in spread]


def fuse_batch_norms(network: Network) -> None:
    """Each batch norm folded into the convolution before it: the same numbers in fewer steps."""
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
    """Every weight to the nearest half-precision number, so that storing it loses nothing more."""
    for parameter in network.parameters():
        parameter.copy_(parameter.half().float())


def to_onnx(model: ExportedModel) -> onnx.ModelProto:
    """The graph for any batch and any number of samples."""
    example = torch.randn(2, model.frontend.config.window) * 0.1
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    dynamic = {"waveform": {0: torch.export.Dim("batch"), 1: torch.export.Dim("samples")}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own deprecations
        program = torch.onnx.export(
            model,
            (example,),
            input_names=["waveform"],
            output_names=["probabilities", "voiced"],
            dynamic_shapes=dynamic,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    return program.model_proto


def forget_origin(graph: onnx.ModelProto) -> None:
    """Drop the exporter's notes on each node: stack traces, and with them paths of this machine."""
    for part in (graph.graph.node, graph.graph.value_info, graph.graph.initializer):
        for entry in part:
            entry.ClearField("metadata_props")
            entry.ClearField("doc_string")
    for entry in (graph.graph, *graph.graph.input, *graph.graph.output):
        entry.ClearField("metadata_props")
    graph.ClearField("metadata_props")


def store_halves(graph: onnx.ModelProto) -> None:
    """What `round_weights` rounded kept as fp16, with a cast that the runtime folds at loading.

    So nothing is lost; what else the network holds, such as the power of a floor, stays fp32.
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


def metadata(run: Path, config: Config, precision: str) -> Mapping[str, str]:
    """What a consumer, or somebody who doubts the model, wants to know; JSON where nested."""
    data = stored_data(run)
    checkpoint = load(best_of(run))
    rows: list[dict[str, float]] = next(
        (state["rows"] for state in checkpoint.get("callbacks", {}).values() if "rows" in state), []
    )
    return {
        "format": "audio-emotion-1",
        "labels": json.dumps(config.labels),
        "sampling_rate": str(config.frontend.sampling_rate),
        "win_dur": str(config.frontend.win_dur),
        "precision": precision,
        "config": config.model_dump_json(),
        "package_version": __version__,
        "exported": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "licence": f"{data['licence']} (weights learnt from {data['corpus']})",
        "training_data": json.dumps(data),
        "scores": json.dumps(rows[-1] if rows else {}),
        "calibration": json.dumps(stored_calibration(run).as_dict()),
    }
