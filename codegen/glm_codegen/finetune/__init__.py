"""A repository becomes an adapter that proves its gain: data, training, receipt, publication.

Nothing here runs in the daemon's own process. Where torch is needed it is imported by the module
that trains; reading a repository and judging its files needs none.
"""
