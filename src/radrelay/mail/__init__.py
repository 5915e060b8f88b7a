"""Mail: plain letters in German and English, kept durably until the site's server has taken them.

A letter is written in the transaction of what it tells of (`Post.enqueue`); the role `work` sends it. No letter holds
patient data. What a letter says is kept encrypted, and forgotten once it is sent or given up.
"""

from radrelay.mail.addresses import masked, require_address
from radrelay.mail.counted import filled
from radrelay.mail.errors import MailNotSet
from radrelay.mail.letters import Letter, write
from radrelay.mail.post import LetterState, Post, PostedLetter, PostState, is_delayed
from radrelay.mail.sending import Postman
from radrelay.mail.server import MailServer

__all__ = [
    "Letter",
    "LetterState",
    "MailNotSet",
    "MailServer",
    "Post",
    "PostState",
    "PostedLetter",
    "Postman",
    "filled",
    "is_delayed",
    "masked",
    "require_address",
    "write",
]
