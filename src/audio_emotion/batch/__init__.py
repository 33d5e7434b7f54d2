"""Emotions of very many recordings, here or on a cluster, each exactly once.

storage     files here and in object stores, by path or URL
sources     recordings in folders, patterns, lists, archives and buckets
plan        the list of them, frozen and cut into shards
job         what is predicted, and its fingerprint
rows        the tables of results
worker      the program of a process that predicts one recording after the other
workers     such processes, as their owner sees them
shard       a shard's recordings in, its part file out
parts       the part files of a folder: what is done, what is left, whether all of it is right
here        shards in processes of this machine
cluster     shards as tasks of Ray
outputs     the whole as csv or jsonl
report      the whole in figures

The plan is the truth: a shard is done when its part file is there, and that appears whole or not at
all.  So whatever dies, the same command goes on.
"""
