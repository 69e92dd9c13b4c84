"""Llama-like models on accelerators: static keys and values, forwards of fixed shapes, captured."""
