"""The importer: studies fetched from other institutions' portals, looked at, matched with a patient here, filed.

judging, line, going_out, outgoing, downloading, contents    the way out, guarded
connectors, recognising, dlx                                 the languages of portals
recipes                                                      portals of no common language, each in a file
gathering, parting, folding, matching, findings, checking    what arrived, whose it is
reconciling, duplicates, papers                              what is filed of it, and as what
"""
