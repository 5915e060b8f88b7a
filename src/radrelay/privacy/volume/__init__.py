"""Unusual volume: one person, link, token or device that fetches far more than usual is told of, and may be suspended.

`counting` says what an access has fetched, from the record of events and from the bytes that were sent beside it;
`usual` what is usual for it; `alarms` keeps and settles what was found; `watching` looks every few seconds, in `work`.
"""
