"""The native CPU engine: one C++ file behind ctypes, its build, and the model classes over it."""
