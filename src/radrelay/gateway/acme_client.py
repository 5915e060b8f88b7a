"""Asks a certificate authority for a certificate (ACME, RFC 8555), proving the names by TLS itself (RFC 8737).

In go the account, its key and host names; out come a chain and the new key of it. The proof needs port 443 of the
names alone, which the relay passes on unread: the answer is given on site, where TLS ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import requests
from acme import challenges, client, errors, messages
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.errors import Error as JoseError
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC

from radrelay.errors import RadrelayError
from radrelay.gateway.acme_account import AcmeAccount
from radrelay.gateway.authority import new_key
from radrelay.gateway.challenges import Challenges
from radrelay.gateway.errors import (
    AcmeBindingWanted,
    AcmeNotReached,
    AcmeRefused,
    AcmeTermsOpen,
    AcmeUnclear,
    AcmeUnreachable,
)

ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")
REQUEST_S = 30
PATIENCE = timedelta(seconds=120)
ASKS = {"externalAccountRequired": AcmeBindingWanted, "userActionRequired": AcmeTermsOpen}


class _TlsAlpnResponse(challenges.KeyAuthorizationChallengeResponse):
    typ = "tls-alpn-01"


@challenges.Challenge.register
class _TlsAlpn(challenges.KeyAuthorizationChallenge):
    """The challenge of RFC 8737, which the library itself does not know."""

    typ = "tls-alpn-01"
    response_cls = _TlsAlpnResponse

    def validation(self, account_key: JWK, **_: object) -> bytes:
        """Return what the certificate of the proof holds."""
        return hashlib.sha256(self.key_authorization(account_key).encode()).digest()


class AcmeClient:
    """One account at one authority."""

    def __init__(self, account: AcmeAccount, key: ec.EllipticCurvePrivateKey) -> None:
        self._account = account
        self._key = JWKEC(key=key)
        trust = str(account.trust) if account.trust is not None else True
        self._net = client.ClientNetwork(
            self._key, alg=ES256, verify_ssl=trust, user_agent="radrelay", timeout=REQUEST_S  # type: ignore[arg-type]  # requests takes a path, too
        )  # fmt: skip
        self._client: client.ClientV2 | None = None

    def close(self) -> None:
        """Close the connections."""
        self._net.session.close()

    def order(self, hosts: Sequence[str], answers: Challenges) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
        """Return a chain (PEM) for names, and its key; raises `RadrelayError`."""
        with _told():
            asked = self._registered()
            key = new_key()
            order = asked.new_order(_request(key, hosts))
            deadline = datetime.now() + PATIENCE  # noqa: DTZ005  # the library's own clock
            with ExitStack() as standing:
                for one in order.authorizations:
                    if one.body.status != messages.STATUS_VALID:
                        self._prove(asked, one, answers, standing)
                order = asked.poll_authorizations(order, deadline)
            order = asked.finalize_order(order, deadline)
            return order.fullchain_pem.encode(), key

    def renewal(self, chain: bytes) -> datetime | None:
        """Return when the authority itself wants a certificate renewed (RFC 9773); None where it does not say."""
        with _told():
            when, _ = self._opened().renewal_time(chain)
        return when.astimezone(UTC) if when is not None else None

    def _opened(self) -> client.ClientV2:
        if self._client is None:
            found = client.ClientV2.get_directory(self._account.directory, self._net)
            found["newOrder"]  # raises KeyError
            self._client = client.ClientV2(found, self._net)
        return self._client

    def _registered(self) -> client.ClientV2:
        asked = self._opened()
        if self._net.account is not None:
            return asked
        account = self._account
        terms = getattr(asked.directory.meta, "terms_of_service", None)
        if terms and not account.terms_accepted:
            raise AcmeTermsOpen(f"the terms have to be accepted: {terms}", terms=terms)
        if account.binding is None and asked.external_account_required():
            raise AcmeBindingWanted
        bound = None
        if account.binding is not None:
            bound = messages.ExternalAccountBinding.from_data(
                self._key.public_key(), account.binding[0], account.binding[1], asked.directory
            )
        wanted = messages.NewRegistration.from_data(
            email=",".join(account.contacts) or None, terms_of_service_agreed=True, external_account_binding=bound
        )
        try:
            asked.new_account(wanted)
        except errors.ConflictError as known:
            self._net.account = messages.RegistrationResource(uri=known.location, body=messages.Registration())
        return asked

    def _prove(
        self, asked: client.ClientV2, one: messages.AuthorizationResource, answers: Challenges, standing: ExitStack
    ) -> None:
        """Stand ready to answer for a name, and say so."""
        host = one.body.identifier.value
        for offered in one.body.challenges:
            if isinstance(offered.chall, _TlsAlpn):
                response, digest = offered.chall.response_and_validation(self._key)
                standing.enter_context(answers.answering(host, *_proof(host, digest)))
                asked.answer_challenge(offered, response)
                return
        raise AcmeRefused(f"the authority takes no proof by TLS (tls-alpn-01) for {host}", detail=host)


def _proof(host: str, digest: bytes) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Return the certificate that proves a name (RFC 8737, 3), and its key."""
    key, now = new_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "challenge")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(ACME_IDENTIFIER, b"\x04\x20" + digest), critical=True)
    )
    return builder.sign(key, hashes.SHA256()), key


def _request(key: ec.EllipticCurvePrivateKey, hosts: Sequence[str]) -> bytes:
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.add_extension(names, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@contextmanager
def _told() -> Iterator[None]:
    """Say in our own words what goes wrong."""
    try:
        yield
    except RadrelayError:
        raise
    except errors.ValidationError as error:
        raise AcmeNotReached(_why(error), detail=_why(error)) from error
    except messages.Error as error:
        said = (error.detail or error.description or str(error.typ))[:500]
        raise ASKS.get(error.code or "", AcmeRefused)(said, detail=said) from error
    except (requests.RequestException, errors.TimeoutError) as error:
        raise AcmeUnreachable(detail=type(error).__name__) from error
    except errors.IssuanceError as error:
        said = (error.error.detail or "")[:500]
        raise AcmeRefused(said, detail=said) from error
    except (errors.Error, JoseError, KeyError, ValueError, AttributeError) as error:
        raise AcmeUnclear(detail=type(error).__name__) from error


def _why(error: errors.ValidationError) -> str:
    said = [
        f"{one.body.identifier.value}: {offered.error.detail}"
        for one in error.failed_authzrs
        for offered in one.body.challenges
        if offered.error is not None
    ]
    return "; ".join(said)[:500]
