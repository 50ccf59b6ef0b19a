"""What compiled code is made of: the one call of the compiler, vectors, elementary functions."""
