"""Prompt formats: how a cursor or a conversation becomes tokens. Pure; no model, no torch.

To add an infilling family: a row in `fim_families.py`. A chat form: a row in `chat_forms.py`.
"""
