"""Write the emotions of a longer recording as subtitles."""

from pathlib import Path

import numpy as np

from audio_emotion import read_audio, timeline
from audio_emotion.formats.timelines import as_srt

SAMPLES = Path(__file__).parents[1] / "samples"
NAMES = ("fast_high.flac", "slow_low.flac", "loud_tense.flac")


def main() -> None:
    """Join three recordings with a second of silence between them, and print SubRip."""
    recordings = [read_audio(SAMPLES / name) for name in NAMES]
    sampling_rate = recordings[0][1]  # the same for all of them
    pause = np.zeros(sampling_rate, np.float32)
    signal = np.concatenate([part for recording, _ in recordings for part in (recording, pause)])
    found = timeline(signal, sampling_rate)
    print(as_srt(found, b""), end="")  # only the format html needs the recording itself


if __name__ == "__main__":
    main()
