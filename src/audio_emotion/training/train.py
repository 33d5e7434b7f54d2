"""From a corpus and a configuration to a run with a trained model; `run` describes its files."""

import logging
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from ..config import Config
from ..datasets import Corpus
from ..datasets.provenance import Provenance
from ..datasets.split import assign_splits
from ..errors import AudioError, CorpusError, StoppedError, TrainingError
from ..files import contents
from .cache import SignalCache
from .callbacks import History, Interrupt, MovingAverage, SafetensorsIO
from .checkpoints import SUFFIX
from .data import Clips, ClipsModule, Item, class_weights
from .finish import finish
from .model import (
    EmotionModel,
    TrainedModel,
    initialise,
    load_model,
)
from .module import TrainingModule
from .run import CHECKPOINTS, INIT, LAST, MODEL, TrainingData, stored_config, stored_data, write_run

BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16")  # of x86, x86, and Arm processors
FIT_CLIPS = 400  # of the training split, evenly spread, that features are normalised by
MODES = {"val_f1": "max", "val_loss": "min"}  # of what `train.monitor` names


def train(
    corpus: Corpus,
    config: Config,
    run: Path,
    *,
    resume: bool = False,
    init: TrainedModel | None = None,
    splits: Sequence[str] | None = None,
    protocol: str | None = None,
    watch: L.Callback | None = None,
    cache: SignalCache | None = None,
    trainer_options: dict[str, Any] | None = None,
) -> Path:
    """Train until the last epoch; the epoch with the best monitored score is kept.

    Args:
        corpus: labelled clips; those that cannot be decoded are left out with a warning.
        config: every setting; with `resume`, the run's own is used instead.
        run: folder to make, or to continue.
        resume: continue after the last whole epoch; on a processor to the same weights as without
            a break.
        init: a trained model to start from.
        splits: of each clip: train, val, test, or nothing for one to leave out; by default as the
            corpus states them, or at random.
        protocol: how the clips were split, in words, for readers of the model's metadata.
        watch: a callback; an error that it raises ends the training.
        cache: where decoded signals are kept.
        trainer_options: further options of Lightning's `Trainer`, such as `devices`.

    Returns:
        The path of the trained model.

    Raises:
        TrainingError: `run` exists already without `resume`, or is no run with it, or has other
            clips; or `init` is of another network or front end.
        CorpusError: the training or validation split is empty.
        StoppedError: Ctrl-C was pressed; the last whole epoch is kept.
    """
    cache = cache or SignalCache()
    config = stored_config(run) if resume else _settled(config, corpus)
    items = _items(corpus, config, splits, cache)
    data = _describe(corpus, items, protocol or _protocol(config))
    torch.manual_seed(config.train.seed)
    model = EmotionModel.build(config.architecture)
    if init and not resume:  # before a folder is made, because the weights may not fit
        initialise(model, config.architecture, init)
        data = _inherit(data, init)
    if getattr(rank_zero_only, "rank", 0) == 0:  # other processes find the run made
        _check_run(run, data, resume)
        if not resume:
            if init:
                TrainedModel(model, config.architecture, data).save(run / INIT)
            write_run(run, config, data)
    if (run / INIT).exists():
        model = load_model(run / INIT).model.train()
    elif not (run / LAST).exists():
        _fit_frontend(model, items, config, cache)
    module = TrainingModule(config, model, class_weights(config, items))
    clips = ClipsModule(items, config, cache)
    if _fit(module, clips, run, [watch] if watch else [], trainer_options or {}):
        finish(run, module, clips)  # other processes of this training leave that to this one
    return run / MODEL


def _fit(
    module: TrainingModule,
    clips: ClipsModule,
    run: Path,
    callbacks: Sequence[L.Callback],
    options: dict[str, Any],
) -> bool:
    """Train to the end; return whether this process is the one that finishes the run."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    interrupt = Interrupt()
    trainer = _trainer(run, module.config, [interrupt, *callbacks], options)
    last = run / LAST
    try:
        with interrupt.listening(), warnings.catch_warnings():
            for advice in ("does not have many workers", "isinstance.treespec", "is not empty"):
                warnings.filterwarnings("ignore", message=f".*{advice}.*")
            trainer.fit(module, clips, ckpt_path=last if last.exists() else None)
    except SystemExit as error:  # how Lightning ends on Ctrl-C
        raise StoppedError(f"{run} keeps its last whole epoch; --resume continues it") from error
    return bool(trainer.is_global_zero)


def _settled(config: Config, corpus: Corpus) -> Config:
    """Replace each `auto` by what suits machine and corpus, so that the run keeps it elsewhere."""
    settings, split = config.train, config.split
    if settings.precision == "auto":
        precision = "bf16-mixed" if computes_bf16() else "32-true"
        settings = settings.model_copy(update={"precision": precision})
    if split.by == "auto":
        stated = all(clip.speaker_id for clip in corpus.clips)
        split = split.model_copy(update={"by": "speaker" if stated else "clip"})
    return config.model_copy(update={"train": settings, "split": split})


def computes_bf16() -> bool:
    """Return whether the GPU, or without one the processor, has instructions for bf16."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return any(torch.cpu.get_capabilities().get(name) for name in BF16_INSTRUCTIONS)


