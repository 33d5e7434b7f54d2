"""Changes to training clips: of the waveform, of the spectrum, and of a batch of features."""
