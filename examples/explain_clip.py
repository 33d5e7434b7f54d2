"""Find which part of a recording supports the prediction."""

from pathlib import Path

from audio_emotion import explain, read_audio

SAMPLES = Path(__file__).parents[1] / "samples"


def main(path: Path = SAMPLES / "fast_high.flac") -> None:
    """Print where the evidence lies, and how much of it each quarter of a second holds."""
    found = explain(*read_audio(path))
    print(found.sentence())
    evidence = found.of(found.ranking[0]).sum(axis=0)  # over the frequencies; one value a column
    for start, value in zip(found.times[:-1], evidence, strict=True):
        print(f"{start:5.2f} s  {value:+.2f}")


if __name__ == "__main__":
    main()
