"""The daemon: one process a user that serves completions over HTTP and supervises engines.

Invariant: nothing in this package imports torch or a model package. Engines live in worker
processes (`glm_daemon.worker`), which import them by name.
"""
