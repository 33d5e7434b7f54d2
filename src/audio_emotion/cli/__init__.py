"""The command `audio-emotion`: a file for each subcommand, which reads its input, calls the library
and hands the result to a format.
"""
