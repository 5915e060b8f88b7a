"""Displays that images are read on: what they must be able to, how they were checked, and by whom.

Nothing here measures anything: luminances are what a person read off a photometer and entered.
"""
