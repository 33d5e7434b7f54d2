"""One step of training, and what is measured on the way."""

import math
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from ..config import Config
from ..evaluation import metrics
from .augmentation.batch import draw_mixup, mix, spec_augment
from .augmentation.spectral import SpectralAugment
from .augmentation.waveform import augment_waveforms
from .data import Batch
from .features.frontend import in_parts
from .model import EmotionModel

PADDED_SHARE = 0.3  # of the clips, at either end, that get some more of the silence around them
LEAST = 1e-6  # sum of factors that a loss is divided by
MASKED = -1e4  # logit of a label that a clip's corpus does not have


class TrainingModule(L.LightningModule):
    """A model with its augmentation, loss, metrics and optimiser.

    Args:
        config: every setting.
        model: what is trained.
        class_weights: `(corpora, classes)` factors of the loss; 0 for a label that clips of a
            corpus cannot have, which is then left out of their softmax.
    """

    def __init__(self, config: Config, model: EmotionModel, class_weights: Tensor) -> None:
        super().__init__()
        self.config = config
        self.model = model
        self.spectral = SpectralAugment(config.augment, config.frontend)
        self.register_buffer("class_weights", class_weights, persistent=False)
        self.register_buffer("one_hot", torch.eye(len(config.labels)), persistent=False)
        self.class_weights: Tensor
        self.one_hot: Tensor
        self.counts: dict[str, Tensor] = {}  # of each split in this epoch; see `_record`

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the step, so that a resumed training draws the same random numbers."""
        step = self.config.train.seed * 1_000_003 + self.global_step
        torch.manual_seed(step * self.trainer.world_size + self.trainer.global_rank)

    def training_step(self, batch: Batch, _: int) -> Tensor:
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            features, mask = self._augmented(batch.waveforms)
        share, partner = draw_mixup(len(features), self.config.augment.mixup)
        partner = partner.to(self.device, non_blocking=True)
        targets, factors, allowed = self.targets(batch)
        if share < 1:
            mask, allowed = mask | mask[partner], allowed | allowed[partner]
        features, targets, factors = (mix(v, share, partner) for v in (features, targets, factors))
        logits = self.model.classify(features, mask)
        loss = self.loss(logits, targets, factors, allowed)
        self._record("train", logits, batch.labels, loss)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        targets, factors, allowed = self.targets(batch)
        logits = self.model(batch.waveforms).masked_fill(~allowed, MASKED)
        self._record("val", logits, batch.labels, self.loss(logits, targets, factors, allowed))

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the epoch, of training too, once instead of in every step."""
        classes = len(self.config.labels)
        for split, counts in self.counts.items():
            total = self.trainer.strategy.reduce(counts, reduce_op="sum").cpu().numpy()
            confusion = total[:-1].reshape(classes, classes)
            scores = {
                "loss": float(total[-1] / confusion.sum()),
                "accuracy": metrics.accuracy(confusion),
                "f1": metrics.macro_f1(confusion),
            }
            for name, score in scores.items():
                self.log(f"{split}_{name}", score, prog_bar=True, sync_dist=True)
        self.counts = {}

    def configure_optimizers(self) -> Any:
        settings = self.config.train
        weights = list(self.model.network.parameters())
        groups = [
            {"params": [w for w in weights if w.ndim > 1], "weight_decay": settings.weight_decay},
            {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, settings.lr, fused=True)
        steps, warmup = int(self.trainer.estimated_stepping_batches), settings.warmup
        if math.isclose(steps * warmup, 1):  # the schedule would divide by zero
            warmup *= 1.01
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings.lr, total_steps=steps, pct_start=warmup
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def configure_gradient_clipping(self, *_: Any, **__: Any) -> None:
        """Clip here, since Lightning refuses to where the optimiser is fused."""
        if self.config.train.gradient_clip:
            nn.utils.clip_grad_norm_(
                self.model.network.parameters(), self.config.train.gradient_clip
            )

    def targets(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return one-hot labels, the factor of each clip, and the labels that its corpus has."""
        weights = self.class_weights[batch.corpora]  # (batch, classes)
        targets = self.one_hot[batch.labels]
        return targets, (targets * weights).sum(1), weights > 0

    def loss(self, logits: Tensor, targets: Tensor, factors: Tensor, allowed: Tensor) -> Tensor:
        """Return the cross entropy with targets smoothed over the allowed labels of each clip."""
        smoothing = self.config.train.label_smoothing
        even = allowed.float() / allowed.sum(1, keepdim=True).clamp(min=1)
        smoothed = targets * (1 - smoothing) + smoothing * even
        log_probabilities = logits.float().masked_fill(~allowed, MASKED).log_softmax(1)
        losses = -(smoothed * log_probabilities).sum(1)
        return (losses * factors).sum() / factors.sum().clamp(min=LEAST)  # 0 if none was trained on

    def _augmented(self, waveforms: Tensor) -> tuple[Tensor, Tensor]:
        """Return the features of changed clips, and their frame mask."""
        frontend, augment = self.model.frontend, self.config.augment
        waveforms = augment_waveforms(waveforms, augment)
        start, length = self._cropped(*frontend.extent(waveforms))
        window = round(augment.crop_dur * frontend.config.sampling_rate) or None
        placed = frontend.place(waveforms, start, length, window)
        if augment.spectral_p:
            power = torch.cat([frontend.power(few) for few in in_parts(placed)])
            hop = frontend.config.hop_length
            frames = torch.clamp(length[:, 0] // hop + 1, max=power.shape[1])
            mel_power, frames = self.spectral(power, frames)
            length = (frames[:, None] - 1) * hop
        else:
            mel_power = frontend.mel_power(placed)
        features, mask = frontend.features(mel_power, length)
        return spec_augment(features, augment), mask

    def _cropped(self, start: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Keep some silence at random, and take a random part of what is longer than a crop."""
        augment, rate = self.config.augment, self.config.frontend.sampling_rate
        if augment.padding_dur:
            most = augment.padding_dur * rate
            struck = torch.rand(2, len(start), 1, device=start.device) < PADDED_SHARE
            before, after = (torch.rand_like(struck, dtype=torch.float) * struck * most).long()
            start = start - before
            length = length + before + after
        if augment.crop_dur:
            surplus = torch.clamp(length - round(augment.crop_dur * rate), min=0)
            chance = torch.rand(surplus.shape, device=start.device)
            start = start + (chance * (surplus + 1)).long()
            length = length - surplus
        return start, length

    def _record(self, split: str, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        """Add a batch to the confusion matrix and the sum of losses, without asking a GPU."""
        truth, predicted = self.one_hot[labels], self.one_hot[logits.argmax(1)]
        confusion = (truth[:, :, None] * predicted[:, None]).sum(0)
        counts = torch.cat([confusion.flatten(), loss.detach().float()[None] * len(labels)])
        self.counts[split] = self.counts[split] + counts if split in self.counts else counts
