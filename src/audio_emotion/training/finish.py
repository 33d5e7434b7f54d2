"""The end of a training: the best epoch, with what only validation clips can say about it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..evaluation.calibration import calibrate, spare_bias
from .data import SINGLE_LABEL_RECALL, Batch, Clips, ClipsModule, Item
from .model import TrainedModel, load_best, neutral_reference
from .module import TrainingModule
from .run import MODEL


def finish(run: Path, module: TrainingModule, clips: ClipsModule) -> None:
    """Make the trained model of a run from its best epoch and the validation clips."""
    best = load_best(run)
    module.model.load_state_dict(best.model.state_dict())
    logits, labels, corpora = val_logits(module, clips)
    network = best.model.network
    for label, bias in biases(clips.items, logits, labels, corpora).items():
        logits[:, label] -= bias
        network.get_parameter(f"{network.last_layer}.bias").data[label] -= bias
    calibration = calibrate(logits, labels)
    done = TrainedModel(best.model, best.architecture, best.data, calibration, best.scores)
    number = {item.clip: n for n, item in enumerate(clips.items) if item.split == "val"}
    decoded = Clips(clips.items, module.config, clips.cache)
    enrolment = neutral_reference(done, number, lambda clip: decoded.signal(number[clip]))
    replace(done, enrolment=enrolment).save(run / MODEL)


def biases(
    items: Sequence[Item], logits: np.ndarray, labels: np.ndarray, corpora: np.ndarray
) -> dict[int, float]:
    """Return what is taken from the logit of each label that is all that a corpus has.

    Nothing in such a corpus says when its label is wrong, so a network learns the corpus rather
    than the label, and gives that to whatever is unlike the other corpora.  What its own clips can
    spare is taken away again.
    """
    found: dict[int, set[int]] = {}
    for item in items:
        found.setdefault(item.corpus, set()).add(int(item.clip.label))
    single = [corpus for corpus, own in found.items() if len(own) == 1 and len(found) > 1]
    mine = np.isin(corpora, single)
    return {
        int(label): spare_bias(logits[mine & (labels == label)], label, SINGLE_LABEL_RECALL)
        for label in np.unique(labels[mine])
    }


@torch.no_grad()
def val_logits(
    module: TrainingModule, clips: ClipsModule
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logits `(clips, classes)`, and label and corpus of each clip, `(clips,)`.

    Logits are -inf for labels that a corpus lacks.  Clips with a label that their corpus was not
    trained on are left out.
    """
    module.eval()
    logits, labels, corpora = [], [], []
    for batch in clips.val_dataloader():
        batch = Batch(*(values.to(module.device) for values in batch))
        _, _, allowed = module.targets(batch)
        known = allowed.gather(1, batch.labels[:, None])[:, 0]
        found = module.model(batch.waveforms).masked_fill(~allowed, -np.inf)
        logits.append(found[known].cpu().numpy())
        labels.append(batch.labels[known].cpu().numpy())
        corpora.append(batch.corpora[known].cpu().numpy())
    return np.concatenate(logits), np.concatenate(labels), np.concatenate(corpora)
