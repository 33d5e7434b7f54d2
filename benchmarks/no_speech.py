"""False alarms: how many clips of a corpus, in which somebody always speaks or sings, get no label.

    python benchmarks/no_speech.py RAVDESS CREMA-D NEMO [--corruption pink-noise-10dB]

Prints a row for each corpus, channel and intensity, and names the clips.
"""

import argparse
import warnings
from collections import Counter
from pathlib import Path

from audio_emotion import Classifier
from audio_emotion.datasets import load_corpora
from audio_emotion.evaluation.corruptions import CORRUPTIONS, generator


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--corruption", choices=CORRUPTIONS)
    arguments = parser.parse_args()
    classifier, clips = Classifier(), load_corpora(arguments.data).clips
    counts: Counter[tuple[str, ...]] = Counter()
    alarms: Counter[tuple[str, ...]] = Counter()
    warnings.simplefilter("always")  # a warning about a whole recording is a false alarm, too
    for clip in clips:
        group = (clip.corpus, clip.channel or "–", clip.intensity or "–")
        signal, rate = clip.read()
        if arguments.corruption:
            corrupt = CORRUPTIONS[arguments.corruption]
            signal, rate = corrupt(signal, rate, generator(clip.key))
        prediction = classifier(signal, rate)
        counts[group] += 1
        if prediction.probabilities is None:
            alarms[group] += 1
            print(f"{clip.key}: {prediction.label}", flush=True)
    print("| corpus | channel | intensity | clips | without a label | % |")
    print("|---|---|---|--:|--:|--:|")
    for group in [*sorted(counts), ()]:
        clips_, found = (sum(n for g, n in c.items() if not group or g == group)
                         for c in (counts, alarms))  # fmt: skip
        names = " | ".join(group or ("all", "", ""))
        print(f"| {names} | {clips_} | {found} | {100 * found / clips_:.2f} |")


if __name__ == "__main__":
    main()
