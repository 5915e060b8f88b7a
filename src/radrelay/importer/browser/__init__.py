"""Portals that need a browser: one recipe at a time walked in a Chromium that is held, and reaches that portal alone.

pipe, scripts, tab       what is said to the browser, and what is looked at and done in its one page
door                     its only way out: judged and allowed as everything of the importer's
held                     its process, its folder, its end
errand, keeping          a recipe walked in it; sessions that wait for a person
"""
