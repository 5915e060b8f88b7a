"""What can go wrong with rules."""

from __future__ import annotations

from radrelay.errors import Conflict, Invalid, NotFound


class RuleInvalid(Invalid):
    """A rule cannot be like this."""

    code = "rule-invalid"


class RoutingRuleNotFound(NotFound):
    """There is no such rule."""

    code = "routing-rule-not-found"


class RoutingRuleChanged(Conflict):
    """Somebody else has changed this rule meanwhile."""

    code = "routing-rule-changed"


class RuleOrderStale(Conflict):
    """Rules were made or deleted meanwhile: look at the list again and put them in order then."""

    code = "rule-order-stale"


class RuleActionFailed(Conflict):
    """Something unexpected went wrong; the server's log says what."""

    code = "rule-action-failed"