def _items(
    corpus: Corpus, config: Config, splits: Sequence[str] | None, cache: SignalCache
) -> list[Item]:
    digests = corpus.digests()
    problems = _problems(corpus, digests, config, cache)
    missing = [problem for problem in problems if problem]
    if missing:
        warnings.warn(
            f"{len(missing)} unreadable clips are left out; first: {missing[0]}", stacklevel=3
        )
    kept = [n for n, problem in enumerate(problems) if not problem]
    clips, known = [corpus.clips[n] for n in kept], [digests[n] or "" for n in kept]
    assigned = (
        [splits[n] for n in kept]
        if splits
        else assign_splits(clips, known, **config.split.model_dump())
    )
    position = {name: number for number, name in enumerate(corpus.members)}
    items = [
        Item(clip, digest, split, position[clip.corpus])
        for clip, digest, split in zip(clips, known, assigned, strict=True)
        if split
    ]
    for split in ("train", "val"):
        if not any(item.split == split for item in items):
            raise CorpusError(
                f"the {split} split of {corpus.name} is empty: {len(items)} clips are too few"
            )
    return items


def _problems(
    corpus: Corpus, digests: Sequence[str | None], config: Config, cache: SignalCache
) -> list[str]:
    """Return why each clip cannot be used, or nothing; what is decoded here is cached."""
    items = [Item(c, d or "", "") for c, d in zip(corpus.clips, digests, strict=True)]
    decoded = Clips(items, config, cache)

    def problem(number: int) -> str:
        try:
            if not digests[number]:
                corpus.clips[number].digest()  # which says what is wrong
            decoded.signal(number)
        except AudioError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor() as pool:
        return list(pool.map(problem, range(len(items))))


def _protocol(config: Config) -> str:
    """Say how the clips were split, beginning with the name of the protocol it amounts to."""
    return f"{'random' if config.split.by == 'clip' else 'speakers'}, seed {config.split.seed}"


def _describe(corpus: Corpus, items: Sequence[Item], protocol: str) -> TrainingData:
    clips, digests, splits = zip(*((i.clip, i.digest, i.split) for i in items), strict=True)
    provenance = Provenance.of(clips, digests, splits)
    return TrainingData(corpus.name, corpus.licence, corpus.citation, protocol, provenance)


def _inherit(data: TrainingData, init: TrainedModel) -> TrainingData:
    """Add what the initial weights were fitted on; warn of held-back clips among those."""
    provenance = data.provenance.inheriting(init.data.provenance)
    trained = {use.digest for use in provenance.uses if use.inherited and use.split == "train"}
    for split in ("val", "test"):
        held_back = data.provenance.digests(split)
        known = len(held_back & trained)
        if known:
            warnings.warn(
                f"the initial weights were trained on {known} of the {len(held_back)} clips in the "
                f"{split} split, so its scores are optimistic",
                stacklevel=3,
            )
    return TrainingData(**{**vars(data), "provenance": provenance})


def _check_run(run: Path, data: TrainingData, resume: bool) -> None:
    if not resume:
        begun = {"data.json", INIT} if not (run / "config.yaml").exists() else set()
        if any(path.name not in begun for path in contents(run)):
            raise TrainingError(f"{run} exists already; name another folder or pass --resume")
        return
    before = stored_data(run).provenance
    if any(before.digests(s) != data.provenance.digests(s) for s in ("train", "val", "test")):
        raise TrainingError(f"{run} was started with other clips, so it cannot be resumed")


def _fit_frontend(
    model: EmotionModel, items: Sequence[Item], config: Config, cache: SignalCache
) -> None:
    training = [item for item in items if item.split == "train"]
    spread = training[:: max(1, len(training) // FIT_CLIPS)]
    clips = Clips(spread, config, cache)
    model.frontend.fit(torch.from_numpy(clips.signal(n)) for n in range(len(clips)))


def _checkpoint(run: Path, filename: str, monitor: str | None) -> ModelCheckpoint:
    """Keep one file under a fixed name: of the best score so far, or of every epoch."""
    checkpoint = ModelCheckpoint(
        run / CHECKPOINTS,
        filename=filename,
        monitor=monitor,
        mode=MODES.get(monitor or "", "min"),
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    checkpoint.FILE_EXTENSION = SUFFIX
    return checkpoint


def _trainer(
    run: Path, config: Config, callbacks: Sequence[L.Callback], options: dict[str, Any]
) -> L.Trainer:
    settings, monitor = config.train, config.train.monitor
    assert settings.precision != "auto", "see `_settled`"
    average = [MovingAverage(settings.ema_decay)] if settings.ema_decay else []
    return L.Trainer(
        max_epochs=settings.epochs,
        precision=settings.precision,
        callbacks=[
            *average,
            History(run),
            _checkpoint(run, "best", monitor),
            _checkpoint(run, "last", None),  # after best, whose record it holds
            *callbacks,
        ],
        logger=TensorBoardLogger(run, name="", version="tensorboard"),
        plugins=[SafetensorsIO()],
        use_distributed_sampler=False,  # EpochSampler shares the clips out itself
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        enable_model_summary=False,
        **options,
    )
