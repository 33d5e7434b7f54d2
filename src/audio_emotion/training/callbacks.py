"""What Lightning calls: checkpoints, the moving average, the table of epochs, a clean Ctrl-C."""

import csv
import io
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

from ..files import write_text, write_with
from .checkpoints import load, save

COLUMNS = (
    "epoch", "seconds", "lr",
    "train_loss", "train_accuracy", "train_f1",
    "val_loss", "val_accuracy", "val_f1",
)  # fmt: skip
WARM_STEPS = 10  # over which the moving average forgets the first weights


class SafetensorsIO(CheckpointIO):
    """Lightning's checkpoints as safetensors files."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, *_: Any, **__: Any) -> None:
        save(checkpoint, Path(path))

    def load_checkpoint(self, path: Any, *_: Any, **__: Any) -> dict[str, Any]:
        return load(Path(path))

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


class MovingAverage(WeightAveraging):
    """Lightning's exponential moving average of weights, with a short memory at first.

    Validation and checkpoints use the averaged weights.

    Args:
        decay: of the average after many steps, in (0, 1).
    """

    def __init__(self, decay: float) -> None:
        super().__init__()
        self.decay = decay

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Keep the average where the weights will be, which Lightning moves there later."""
        self._device = trainer.strategy.root_device
        super().setup(trainer, pl_module, stage)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        """Update all weights at once, and without asking the GPU for the number of updates."""
        if trainer.global_step == self._latest_update_step:  # gradients are being accumulated
            return
        assert self._average_model
        average = self._average_model.module
        pairs = [
            pair
            for kind in ("parameters", "buffers")
            for pair in zip(getattr(average, kind)(), getattr(pl_module, kind)(), strict=True)
        ]
        move([(a.data, b.data) for a, b in pairs], trainer.global_step - 1, self.decay)
        self._average_model.n_averaged += 1
        self._latest_update_step = trainer.global_step


def move(pairs: list[tuple[Tensor, Tensor]], updates: int, decay: float) -> None:
    """Move each first tensor towards the second; one that is not of floats becomes equal."""
    weight = 1 - min(decay, (2 + updates) / (1 + WARM_STEPS + updates)) if updates else 1.0
    floats = [pair for pair in pairs if pair[0].is_floating_point()]
    others = [pair for pair in pairs if not pair[0].is_floating_point()]
    torch._foreach_lerp_([a for a, _ in floats], [b for _, b in floats], weight)
    torch._foreach_copy_([a for a, _ in others], [b for _, b in others])


class History(L.Callback):
    """The scores of each epoch, as `history.csv`, `curves.png` and a line on the terminal.

    The rows are part of the checkpoint, so a resumed training continues the same table.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        self._began = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._began = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Runs after the epoch's validation, and before the checkpoint is written."""
        scores = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch + 1,
            "seconds": round(time.monotonic() - self._began, 1),
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            **{name: round(scores[name], 5) for name in COLUMNS[3:] if name in scores},
        }
        self.rows.append(row)
        if trainer.is_global_zero:
            write_text(self.folder / "history.csv", table(self.rows))
            write_with(self.folder / "curves.png", lambda path: draw(self.rows, path))
            print(_line(row, trainer.max_epochs or 0), flush=True)


def table(rows: list[dict[str, float]]) -> str:
    """Return `rows` as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """Draw loss, accuracy and macro F1 over the epochs as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, score = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    for split, colour in [("train", "tab:blue"), ("val", "tab:orange")]:
        loss.plot(epochs, [row[f"{split}_loss"] for row in rows], color=colour, label=split)
        for name, style in [("accuracy", "-"), ("f1", "--")]:
            values = [100 * row[f"{split}_{name}"] for row in rows]
            score.plot(epochs, values, style, color=colour, label=f"{split} {name}")
    for axes, title in [(loss, "loss"), (score, "accuracy and macro F1, %")]:
        axes.set(xlabel="epoch", title=title)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def _line(row: dict[str, float], epochs: int) -> str:
    left = (epochs - row["epoch"]) * row["seconds"] / 60
    scores = " ".join(
        f" {split} loss {row[f'{split}_loss']:.3f} accuracy {row[f'{split}_accuracy']:.3f} "
        f"f1 {row[f'{split}_f1']:.3f}"
        for split in ("train", "val")
    )
    return (
        f"epoch {row['epoch']:.0f}/{epochs}  {row['seconds']:.0f} s {scores}  {left:.0f} min left"
    )


class Interrupt(L.Callback):
    """Remembers Ctrl-C until the next batch begins; a second one stops the training at once.

    A `KeyboardInterrupt` that is raised inside a destructor, or in another call whose errors Python
    only prints, is lost, and the training would continue.
    """

    def __init__(self) -> None:
        self.pressed = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take over Ctrl-C inside the block; signals reach the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._press)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def on_train_batch_start(self, *_: Any) -> None:
        """Stop here if Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt

    on_validation_batch_start = on_train_batch_start  # type: ignore[assignment]

    def _press(self, *_: Any) -> None:
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True
