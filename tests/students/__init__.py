"""Answers as students write them: right ones, and wrong ones with what to be told.

A file for each lesson. They are written apart from the exercises' slips, so that the
one tests the other.
"""

from . import lesson03, lesson07, lesson09

LESSONS = (lesson03, lesson07, lesson09)
