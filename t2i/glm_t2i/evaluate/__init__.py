"""Scores of picture models: the tokenizer's fidelity, what drawn prompts ask for, captions."""
