"""The front end: from waveforms to the features that a network takes."""
