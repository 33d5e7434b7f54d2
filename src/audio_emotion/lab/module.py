"""One step of training, and what is measured on the way."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from ..config import Config
from .augment import draw_mixup, mix, shift, spec_augment
from .data import Batch
from .floored import Floored
from .frontend import AT_ONCE, Frontend
from .networks import Network, make_network, members
from .spectral import SpectralAugment

MARGIN_SHARE = 0.3  # of the clips that keep some of the quiet at their ends
WARM_STEPS = 10  # over which the running mean of the weights forgets the first ones
NEVER = -1e4  # logit of a label that a clip's corpus does not have


class EmotionModule(L.LightningModule):
    """Front end, network, loss and optimiser of one configuration.

    Args:
        config: the whole configuration.
        class_weights: `(corpora, classes)` factors of the loss; 0 for a label that clips of a
            corpus cannot have, which is then left out of their softmax.
    """

    def __init__(self, config: Config, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self.config = config
        self.frontend = Frontend(config.frontend)
        self.spectral = SpectralAugment(config.augment, config.frontend)
        self.network = make_network(config.network, config.frontend, len(config.labels))
        self.average = copy.deepcopy(self.network) if config.train.average else None
        if self.average:
            self.average.requires_grad_(False)
        classes = len(config.labels)
        factors = torch.ones(1, classes) if class_weights is None else class_weights
        self.register_buffer("class_weights", factors, persistent=False)
        self.class_weights: Tensor
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
    def judged(self) -> Network:
        """The network that is validated and exported: the running mean where one is kept."""
        return self.average or self.network

    def fit(self, waveforms: Iterable[Tensor]) -> None:
        """Let the front end take its statistics of training clips, each `(samples,)`."""
        self.frontend.fit(waveforms)
        for layer in self.modules():
            if isinstance(layer, Floored):
                layer.scale(self.frontend)

    @property
    def coarse(self) -> bool:
        """Whether this epoch looks at pictures of half the resolution along both axes.

        The network averages over the picture, so its weights serve both; see `docs/notes`.
        """
        return self.current_epoch < self.config.train.coarse_epochs

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """A step's chances depend on seed and step only, so a resumed training repeats them."""
        settings = self.config.train
        torch.manual_seed(settings.seed * 1_000_003 + self.global_step)
        self.network.set_dropout(self.current_epoch >= settings.dropout_from * settings.epochs)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            pictures, counted = self._augmented(batch.waveforms)
        return torch.stack(
            [self._learn(member, pictures, counted, batch) for member in members(self.network)]
        ).sum()

    def _learn(self, network: Network, pictures: Tensor, counted: Tensor, batch: Batch) -> Tensor:
        """Loss of a network that stands alone; each member of a committee mixes clips its way."""
        share, partner = draw_mixup(len(pictures), self.config.augment.mixup)
        partner = partner.to(self.device)
        targets, factors, allowed = self._targets(batch)
        if share < 1:
            counted, allowed = counted | counted[partner], allowed | allowed[partner]
        mixed = [mix(values, share, partner) for values in (pictures, targets, factors)]
        logits = network(mixed[0].contiguous(memory_format=torch.channels_last), counted)
        loss = self._loss(logits, mixed[1], mixed[2], allowed)
        self._record("train", logits, batch.labels, loss)
        return loss

    @torch.no_grad()
    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """The running mean of weights and of the batch norms' statistics follows."""
        if not self.average:
            return
        step = self.global_step
        share = 1 - min(self.config.train.average, (1 + step) / (WARM_STEPS + step))
        new = self.network.state_dict()
        for name, value in self.average.state_dict().items():
            value.lerp_(new[name], share) if value.is_floating_point() else value.copy_(new[name])

    def validation_step(self, batch: Batch, _: int) -> None:
        targets, factors, allowed = self._targets(batch)
        logits = self.logits(batch.waveforms).masked_fill(~allowed, NEVER)
        self._record("val", logits, batch.labels, self._loss(logits, targets, factors, allowed))

    def logits(self, waveforms: Tensor) -> Tensor:
        """`(batch, samples)` → what the judged network makes of them, `(batch, classes)`."""
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            pictures, counted = self._shrunk(*self.frontend(waveforms))
        logits: Tensor = self.judged(
            pictures.contiguous(memory_format=torch.channels_last), counted
        )
        return logits.float()

    def on_validation_epoch_end(self) -> None:
        """What checkpoints are chosen by, the higher the better; a fine epoch beats any coarse."""
        scores: Any = self.scores["val_scores"]
        by_f1 = self.config.train.best_by == "macro_f1"
        score = scores["f1"].compute() if by_f1 else (-scores["loss"].compute()).exp()
        self.log("val_score", score - float(self.coarse), sync_dist=True)  # both within 0 and 1

    def configure_optimizers(self) -> Any:
        settings = self.config.train
        weights = list(self.network.parameters())
        groups = [
            {"params": [w for w in weights if w.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, settings.lr, fused=not settings.gradient_clip)
        if settings.schedule == "constant":
            return optimizer
        epochs = settings.coarse_epochs or settings.epochs
        schedule = self._cycle(optimizer, settings.lr, epochs)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def on_train_epoch_start(self) -> None:
        """The first epoch at full size begins a cycle of its own; see `docs/notes`."""
        settings = self.config.train
        if settings.schedule == "constant" or not settings.coarse_epochs:
            return
        if self.current_epoch == settings.coarse_epochs:
            [optimizer], [entry] = self.trainer.optimizers, self.trainer.lr_scheduler_configs
            left = settings.epochs - settings.coarse_epochs
            entry.scheduler = self._cycle(optimizer, settings.fine_lr, left)

    def _cycle(
        self, optimizer: torch.optim.Optimizer, lr: float, epochs: int
    ) -> torch.optim.lr_scheduler.OneCycleLR:
        """Up to `lr` and down again within so many epochs."""
        settings = self.config.train
        steps = int(self.trainer.estimated_stepping_batches) * epochs // settings.epochs
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer, lr, total_steps=steps, pct_start=settings.warmup
        )

    def _augmented(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures of changed clips, and their frames that count."""
        frontend, augment = self.frontend, self.config.augment
        start, length = self._cropped(*frontend.extent(waveforms), waveforms.shape[1])
        window = min(frontend.config.window, int(length.max())) if augment.crop_dur else None
        placed = frontend.place(waveforms, start, length, window)
        if augment.spectral_p:
            power = torch.cat([frontend.power(few) for few in torch.split(placed, AT_ONCE)])
            hop = frontend.config.hop_length
            frames = torch.clamp(length[:, 0] // hop + 1, max=power.shape[1])
            bands, frames = self.spectral(power, frames)
            length = (frames[:, None] - 1) * hop
        else:
            bands = frontend.mel_power(placed)
        pictures, counted = self._shrunk(*frontend.pictures(bands, length))
        steps = augment.shift_dur / frontend.config.win_dur * pictures.shape[3]
        return spec_augment(shift(pictures, round(steps)), augment), counted

    def _cropped(self, start: Tensor, length: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """At times more than the voice, and of what is longer than the crop a random part."""
        augment, rate = self.config.augment, self.config.frontend.sampling_rate
        if augment.margin_dur:
            most = augment.margin_dur * rate
            struck = torch.rand(2, len(start), 1, device=start.device) < MARGIN_SHARE
            before, after = (torch.rand_like(struck, dtype=torch.float) * struck * most).long()
            end = torch.clamp(start + length + after, max=samples)
            start = torch.clamp(start - before, min=0)
            length = end - start
        if augment.crop_dur:
            surplus = torch.clamp(length - round(augment.crop_dur * rate), min=0)
            chance = torch.rand(surplus.shape, device=start.device)
            start = start + (chance * (surplus + 1)).long()
            length = length - surplus
        return start, length

    def _shrunk(self, pictures: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
        if not self.coarse:
            return pictures, counted
        return nn.functional.avg_pool2d(pictures, 2), counted[:, 1::2]

    def _targets(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """One-hot labels, the factor of each clip, and the labels that its corpus has."""
        weights = self.class_weights[batch.corpora]  # (batch, classes)
        targets = nn.functional.one_hot(batch.labels, len(self.config.labels)).float()
        return targets, (targets * weights).sum(1), weights > 0

    def _loss(self, logits: Tensor, targets: Tensor, factors: Tensor, allowed: Tensor) -> Tensor:
        """Cross entropy with targets smoothed over the allowed labels, weighted by clip."""
        smoothing = self.config.train.label_smoothing
        even = allowed.float() / allowed.sum(1, keepdim=True)
        smoothed = targets * (1 - smoothing) + smoothing * even
        log_probabilities = logits.float().masked_fill(~allowed, NEVER).log_softmax(1)
        losses = -(smoothed * log_probabilities).sum(1)
        return (losses * factors).sum() / factors.sum()

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
