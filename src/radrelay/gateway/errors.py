"""What can go wrong between agent and relay."""

from __future__ import annotations

from radrelay.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable


class PeerGone(Unavailable):
    """The other side of the tunnel has closed the connection."""

    code = "gateway-peer-gone"


class PeerUnclear(Invalid):
    """The other side of the tunnel says something that is not understood."""

    code = "gateway-peer-unclear"


class RelayUnreachable(Unavailable):
    """The relay does not answer."""

    code = "gateway-relay-unreachable"


class RelayUntrusted(Forbidden):
    """What answers there is not the relay that the code was made by."""

    code = "gateway-relay-untrusted"


class CodeRefused(Forbidden):
    """This enrolment code was used already, is too old, or was never given out."""

    code = "gateway-code-refused"


class CertificateRefused(Forbidden):
    """The relay does not take this site's certificate: expired, revoked, or another relay's."""

    code = "gateway-certificate-refused"


class NoSuchSite(NotFound):
    """The relay knows no site of this name."""

    code = "gateway-no-such-site"


class NotEnrolled(NotFound):
    """This installation is not enrolled at a relay of this address."""

    code = "gateway-not-enrolled"


class NameTaken(Conflict):
    """Another site has this host name or port already."""

    code = "gateway-name-taken"


class CertificateUnusable(Invalid):
    """The certificate is no PEM file."""

    code = "gateway-certificate-unusable"


class KeyUnusable(CertificateUnusable):
    """The key is no PEM file, or is locked by a password."""

    code = "gateway-key-unusable"


class KeyOfAnother(CertificateUnusable):
    """The key belongs to another certificate than the first of the chain."""

    code = "gateway-key-of-another"


class ChainOutOfOrder(CertificateUnusable):
    """The chain is not in order: each certificate is signed by the next."""

    code = "gateway-chain-out-of-order"


class CertificateEnded(CertificateUnusable):
    """The certificate has ended."""

    code = "gateway-certificate-ended"


class CertificateNameless(CertificateUnusable):
    """The certificate names no host."""

    code = "gateway-certificate-nameless"


class NotTheNames(CertificateUnusable):
    """The certificate is not for the host names of this site."""

    code = "gateway-certificate-not-the-names"


class AcmeUnreachable(Unavailable):
    """The certificate authority does not answer."""

    code = "gateway-acme-unreachable"


class AcmeUnclear(Invalid):
    """What answers at the directory's address speaks no ACME."""

    code = "gateway-acme-unclear"


class AcmeTermsOpen(Invalid):
    """The certificate authority asks that its terms be accepted."""

    code = "gateway-acme-terms-open"


class AcmeBindingWanted(Invalid):
    """The certificate authority gives certificates to its known accounts alone: it wants key ID and key of one."""

    code = "gateway-acme-binding-wanted"


class AcmeRefused(Conflict):
    """The certificate authority refuses."""

    code = "gateway-acme-refused"


class AcmeNotReached(Conflict):
    """The certificate authority did not reach this site under its name, at port 443."""

    code = "gateway-acme-not-reached"


class FolderUnwritable(Unavailable):
    """The gateway's folder takes no file: a certificate could not be kept, so none is asked for."""

    code = "gateway-folder-unwritable"


class BindingKeyUnusable(Invalid):
    """The key of the external account is no base64url of at least 16 bytes."""

    code = "gateway-binding-key-unusable"
