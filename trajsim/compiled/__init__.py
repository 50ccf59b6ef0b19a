"""Compiled code: the call of the compiler, vectors, elementary functions."""
