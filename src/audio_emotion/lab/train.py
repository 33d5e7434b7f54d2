"""From a corpus and a configuration to a run folder with a trained network.

RUN/
  config.yaml       every setting
  data.json         corpus, licence, fingerprints of its parts, duplicates, what was heard earlier
  split.csv         clip, label, speaker, part
  calibration.json  temperature and threshold, found on the validation part
  history.csv       scores of each epoch, drawn in curves.png
  checkpoints/      last.safetensors to resume from, best.safetensors to export
      init.safetensors  the weights it began with, where it began with another run's
  tensorboard/      the same for `tensorboard --logdir`
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
import yaml
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from ..config import SOURCE_CLASS_WEIGHTS, Config
from ..corpora import Corpus
from ..corpora.corpus import duplicates, fingerprint, shorten
from ..corpora.manifest import PARTS
from ..corpora.split import parts_of, write_split
from ..errors import CorpusError, StoppedError, TrainingError
from ..evaluation.calibration import calibrate
from ..files import write_text
from .cache import SignalCache
from .checkpoints import ENDING, SafetensorsIO
from .data import Batch, Clips, ClipsModule, Item
from .earlier import earlier, warn_of
from .history import History
from .interrupt import Interrupt
from .module import EmotionModule
from .run import (
    DATA,
    begin_from,
    best_of,
    last_of,
    load_weights,
    save_weights,
    stored_config,
    stored_data,
)

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")  # of x86, x86, and Arm processors
FIT_CLIPS = 400  # of the training part, spread evenly, for the rows' mean and deviation


def train(
    corpus: Corpus,
    config: Config,
    run: Path,
    *,
    resume: bool = False,
    init: Sequence[Path] = (),
    parts: Sequence[str] | None = None,
    protocol: str | None = None,
    watch: L.Callback | None = None,
    cache: SignalCache | None = None,
    trainer_options: dict[str, Any] | None = None,
) -> Path:
    """Train until the epochs are over or the validation score (`best_by`) has stopped rising.

    Args:
        corpus: labelled clips; unreadable ones are left out with a warning.
        config: every setting; with `resume`, the run's own is used instead.
        run: folder to make, or to go on with.
        resume: go on after the last whole epoch; the weights come out as if never interrupted.
        init: other runs of the same network, or exported checkpoints, to start from the mean of.
        parts: of each clip: train, val, test, or nothing for one to leave out; else as the corpus
            states, or dealt at random.
        protocol: what the parts are, in words, for whoever reads the model's metadata.
        watch: told of every epoch; what it raises ends the training.
        cache: where decoded signals are kept.
        trainer_options: further switches of Lightning's `Trainer`, such as `devices`.

    Returns:
        The best checkpoint.

    Raises:
        TrainingError: `run` exists already without `resume`, or is no run with it, or the corpus
            is not the one it began with; or `init` holds no weights that fit, or with
            `train.epochs` 0 none at all.
        CorpusError: a part of the split is empty.
        StoppedError: Ctrl-C; the last whole epoch is kept.
    """
    cache = cache or SignalCache()
    config = stored_config(run) if resume else _settled(config)
    if not (config.train.epochs or init or resume):
        raise TrainingError("train.epochs 0 keeps the weights of --init, of which there are none")
    items = _items(corpus, config, parts)
    data = _describe(corpus, items, protocol or _dealt(config))
    torch.manual_seed(config.train.seed)
    module = EmotionModule(config, class_weights(config, items))
    if init and not resume:  # before a folder is made: the weights may not fit
        data["earlier"] = earlier(init, data)
        warn_of(data["earlier"], items)
        if config.frontend.features == "pitch":  # a picture that they may not have seen
            _fit_frontend(module, items, config, cache)
        begin_from(init, module)
    if getattr(rank_zero_only, "rank", 0) == 0:  # further processes find the run made
        _check_run(run, data, resume)
        if not resume:
            _write_run(run, config, items, data, module if init else None)
    first = run / f"init{ENDING}"
    if first.exists():
        load_weights(first, module)
    elif not last_of(run).exists():
        _fit_frontend(module, items, config, cache)
    clips = ClipsModule(items, config, cache)
    if not config.train.epochs:
        save_weights(module, best_of(run))
    elif not _fit(module, clips, run, [watch] if watch else [], trainer_options or {}):
        return best_of(run)  # another process of this training calibrates
    load_weights(best_of(run), module)
    calibration = calibrate(*val_logits(module, clips))
    write_text(run / "calibration.json", json.dumps(calibration.as_dict(), indent=2) + "\n")
    return best_of(run)


def _fit(
    module: EmotionModule,
    clips: ClipsModule,
    run: Path,
    further: Sequence[L.Callback],
    options: dict[str, Any],
) -> bool:
    """Train to the end, and say whether this process is the one that finishes the run."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # its advice is not ours
    interrupt = Interrupt()
    trainer = _trainer(run, module.config, [interrupt, *further], options)
    last = last_of(run)
    try:
        with interrupt.listening(), warnings.catch_warnings():
            for advice in ("does not have many workers", "isinstance.treespec", "is not empty"):
                warnings.filterwarnings("ignore", message=f".*{advice}.*")
            trainer.fit(module, clips, ckpt_path=last if last.exists() else None)
    except SystemExit as error:  # how Lightning ends on Ctrl-C
        raise StoppedError(f"{run} holds its last whole epoch; --resume goes on") from error
    return bool(trainer.is_global_zero)


