"""Corpora of labelled recordings: read, joined, split and summarised.

clip        one labelled recording
corpus      a named set of clips, and several joined into one
layouts     how published corpora name their files, a module each
folder      a folder for each label
manifest    a table: path, label, speaker, split
registry    the layouts that are known, and which of them a path has
split       stratified train, validation and test splits
provenance  the clips and speakers that a model was fitted on
summary     counts, durations, duplicates, silent and unreadable files
download    fetching, verifying and unpacking a corpus
"""

from .clip import Clip
from .corpus import Corpus
from .registry import load_corpora, load_corpus

__all__ = ["Clip", "Corpus", "load_corpora", "load_corpus"]
