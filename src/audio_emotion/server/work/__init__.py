"""Predicting for strangers.

sandbox   the program of a decoder: a process with little memory, no files to write, no network
decoder   the other end of it
pool      threads with a model and a decoder each, behind a bounded queue
tasks     what they do: a recording in, an answer in one of the formats out
"""
