"""The recipe of `nano-code`: every step is a module that runs by itself (see README.md)."""
