"""One step of training, and what is measured on the way."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from ..config import Config
from ..labels import EMOTIONS
from .augment import mixup, shift, spec_augment
from .frontend import Frontend
from .networks import DeepAudioEmotionCNN


class EmotionModule(L.LightningModule):
    """Front end, network, loss and optimiser of one configuration.

    Args:
        config: the whole configuration.
        class_weights: `(classes,)` factors of the loss.
    """

    def __init__(self, config: Config, class_weights: Tensor) -> None:
        super().__init__()
        self.config = config
        self.frontend = Frontend(config.frontend)
        self.network = DeepAudioEmotionCNN(config.network, config.frontend.channels)
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.class_weights: Tensor
        classes = len(EMOTIONS)
        self.scores = nn.ModuleDict(
            {
                f"{part}_scores": nn.ModuleDict(
                    {
                        "loss": MeanMetric(),
                        "accuracy": MulticlassAccuracy(classes, average="micro"),
                        "f1": MulticlassF1Score(classes, average="macro"),
                    }
                )
                for part in ("train", "val")
            }
        )

    @property
    def coarse(self) -> bool:
        """Whether this epoch looks at pictures of half the resolution along both axes.

        The network averages over the picture, so its weights serve both; see `docs/notes`.
        """
        return self.current_epoch < self.config.train.coarse_epochs

    def pictures(self, waveforms: Tensor) -> Tensor:
        """`(batch, samples)` → `(batch, channels, n_mels, frames)`, in full precision."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            pictures = self.frontend(waveforms)
            return nn.functional.avg_pool2d(pictures, 2) if self.coarse else pictures

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """A step's dropout depends on seed and step only, so a resumed training repeats it."""
        settings = self.config.train
        torch.manual_seed(settings.seed * 1_000_003 + self.global_step)
        self.network.set_dropout(self.current_epoch >= settings.dropout_from * settings.epochs)

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        waveforms, labels = batch
        pictures, targets = self._augmented(self.pictures(waveforms), labels)
        logits = self.network(pictures.contiguous(memory_format=torch.channels_last))
        loss = self._loss(logits, targets)
        self._record("train", logits, labels, loss)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        waveforms, labels = batch
        pictures = self.pictures(waveforms).contiguous(memory_format=torch.channels_last)
        logits = self.network(pictures)
        self._record("val", logits, labels, self._loss(logits, _one_hot(labels)))

    def on_validation_epoch_end(self) -> None:
        """What checkpoints are chosen by: macro F1, any fine epoch above every coarse one."""
        f1 = self.scores["val_scores"]["f1"].compute()  # type: ignore[index, operator]
        self.log("val_score", f1 - float(self.coarse), sync_dist=True)

    def configure_optimizers(self) -> Any:
        settings = self.config.train
        optimizer = torch.optim.Adam(
            self.parameters(), settings.lr, weight_decay=settings.weight_decay, fused=True
        )
        if settings.schedule == "constant":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.lr, total_steps=steps, pct_start=settings.warmup
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def _augmented(self, pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        config = self.config.augment
        frames = config.shift_dur / self.config.frontend.win_dur * pictures.shape[3]
        pictures = spec_augment(shift(pictures, round(frames)), config)
        return mixup(pictures, _one_hot(labels), config.mixup)

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross entropy with smoothed targets, each clip weighted by its class."""
        smoothing = self.config.train.label_smoothing
        smoothed = targets * (1 - smoothing) + smoothing / targets.shape[1]
        losses = -(smoothed * logits.float().log_softmax(1)).sum(1)
        weights = targets @ self.class_weights
        return (losses * weights).sum() / weights.sum()

    def _record(self, part: str, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        scores = self.scores[f"{part}_scores"]
        scores["loss"].update(loss.detach(), len(labels))  # type: ignore[index, operator]
        for name in ("accuracy", "f1"):
            scores[name].update(logits.detach().float(), labels)  # type: ignore[index, operator]
        for name in ("loss", "accuracy", "f1"):
            self.log(
                f"{part}_{name}",
                scores[name],  # type: ignore[index]
                on_step=False,
                on_epoch=True,
                prog_bar=True,
            )


def _one_hot(labels: Tensor) -> Tensor:
    return nn.functional.one_hot(labels, len(EMOTIONS)).float()
