"""The parity kit: every intermediate of a model in a file, and where a port's go wrong.
"""
