"""The service: the same answers by HTTP and WebSocket, for programs and for the page.

settings   what a service allows, with every limit
app        `create_app`, which puts the rest together
run        the HTTP server around it: TLS, limits of connections, an orderly end
problems   every error as `application/problem+json`
metrics    counts and times for Prometheus
guards     what a request passes first: identity and log, hosts, origins and tokens, its body
work       threads that predict, each with a process that decodes recordings of strangers
routes     one module for each group of addresses
jobs       long recordings, kept in SQLite until they are done
static     the page with the description of the service
"""
