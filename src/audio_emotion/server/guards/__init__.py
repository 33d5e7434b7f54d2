"""What every request passes before a route sees it, from the outside in.

access   gives it an identity, logs and counts it, and sets the headers that protect browsers
body     limits its size and its time
allow    checks host, origin and token
room     refuses recordings while too many wait
"""
