"""The command `audio-emotion`: one file a subcommand, each a thin layer over one library call."""
