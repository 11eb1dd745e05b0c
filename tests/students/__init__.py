"""Answers as students write them: right ones, and wrong ones with what to be told.

A file for each lesson. They are written apart from the exercises' slips, so that the
one tests the other.
"""

from . import lesson03, lesson08, lesson10

LESSONS = (lesson03, lesson08, lesson10)
