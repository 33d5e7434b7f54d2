"""Emotions of very many recordings, here or on a cluster, each exactly once.

storage     files here and in object stores, by path or URL
sources     recordings in folders, patterns, lists, archives and buckets
plan        the list of them, frozen and cut into shards
job         what is predicted, and its fingerprint
rows        the tables of results
parts       the part files of a folder: what is done, what is left, whether all of it is right
work        shards in, part files out: processes here, Ray on a cluster
run         a batch from its sources to its last row
estimate    what it will take
outputs     the whole as csv or jsonl
report      the whole in figures

The plan is the truth: a shard is done when its part file is there, and that appears whole or not at
all.  So whatever dies, the same command goes on.
"""
