"""The networks: image tokenizers, transformers, attention patterns. Codes and ids only;
`loading` alone reads files.
"""
