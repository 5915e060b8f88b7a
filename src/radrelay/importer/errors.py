"""What can go wrong with another institution's portal, each by a name that staff can act on.

`host` is the only part of an address that a message carries: paths and queries may hold the token::

    PortalTrouble
    ├── HostNotAllowed, AddressRefused, HostInside,
    ├── NotEncrypted                                       nothing was sent
    ├── PortalUnreachable, PortalUntrusted                 no connection
    ├── PortalStalled, PortalBrokeOff, PortalBusy          it may go another time
    ├── PortalRefused, PortalUnclear, TooManyRedirects     it does not do what it should
    ├── NoLoginGiven                                       it takes the answers and lets nobody in
    ├── RecipeOutdated                                     it is no longer as its recipe says
    ├── PageForParcel, WrongContent, ParcelTooLarge        what came is not taken
    ├── AnswerWrong, AnswerUnusable, AttemptsSpent,
    ├── LinkExpiredThere, LockedThere, LoginEnded          about the link and the answers
    ├── InMaintenance, PersonNeeded                        another time, or by hand
    ├── BrowserOff, BrowserMissing, BrowserNotHeld,
    ├── BrowserEnded, BrowserBusy, PageHangs, Unanswered   about the browser that a recipe is walked in
    └── NotThere, NothingListed                            nothing to fetch
"""

from __future__ import annotations

from typing import ClassVar

from radrelay.errors import Conflict, Forbidden, Invalid, NotFound, RadrelayError, TooLarge, Unavailable


class PortalTrouble(RadrelayError):
    """The portal did not do what it should."""

    code = "portal-trouble"
    http_status: ClassVar[int] = 502


class HostNotAllowed(PortalTrouble, Forbidden):
    """This portal's host is not allowed yet; an administrator confirms it once."""

    code = "portal-not-allowed"
    http_status = 403


class AddressRefused(PortalTrouble, Forbidden):
    """This address does not lead to a portal on the internet."""

    code = "portal-address-refused"
    http_status = 403


class HostInside(PortalTrouble, Conflict):
    """This host is inside this house and no portal on the internet; it cannot be confirmed."""

    code = "portal-host-inside"
    http_status = 409


class NotEncrypted(PortalTrouble, Forbidden):
    """This address is not reached by HTTPS; nothing was sent."""

    code = "portal-not-encrypted"
    http_status = 403


class PortalUnreachable(PortalTrouble, Unavailable):
    """The portal cannot be reached."""

    code = "portal-unreachable"
    http_status = 503


class PortalUntrusted(PortalTrouble):
    """The portal's certificate is not trusted."""

    code = "portal-untrusted"


class PortalStalled(PortalTrouble, Unavailable):
    """The portal took the request and then said too little for too long."""

    code = "portal-stalled"
    http_status = 503
    silent_s: float = 0.0
    begun: bool = True
    """It had begun to answer."""


class PortalBrokeOff(PortalTrouble, Unavailable):
    """The portal broke the connection off before all had come."""

    code = "portal-broke-off"
    http_status = 503


class PortalBusy(PortalTrouble, Unavailable):
    """The portal is busy and asks to come back later."""

    code = "portal-busy"
    http_status = 503


class PortalRefused(PortalTrouble):
    """The portal answers with an error."""

    code = "portal-refused"


class PortalUnclear(PortalTrouble):
    """The portal's answer is not one that this way of fetching knows."""

    code = "portal-unclear"


class NoLoginGiven(PortalUnclear):
    """The portal took the answers and gave no login; perhaps they were wrong."""

    code = "portal-no-login"


class TooManyRedirects(PortalTrouble):
    """The portal sends from one address to the next without end."""

    code = "portal-redirects"


class PageForParcel(PortalTrouble):
    """The portal sent a web page where images were expected; the link may have ended, or want a login."""

    code = "portal-page-for-parcel"


class WrongContent(PortalTrouble):
    """What the portal sent is of no kind that is taken in."""

    code = "portal-wrong-content"


class ParcelTooLarge(PortalTrouble, TooLarge):
    """What the portal sends is larger than the limit."""

    code = "portal-too-large"
    http_status = 413


class AnswerWrong(PortalTrouble, Invalid):
    """The portal does not know this link, or the answers are wrong."""

    code = "portal-answer-wrong"
    http_status = 400


class AnswerUnusable(PortalTrouble, Invalid):
    """An answer is missing or is not of the form that the portal asks for; nothing was sent."""

    code = "portal-answer-unusable"
    http_status = 400


class AttemptsSpent(PortalTrouble, Forbidden):
    """Too many wrong answers for this link; no further ones are sent."""

    code = "portal-attempts-spent"
    http_status = 403


class LinkExpiredThere(PortalTrouble, Forbidden):
    """The link was right but has expired; ask the sender for reactivation."""

    code = "portal-link-expired"
    http_status = 403


class LockedThere(PortalTrouble, Forbidden):
    """The portal has locked this link after wrong answers; ask the sender to unlock it."""

    code = "portal-locked"
    http_status = 403


class LoginEnded(PortalTrouble, Forbidden):
    """The portal ended the login and does not take the answers again; begin anew."""

    code = "portal-login-ended"
    http_status = 403


class NotThere(PortalTrouble, NotFound):
    """The portal does not have what the link leads to."""

    code = "portal-not-there"
    http_status = 404


class NothingListed(PortalTrouble, NotFound):
    """The portal accepts the link but lists nothing to fetch."""

    code = "portal-nothing-listed"
    http_status = 404


class GivenUp(PortalTrouble):
    """The download was given up before all had come."""

    code = "portal-given-up"
    http_status = 409


class InMaintenance(PortalTrouble, Unavailable):
    """The portal is being worked on; try again later."""

    code = "portal-maintenance"
    http_status = 503


class PersonNeeded(PortalTrouble):
    """The portal wants a person to go on: a captcha, or a code by SMS."""

    code = "portal-person-needed"
    http_status = 409


class RecipeOutdated(PortalUnclear):
    """The portal is no longer as its recipe says."""

    code = "portal-recipe-outdated"


class BrowserOff(PortalTrouble):
    """This portal needs a browser, and fetching by one is switched off here."""

    code = "browser-off"
    http_status = 409


class BrowserMissing(PortalTrouble):
    """The program that portals are walked in is not there or does not start."""

    code = "browser-missing"
    http_status = 500


class BrowserNotHeld(PortalTrouble):
    """This machine cannot hold a browser closely enough to show it portals; it was not started."""

    code = "browser-not-held"
    http_status = 500


class BrowserEnded(PortalTrouble, Unavailable):
    """The browser ended before all had come."""

    code = "browser-ended"
    http_status = 503


class BrowserBusy(PortalTrouble, Unavailable):
    """As many portals are being walked as may be at once."""

    code = "browser-busy"
    http_status = 503


class PageHangs(PortalStalled):
    """The portal's page does not answer any more."""

    code = "browser-page-hangs"


class Unanswered(PortalTrouble):
    """Nobody answered in time what the portal asks; it is begun again from its start."""

    code = "browser-unanswered"
    http_status = 409


class BegunAgain(PortalTrouble):
    """The portal had to be begun again from its start, and asks anew."""

    code = "browser-begun-again"
    http_status = 409
