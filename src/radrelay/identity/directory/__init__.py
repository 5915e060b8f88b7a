"""The directory that people come from: Active Directory or another LDAP server (RFC 4511), over TLS alone.

`ldap` speaks to it in a process of its own, `mapping` makes people and groups of entries, `planning` says what is to be
done, `service` does it in the database. Groups here and the audit belong to other rooms; `app.directory` joins them.
"""

from radrelay.identity.directory.source import Directory, open_directory

__all__ = ["Directory", "open_directory"]
