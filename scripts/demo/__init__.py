"""`make demo`: the product at work on this repository, one act per feature."""
