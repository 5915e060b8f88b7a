"""Searching archives elsewhere and fetching from them: a module that is off unless a site switches it on."""
