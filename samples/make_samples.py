"""Make the recordings in this folder with the espeak-ng synthesiser and different prosody.

They are nobody's voice and no corpus' clips, so they may be shared freely.  They carry no true
label: a synthesiser feels nothing, and what a model says of it is for show only.

    apt-get install espeak-ng
    python samples/make_samples.py
"""

import io
import subprocess
from pathlib import Path

import numpy as np
import soundfile

SENTENCE = "Kids are playing in the garden."
VOICES = {  # voice, pitch 0-99, words a minute, amplitude 0-200
    "flat": ("en-gb", 40, 150, 100),
    "slow_low": ("en-us", 15, 105, 70),
    "fast_high": ("en-us+f3", 85, 215, 140),
    "loud_tense": ("en-gb+m7", 60, 200, 200),
    "soft_breathy": ("en-us+whisper", 35, 120, 90),
}


def speak(voice: str, pitch: int, speed: int, amplitude: int) -> tuple[np.ndarray, int]:
    """Signal and sampling rate of the sentence."""
    command = ["espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "-a", str(amplitude)]
    wav = subprocess.run([*command, "--stdout", SENTENCE], check=True, capture_output=True).stdout
    signal, sampling_rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    return signal, sampling_rate


def tremble(signal: np.ndarray, sampling_rate: int) -> np.ndarray:
    """A six-hertz tremolo, as of a shaking voice."""
    seconds = np.arange(len(signal)) / sampling_rate
    return (signal * (0.7 + 0.3 * np.sin(2 * np.pi * 6 * seconds))).astype(np.float32)


def main() -> None:
    """Write every sample beside this script."""
    folder = Path(__file__).parent
    for name, prosody in VOICES.items():
        signal, sampling_rate = speak(*prosody)
        soundfile.write(folder / f"{name}.flac", signal, sampling_rate)
    signal, sampling_rate = speak("en-us+f2", 70, 170, 110)
    soundfile.write(folder / "trembling.ogg", tremble(signal, sampling_rate), sampling_rate)


if __name__ == "__main__":
    main()
