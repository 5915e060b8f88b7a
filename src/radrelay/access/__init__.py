"""Who may do what with which studies: principals, rights, grants, and the one scope that every face asks.

Access owns its tables and knows the archive's studies, series and sources by their ids alone.
"""

from radrelay.access.grants import Grantee, Target, ensure_default_grants, grant, revoke
from radrelay.access.principal import SYSTEM_NAME, Principal, PrincipalKind, Right, system_principal
from radrelay.access.scope import Scope, scope

__all__ = [
    "SYSTEM_NAME",
    "Grantee",
    "Principal",
    "PrincipalKind",
    "Right",
    "Scope",
    "Target",
    "ensure_default_grants",
    "grant",
    "revoke",
    "scope",
    "system_principal",
]
