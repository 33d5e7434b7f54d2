"""What each epoch measured, kept in the checkpoint, drawn and written after every epoch."""

from __future__ import annotations

import csv
import io
import time
from pathlib import Path
from typing import Any

import lightning as L

from ..files import write_text, write_with

COLUMNS = (
    "epoch", "seconds", "lr",
    "train_loss", "train_accuracy", "train_f1",
    "val_loss", "val_accuracy", "val_f1",
)  # fmt: skip


class History(L.Callback):
    """Rows of scores, as `history.csv`, `curves.png` and a line on the terminal.

    The rows are part of the checkpoint, so a resumed training goes on with the same table.
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
    """`rows` as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """Loss, and accuracy with macro F1, over the epochs, as a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    loss, score = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in rows]
    for part, colour in [("train", "tab:blue"), ("val", "tab:orange")]:
        loss.plot(epochs, [row[f"{part}_loss"] for row in rows], color=colour, label=part)
        for name, style in [("accuracy", "-"), ("f1", "--")]:
            values = [100 * row[f"{part}_{name}"] for row in rows]
            score.plot(epochs, values, style, color=colour, label=f"{part} {name}")
    for axes, title in [(loss, "loss"), (score, "accuracy and macro F1, %")]:
        axes.set(xlabel="epoch", title=title)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def _line(row: dict[str, float], epochs: int) -> str:
    left = (epochs - row["epoch"]) * row["seconds"] / 60
    parts = " ".join(
        f" {part} loss {row[f'{part}_loss']:.3f} accuracy {row[f'{part}_accuracy']:.3f} "
        f"f1 {row[f'{part}_f1']:.3f}"
        for part in ("train", "val")
    )
    return f"epoch {row['epoch']:.0f}/{epochs}  {row['seconds']:.0f} s {parts}  {left:.0f} min left"
