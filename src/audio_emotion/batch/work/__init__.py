"""The work on shards.

content    the bytes of a recording, from wherever it is
worker     the program of a process that predicts one recording after the other
workers    such processes, as their owner sees them
shard      a shard's recordings in, its part file out
here       shards in processes of this machine
cluster    shards as tasks of Ray
"""
