"""Clips as batches: decoded once, in an order that depends on the seed."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Self

import lightning as L
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..audio import Signal, resample
from ..config import Config
from ..datasets import Clip
from .cache import FULL_SCALE, SignalCache, to_pcm

REFERENCE_CLASS_WEIGHTS = (1.3, 1.0, 2.0, 3.5, 1.0, 1.5, 2.0, 1.0)  # in the order of EMOTIONS
SINGLE_LABEL_WEIGHT = 0.5  # of a clip in the loss, where a clip of another corpus counts about 1
SINGLE_LABEL_RECALL = 0.92  # of its validation clips; more of them costs corpora left out
DEVICE_SHARE = 0.25  # of a GPU's free memory that a split's signals take at most
AT_ONCE = 1000  # clips decoded before it is asked whether they still fit
EPOCH, CORPUS = 0, 1  # streams of random numbers that never share a draw
MAIN_SHARE = 2  # of a batch, times what the root of its size gives the main corpus


class Batch(NamedTuple):
    """What a training step takes."""

    waveforms: Tensor  # (batch, samples)
    labels: Tensor  # (batch,)
    corpora: Tensor  # (batch,), counted from 0, the main corpus


@dataclass(frozen=True)
class Item:
    """A clip, the digest of its content, and its split."""

    clip: Clip
    digest: str
    split: str
    corpus: int = 0  # position among the corpora trained on together


class Clips(Dataset[tuple[Signal, int, int]]):
    """Signals at the model's rate, with label and corpus."""

    def __init__(self, items: Sequence[Item], config: Config, cache: SignalCache) -> None:
        self.items = items
        self.config = config
        self.cache = cache

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, number: int) -> tuple[Signal, int, int]:
        item = self.items[number]
        return self.signal(number), int(item.clip.label), item.corpus

    def signal(self, number: int) -> Signal:
        """Return the signal of a clip, decoded once and then read from the cache."""
        item, rate = self.items[number], self.config.frontend.sampling_rate
        return self.cache.get(
            item.digest, {"sampling_rate": rate}, lambda: resample(*item.clip.read(), rate)
        )


