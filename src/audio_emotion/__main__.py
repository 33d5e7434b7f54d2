"""`python -m audio_emotion` is the command `audio-emotion`."""

from .cli.app import main

main()
