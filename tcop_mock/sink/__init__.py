"""Our own receiver.

``server``: a small HTTP/1.1 server that hands whole requests to a handler · ``demo``: two such handlers, one with the
mistakes of a first receiver and one without.
"""
