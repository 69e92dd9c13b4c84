"""Prompt formats: how a cursor becomes tokens. Pure; no model, no torch, no IO but data tables.

To add a family: one file here with a class that answers `render`, and one line in `choose.py`.
"""
