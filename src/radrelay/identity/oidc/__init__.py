"""Single sign-on by OpenID Connect: a site's provider says who somebody is, and an account here is theirs.

`provider` asks it, `proofs` checks what it signs, `claims` makes a person of it, `begun` remembers a sign-on in the
browser, `people` binds accounts in the database. Groups here and the audit belong to other rooms; `web` joins them.
"""

from radrelay.identity.oidc.source import SingleSignOn, open_single_sign_on

__all__ = ["SingleSignOn", "open_single_sign_on"]
