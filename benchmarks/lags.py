"""What recordings do to the picture of the pitch.

    python benchmarks/lags.py RAVDESS

By how much each condition moves the lags of frames with a clear pitch, for lags that hear what a
telephone carries and for lags that hear all below; and how much of a line white noise leaves,
against the estimate that training uses.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from audio_emotion import resample
from audio_emotion.config import load_config
from audio_emotion.corpora import Clip, load_corpus
from audio_emotion.evaluation.conditions import CONDITIONS, condition, generator
from audio_emotion.lab import frontend as front
from audio_emotion.lab.spectral import SpectralAugment

EVERY = 150  # clips, of which one is heard
CLEAR = 0.35  # likeness at the strongest lag from which on a frame has a pitch
MOVING = ("silence", "higher", "lower")  # conditions whose frames are not the clean clip's
SNRS = (25, 15, 5, -5)  # dB
SHARES = ((0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9), (0.9, 0.97))
CONFIG = load_config("voice")
RATE = CONFIG.frontend.sampling_rate


def lags(frontend: front.Frontend, signal: np.ndarray, rate: int) -> torch.Tensor:
    """`(lags, frames)` of a whole signal."""
    waveform = torch.from_numpy(resample(signal, rate, RATE))[None]
    return frontend.lags(frontend.mel_power(waveform))[0]


def moved(clips: Sequence[Clip], name: str) -> tuple[float, float]:
    """Root mean square of what a condition changes, and the lags' own deviation."""
    frontend = front.Frontend(CONFIG.frontend)
    changes, clean = [], []
    for clip in clips:
        signal, rate = clip.read()
        plain = lags(frontend, signal, rate)
        changed = lags(frontend, *condition(name)(signal, rate, generator(clip.name)))
        frames = min(plain.shape[1], changed.shape[1])
        clear = plain[:, :frames].amax(0) > CLEAR
        clean.append(plain[:, :frames][:, clear].flatten())
        changes.append((changed[:, :frames] - plain[:, :frames])[:, clear].flatten())
    return torch.cat(changes).square().mean().sqrt().item(), torch.cat(clean).std().item()


def drowned(clips: Sequence[Clip]) -> tuple[np.ndarray, np.ndarray]:
    """What training expects white noise to leave of a line, and what it leaves."""
    frontend = front.Frontend(CONFIG.frontend)
    spectral = SpectralAugment(CONFIG.augment, CONFIG.frontend)
    n_mels, expected, left = CONFIG.frontend.n_mels, [], []
    for clip in clips:
        signal, rate = clip.read()
        voice = torch.from_numpy(resample(signal, rate, RATE))[None]
        clean = frontend.mel_power(voice)
        peak, lag = clean[..., n_mels:].max(2, keepdim=True)
        clear = peak > CLEAR
        for snr in SNRS:
            chance = torch.manual_seed(snr)
            hiss = torch.randn(voice.shape, generator=chance) * voice.std() * 10 ** (-snr / 20)
            noise, heard = frontend.mel_power(hiss), frontend.mel_power(voice + hiss)
            bands, noisy = clean[..., :n_mels], clean[..., :n_mels] + noise[..., :n_mels]
            ones = torch.ones_like(bands)
            kept = spectral.drown(ones, bands, noisy).mean(2, keepdim=True)
            expected.append(kept[clear].numpy())
            left.append((heard[..., n_mels:].gather(2, lag) / peak)[clear].numpy())
    return np.concatenate(expected), np.concatenate(left)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    clips = load_corpus(parser.parse_args().data).clips[::EVERY]
    names = [name for name in CONDITIONS if not name.startswith(MOVING)]
    print(f"{len(clips)} clips\n\n| lags of | " + " | ".join(names) + " | deviation |")
    print("|---|" + "--:|" * (len(names) + 1))
    chosen = front.HARMONICS
    for low in (0.0, chosen[0]):
        front.HARMONICS = (low, chosen[1])
        found = [moved(clips, name) for name in names]
        cells = [f"{change:.3f}" for change, _ in found] + [f"{found[0][1]:.3f}"]
        print(f"| {low:.0f}–{chosen[1]:.0f} Hz | " + " | ".join(cells) + " |")
    expected, left = drowned(clips)
    print("\n| expected of a line in white noise | left, median | frames |\n|--:|--:|--:|")
    for low, high in SHARES:
        inside = (expected >= low) & (expected < high)
        print(f"| {expected[inside].mean():.2f} | {np.median(left[inside]):.2f} | {inside.sum()} |")


if __name__ == "__main__":
    main()
