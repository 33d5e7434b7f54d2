"""Long recordings.

store    the table of jobs, in SQLite
runner   does one after the other, goes on after a restart, and forgets results after an hour
"""
