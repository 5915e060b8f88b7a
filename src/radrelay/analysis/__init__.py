"""Analyses of studies: each a package of pure functions on arrays, run and recorded by what lies above them."""
