"""Corpora of labelled recordings: found, parsed, split and described.

clip      one labelled recording
corpus    a named set of them; duplicates and fingerprint
ravdess   RAVDESS, as folders or as its two zip archives
crema_d   CREMA-D
folder    a folder for each class
manifest  a CSV file
find      which of these a path is
split     stratified train / validation / test parts
describe  counts, durations, duplicates, unreadable files
download  fetch, verify and unpack
"""

from .clip import Clip
from .corpus import Corpus
from .find import load_corpora, load_corpus

__all__ = ["Clip", "Corpus", "load_corpora", "load_corpus"]
