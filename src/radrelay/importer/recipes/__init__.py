"""Recipes: portals that speak no common language, each described in a readable file of its own.

language, patterns, rules, trials, reading       what a file may say, and where it says something else
links, templates, forms, page, errand            a recipe walked at its portal
shelf, health                                    the folder of them, and how each fares
playing                                          the self-test: a recipe walked against what was recorded
walks, known, sources, drafting, rehearsing,
writing, recording                               a walk in a browser (HAR), made into a draft
"""
