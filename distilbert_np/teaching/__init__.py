"""What a lesson needs beside the model.

    figures.py   the figures; the only file that imports matplotlib
"""
