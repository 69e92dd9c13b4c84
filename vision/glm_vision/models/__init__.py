"""Architectures as transformers models, one file each, and the pieces they share.

Source of all of them: CogVLM: Visual Expert for Pretrained Language Models (arXiv 2311.03079).
"""
