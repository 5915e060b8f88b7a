"""Who may do what with which studies: principals, rights, grants, and the one scope that every face asks.

Access owns its tables and knows the archive's studies, series and sources by their ids alone.
"""

from radrelay.access.granted import MOST_LISTED, GrantView, change_grant, grant_of, granted
from radrelay.access.grants import ROLES, Grantee, Target, ensure_default_grants, grant, revoke
from radrelay.access.groups import (
    GroupView,
    MemberView,
    add_member,
    change_group,
    create_group,
    delete_group,
    follow_directory,
    forget_member,
    groups,
    groups_of,
    members_of,
    remove_member,
)
from radrelay.access.principal import SYSTEM_NAME, Principal, PrincipalKind, Right, system_principal
from radrelay.access.scope import Scope, scope
from radrelay.access.sight import Sight, anybody_sees, of_account, own_end, sights

__all__ = [
    "MOST_LISTED",
    "ROLES",
    "SYSTEM_NAME",
    "GrantView",
    "Grantee",
    "GroupView",
    "MemberView",
    "Principal",
    "PrincipalKind",
    "Right",
    "Scope",
    "Sight",
    "Target",
    "add_member",
    "anybody_sees",
    "change_grant",
    "change_group",
    "create_group",
    "delete_group",
    "ensure_default_grants",
    "follow_directory",
    "forget_member",
    "grant",
    "grant_of",
    "granted",
    "groups",
    "groups_of",
    "members_of",
    "of_account",
    "own_end",
    "remove_member",
    "revoke",
    "scope",
    "sights",
    "system_principal",
]
