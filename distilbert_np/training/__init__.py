"""What a model needs in order to learn; for now, the text of the embedded model.

`tiny_world` writes it: simple, true English sentences about a small closed world.
"""