class EpochSampler(Sampler[int]):
    """Items in an order that depends on seed and epoch only, shared among the ranks.

    Each corpus gives clips by the root of its size, the first corpus twice as many.  Its clips come
    in one random order after another, so each comes equally often.

    Args:
        corpora: of each item; 0 is the main corpus.
        seed: of the order.
        clips: in an epoch; 0: as many as there are items.
        rank: of this process.
        ranks: number of processes.
    """

    def __init__(
        self, corpora: Sequence[int], seed: int, clips: int = 0, rank: int = 0, ranks: int = 1
    ) -> None:
        self.seed, self.rank, self.ranks = seed, rank, ranks
        numbers = np.asarray(corpora)
        self.items = [np.flatnonzero(numbers == corpus) for corpus in np.unique(numbers)]
        self.clips = clips or len(corpora)
        shares = np.sqrt([len(items) for items in self.items])
        shares[0] *= MAIN_SHARE
        ends = np.round(np.cumsum(shares) / shares.sum() * self.clips).astype(int)
        self.drawn = np.diff(ends, prepend=0)  # clips of each corpus
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch, and after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.clips // self.ranks)

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng([self.seed, EPOCH, self.epoch])
        order = rng.permutation(np.concatenate([self._draw(n) for n in range(len(self.items))]))
        padded = np.resize(order, len(self) * self.ranks)  # every rank the same number
        return iter(padded[self.rank :: self.ranks].tolist())

    def _draw(self, corpus: int) -> npt.NDArray[np.int64]:
        """Return this epoch's part of the endless order of a corpus."""
        items, drawn = self.items[corpus], int(self.drawn[corpus])
        first = self.epoch * drawn
        passes = range(first // len(items), (first + drawn) // len(items) + 1)
        orders = [
            np.random.default_rng([self.seed, CORPUS, corpus, once]).permutation(items)
            for once in passes
        ]
        offset = first - passes[0] * len(items)
        return np.concatenate(orders)[offset : offset + drawn]


@dataclass(frozen=True)
class DeviceSignals:
    """Signals on a device, where batches are gathered without waiting for the processor.

    They are 16-bit PCM one after another, as `SignalCache` stores them.
    """

    pcm: Tensor  # (samples of all clips,), int16
    start: Tensor  # (clips,), of each clip's first sample
    length: Tensor  # (clips,)
    labels: Tensor  # (clips,)
    corpora: Tensor  # (clips,)
    lengths: tuple[int, ...]  # the same as `length`, where the processor reads it

    @classmethod
    def load(cls, clips: Clips, device: torch.device, most: int) -> Self | None:
        """Decode every clip; None if the signals take more than `most` bytes."""
        signals, lengths = [], []
        for first in range(0, len(clips), AT_ONCE):
            with ThreadPoolExecutor() as pool:
                few = range(first, min(first + AT_ONCE, len(clips)))
                signals += [to_pcm(signal) for signal in pool.map(clips.signal, few)]
            lengths = [len(signal) for signal in signals]
            if 2 * sum(lengths) > most:
                return None
        start = np.cumsum([0, *lengths[:-1]])
        labels = [int(item.clip.label) for item in clips.items]
        corpora = [item.corpus for item in clips.items]
        return cls(
            torch.from_numpy(np.concatenate(signals)).to(device),
            torch.from_numpy(start).to(device),
            torch.tensor(lengths, device=device),
            torch.tensor(labels, device=device),
            torch.tensor(corpora, device=device),
            tuple(lengths),
        )

    def batch(self, numbers: Sequence[int]) -> Batch:
        """Return the clips of these numbers as `collate` joins them."""
        device = self.pcm.device
        longest = max(self.lengths[number] for number in numbers)
        chosen = torch.tensor(numbers).to(device, non_blocking=True)
        position = torch.arange(longest, device=device)
        inside = position < self.length[chosen, None]
        source = torch.where(inside, self.start[chosen, None] + position, 0)
        waveforms = self.pcm[source] / FULL_SCALE * inside
        return Batch(waveforms, self.labels[chosen], self.corpora[chosen])


class DeviceLoader:
    """What a `DataLoader` is to Lightning, for signals on a device.

    Args:
        signals: of the clips.
        sampler: gives the clips of an epoch.
        batch_size: clips.
        drop_last: leave out a last batch that is not full.
    """

    def __init__(
        self,
        signals: DeviceSignals,
        sampler: Sampler[int] | range,
        batch_size: int,
        drop_last: bool,
    ) -> None:
        self.signals = signals
        self.sampler = sampler
        self.batch_sampler = None  # a `DataLoader` has one, and Lightning reads it
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __len__(self) -> int:
        whole, rest = divmod(len(self.sampler), self.batch_size)  # type: ignore[arg-type]
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        numbers = list(self.sampler)
        size = self.batch_size
        return (self.signals.batch(numbers[n * size : (n + 1) * size]) for n in range(len(self)))


class ClipsModule(L.LightningDataModule):
    """Loaders of the training and validation splits."""

    def __init__(self, items: Sequence[Item], config: Config, cache: SignalCache) -> None:
        super().__init__()
        self.items = items
        self.config = config
        self.cache = cache

    def train_dataloader(self) -> "DataLoader[Batch] | DeviceLoader":
        items = [item for item in self.items if item.split == "train"]
        trainer = self.trainer
        ranks = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        settings = self.config.train
        corpora = [item.corpus for item in items]
        sampler = EpochSampler(corpora, settings.seed, settings.epoch_clips, *ranks)
        clips = Clips(items, self.config, self.cache)
        return self._loader(clips, sampler, drop_last=len(sampler) > settings.batch_size)

    def val_dataloader(self) -> "DataLoader[Batch] | DeviceLoader":
        items = [item for item in self.items if item.split == "val"]
        clips = Clips(items, self.config, self.cache)
        return self._loader(clips, range(len(items)))

    def _loader(
        self,
        clips: Clips,
        sampler: Sampler[int] | range,
        drop_last: bool = False,
    ) -> "DataLoader[Batch] | DeviceLoader":
        device = self.trainer.strategy.root_device if self.trainer else torch.device("cpu")
        if device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            signals = DeviceSignals.load(clips, device, most=int(free * DEVICE_SHARE))
            if signals:
                return DeviceLoader(signals, sampler, self.config.train.batch_size, drop_last)
        return DataLoader(
            clips,  # type: ignore[arg-type]  # `collate` makes a batch of its items
            self.config.train.batch_size,
            sampler=sampler,
            collate_fn=collate,
            drop_last=drop_last,  # a batch of one has no variance for the batch norm
        )


def collate(batch: Sequence[tuple[Signal, int, int]]) -> Batch:
    """Join signals of any length into one batch, padded with zeros."""
    longest = max(len(signal) for signal, _, _ in batch)
    waveforms = torch.zeros(len(batch), longest)
    for row, (signal, _, _) in zip(waveforms, batch, strict=True):
        row[: len(signal)] = torch.from_numpy(signal)
    _, labels, corpora = zip(*batch, strict=True)
    return Batch(waveforms, torch.tensor(labels), torch.tensor(corpora))


def class_weights(config: Config, items: Sequence[Item]) -> torch.Tensor:
    """Return the factor of each class in the loss, `(corpora, classes)`.

    `balanced` is `clips / (classes * clips of the class)` over a corpus' training clips, as in
    scikit-learn; `sqrt` is its square root.  A class that only other corpora have is 0.  A corpus
    of one label keeps all classes, since a softmax over one teaches nothing; it counts
    `SINGLE_LABEL_WEIGHT`, so that its label does not become the answer to everything.
    """
    training = [item for item in items if item.split == "train"]
    counts = np.zeros((1 + max(item.corpus for item in items), len(config.labels)), np.int64)
    np.add.at(counts, ([i.corpus for i in training], [int(i.clip.label) for i in training]), 1)
    present = np.maximum((counts > 0).sum(1, keepdims=True), 1)  # 0 in a corpus that only tests
    balanced = counts.sum(1, keepdims=True) / (present * np.maximum(counts, 1))
    wanted = config.train.class_weights
    named: dict[str, npt.ArrayLike] = {
        "none": 1.0,
        "reference": REFERENCE_CLASS_WEIGHTS,
        "balanced": balanced,
        "sqrt": np.sqrt(balanced),
    }
    factors = np.broadcast_to(named[wanted] if isinstance(wanted, str) else wanted, counts.shape)
    single = (counts > 0).sum(1, keepdims=True) == 1
    elsewhere = (counts == 0) & (counts.sum(0) > 0) & ~single
    factors = np.where(single & (len(counts) > 1), SINGLE_LABEL_WEIGHT, factors)
    return torch.tensor(np.where(elsewhere, 0, factors), dtype=torch.float32)
