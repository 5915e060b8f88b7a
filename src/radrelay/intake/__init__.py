"""Intake: the one door. What comes in lands durably, is checked, and only then is visible.

landing, object_writer, files   durable and encrypted before the acknowledgement; files told by their bytes
envelope                        what a landed record says of itself
indexer, examine, rows, tally   from the landing to rows, in one transaction a batch; upkeep frees segments
unpack, unpacking, zip_members  archives, bounded and repeatable; scratch holds nested ones
scan, quarantine                the virus scanner; what is kept aside
sources, callers, parcels       doors and their promises; what came together
imports, watch, stow            a path of this machine, watched folders, parts of STOW-RS
"""
