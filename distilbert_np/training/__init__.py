"""The training room: everything a model needs in order to learn. It begins with
`tiny_world`, which writes the small, true English text that the embedded model reads.
"""