@torch.no_grad()
def val_logits(module: EmotionModule, clips: ClipsModule) -> tuple[np.ndarray, np.ndarray]:
    """Logits `(clips, classes)` of the validation part, -inf where a corpus has no such label."""
    module.eval()
    logits, labels = [], []
    for batch in clips.val_dataloader():
        batch = Batch(*(values.to(module.device) for values in batch))
        allowed = module.class_weights[batch.corpora] > 0
        logits.append(module.logits(batch.waveforms).masked_fill(~allowed, -np.inf).cpu().numpy())
        labels.append(batch.labels.cpu().numpy())
    return np.concatenate(logits), np.concatenate(labels)


def _settled(config: Config) -> Config:
    """With the precision that suits this machine, so that the run keeps it wherever it goes on."""
    if config.train.precision != "auto":
        return config
    precision = "bf16-mixed" if computes_bf16() else "32-true"
    return config.model_copy(
        update={"train": config.train.model_copy(update={"precision": precision})}
    )


def computes_bf16() -> bool:
    """Whether the GPU, or without one the processor, has instructions for bf16."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return any(torch.cpu.get_capabilities().get(name) for name in BF16_INSTRUCTIONS)


def class_weights(config: Config, items: Sequence[Item]) -> torch.Tensor:
    """Factor of each class in the loss, `(corpora, classes)`.

    `balanced` is `clips / (classes * clips of the class)` over a corpus' training clips, as
    scikit-learn; `root` is its square root.  A class that a corpus has not, but another has, is 0.
    """
    training = [item for item in items if item.part == "train"]
    counts = np.zeros((1 + max(item.corpus for item in items), len(config.labels)), np.int64)
    np.add.at(counts, ([i.corpus for i in training], [int(i.clip.label) for i in training]), 1)
    present = np.maximum(counts, 1)
    held = np.maximum((counts > 0).sum(1, keepdims=True), 1)  # none: a corpus that only tests
    balanced = counts.sum(1, keepdims=True) / (held * present)
    wanted = config.train.class_weights
    named: dict[str, npt.ArrayLike] = {
        "none": 1.0,
        "source": SOURCE_CLASS_WEIGHTS,
        "balanced": balanced,
        "root": np.sqrt(balanced),
    }
    factors = np.broadcast_to(named[wanted] if isinstance(wanted, str) else wanted, counts.shape)
    elsewhere = (counts == 0) & (counts.sum(0) > 0)
    return torch.tensor(np.where(elsewhere, 0, factors), dtype=torch.float32)


def _items(corpus: Corpus, config: Config, parts: Sequence[str] | None) -> list[Item]:
    digests = corpus.digests()
    missing = digests.count(None)
    if missing:
        warnings.warn(f"{missing} unreadable clips are left out", stacklevel=3)
    kept = [n for n, digest in enumerate(digests) if digest is not None]
    clips, known = [corpus.clips[n] for n in kept], [digests[n] or "" for n in kept]
    dealt = [parts[n] for n in kept] if parts else parts_of(clips, known, config.split)
    number = {name: position for position, name in enumerate(corpus.members)}
    items = [
        Item(clip, digest, part, number[clip.corpus])
        for clip, digest, part in zip(clips, known, dealt, strict=True)
        if part
    ]
    for part in ("train", "val"):
        if not any(item.part == part for item in items):
            raise CorpusError(
                f"the {part} part of {corpus.name} is empty: {len(items)} clips are too few"
            )
    return items


def _dealt(config: Config) -> str:
    """How the parts were dealt, beginning with the name of the protocol it amounts to."""
    return f"{'random' if config.split.by == 'clip' else 'speakers'}, seed {config.split.seed}"


def _describe(corpus: Corpus, items: Sequence[Item], protocol: str) -> dict[str, Any]:
    parts = {name: [i.digest for i in items if i.part == name] for name in PARTS}
    speakers = {
        name: sorted({i.clip.voice for i in items if i.part == name and i.clip.voice})
        for name in parts
    }
    return {
        "corpus": corpus.name,
        "licence": corpus.licence,
        "citation": corpus.citation,
        "protocol": protocol,
        "clips": {name: len(digests) for name, digests in parts.items()},
        "fingerprint": {name: fingerprint(digests) for name, digests in parts.items()},
        # Beginnings of the clips' SHA-256, so that whoever judges the model can see what it heard.
        "digests": {name: "".join(shorten(d) for d in sorted(parts[name])) for name in parts},
        "speakers": speakers,
        "duplicates": duplicates([i.clip for i in items], [i.digest for i in items]),
    }


def _check_run(run: Path, data: dict[str, Any], resume: bool) -> None:
    if not resume:
        if run.exists() and any(run.iterdir()):
            raise TrainingError(f"{run} exists already; name another folder or pass --resume")
        return
    if stored_data(run)["fingerprint"] != data["fingerprint"]:
        raise TrainingError(f"{run} was started on other clips than these; it cannot go on")


def _write_run(
    run: Path,
    config: Config,
    items: Sequence[Item],
    data: dict[str, Any],
    begun: EmotionModule | None,
) -> None:
    """The configuration last: a folder that holds it is complete."""
    if begun:
        save_weights(begun, run / f"init{ENDING}")
    write_text(run / DATA, json.dumps(data, indent=2) + "\n")
    write_split(run / "split.csv", [(item.clip, item.part) for item in items])
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    write_text(run / "config.yaml", text)


def _fit_frontend(
    module: EmotionModule, items: Sequence[Item], config: Config, cache: SignalCache
) -> None:
    if config.frontend.normalization != "corpus":
        return
    training = [item for item in items if item.part == "train"]
    spread = training[:: max(1, len(training) // FIT_CLIPS)]
    clips = Clips(spread, config, cache, augment=False)
    module.fit(torch.from_numpy(clips[0, n][0]) for n in range(len(clips)))


def _checkpoint(run: Path, filename: str, monitor: str | None) -> ModelCheckpoint:
    """One file under a fixed name: of the best score so far, or of every epoch."""
    checkpoint = ModelCheckpoint(
        run / "checkpoints",
        filename=filename,
        monitor=monitor,
        mode="max",
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    checkpoint.FILE_EXTENSION = ENDING
    return checkpoint


def _trainer(
    run: Path, config: Config, further: Sequence[L.Callback], options: dict[str, Any]
) -> L.Trainer:
    patience = config.train.patience
    precision = config.train.precision
    assert precision != "auto", "a run has settled on one"
    return L.Trainer(
        max_epochs=config.train.epochs,
        precision=precision,
        callbacks=[
            History(run),
            EarlyStopping("val_score", mode="max", patience=patience),
            _checkpoint(run, "best", "val_score"),
            _checkpoint(run, "last", None),  # after best, whose record it holds
            *further,
        ],
        logger=TensorBoardLogger(run, name="", version="tensorboard"),
        plugins=[SafetensorsIO()],
        use_distributed_sampler=False,  # EpochSampler deals the clips itself
        num_sanity_val_steps=0,
        gradient_clip_val=config.train.gradient_clip or None,
        log_every_n_steps=1,
        enable_model_summary=False,
        deterministic=True,
        **options,
    )
