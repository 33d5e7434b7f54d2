"""Follow a stream of samples, as a microphone or a telephone line delivers them."""

from pathlib import Path

from audio_emotion import Classifier, TimelineStream, read_audio

SAMPLES = Path(__file__).parents[1] / "samples"
BLOCK_DUR = 0.1  # s


def main(path: Path = SAMPLES / "slow_low.flac") -> None:
    """Push a recording in blocks of 0.1 s, and print each segment once it is final."""
    signal, sampling_rate = read_audio(path)
    size = round(BLOCK_DUR * sampling_rate)
    stream = TimelineStream(Classifier())
    for start in range(0, len(signal), size):
        for segment in stream.push(signal[start : start + size], sampling_rate):
            print(f"{stream.duration:5.1f} s pushed: {segment}")
    for segment in stream.close():
        print(f"at the end: {segment}")


if __name__ == "__main__":
    main()
