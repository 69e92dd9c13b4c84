"""Model families that transformers lacks, and the maps from published weights to native ones.

Importing this package loads no torch; `registration` says how the Auto classes learn of it.
"""
