"""SRP-6a: proving that one knows a password to a server that never sees it (RFC 2945, RFC 5054).

Pure arithmetic over one group and one hash. Lengths in bytes; integers are big-endian, padded to the group's width
where RFC 5054 (section 2.5.3 and 2.6) pads them. The proofs are those of RFC 2945 with padded integers.

Python's `pow` does not run in constant time. What is secret in it here is drawn anew for each login (`b`), or raised
to an exponent that each login changes (`v`), so that no two measurements are of the same thing.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import cached_property

from radrelay.errors import Invalid


@dataclass(frozen=True)
class Group:
    """A safe prime `n` and a generator `g` of its group (RFC 5054 appendix A)."""

    n: int
    g: int

    @cached_property
    def width(self) -> int:
        """Return the length of the prime in bytes."""
        return (self.n.bit_length() + 7) // 8

    def pad(self, number: int) -> bytes:
        """Return a number of the group as bytes of the prime's length."""
        return number.to_bytes(self.width)


GROUP_2048 = Group(
    int(
        "AC6BDB41324A9A9BF166DE5E1389582FAF72B6651987EE07FC3192943DB56050A37329CBB4A099ED8193E0757767A13DD52312AB4B03310D"
        "CD7F48A9DA04FD50E8083969EDB767B0CF6095179A163AB3661A05FBD5FAAAE82918A9962F0B93B855F97993EC975EEAA80D740ADBF4FF74"
        "7359D041D5C33EA71D281E446B14773BCA97B43A23FB801676BD207A436C6481F1D2B9078717461A5B9D32E688F87748544523B524B0D57D"
        "5EA77A2775D2ECFA032CFBDBF52FB3786160279004E57AE6AF874E7303CE53299CCC041C7BC308D82A5698F3A8D0C38271AE35F8E9DBFBB6"
        "94B5C803D89F7AE435DE236D525F54759B65E372FCD68EF20FA7111F9E4AFF73",
        16,
    ),
    2,
)


@dataclass(frozen=True)
class Srp:
    """The protocol over a group and a hash (its name in `hashlib`)."""

    group: Group
    hash_name: str

    def digest(self, *parts: bytes) -> bytes:
        """Return the hash of the parts, one behind the other."""
        return hashlib.new(self.hash_name, b"".join(parts)).digest()

    @cached_property
    def multiplier(self) -> int:
        """Return k = H(N | PAD(g))."""
        return int.from_bytes(self.digest(self.group.pad(self.group.n), self.group.pad(self.group.g)))

    def private_key(self, identity: str, password: bytes, salt: bytes) -> int:
        """Return x = H(s | H(I | ":" | P)); `password` is what enters, stretched or not."""
        return int.from_bytes(self.digest(salt, self.digest(identity.encode(), b":", password)))

    def verifier(self, private_key: int) -> int:
        """Return v = g^x, what a server keeps."""
        return pow(self.group.g, private_key, self.group.n)

    def client_public(self, secret: int) -> int:
        """Return A = g^a."""
        return pow(self.group.g, secret, self.group.n)

    def server_public(self, verifier: int, secret: int) -> int:
        """Return B = k·v + g^b."""
        return (self.multiplier * verifier + pow(self.group.g, secret, self.group.n)) % self.group.n

    def scrambling(self, client_public: int, server_public: int) -> int:
        """Return u = H(PAD(A) | PAD(B))."""
        return int.from_bytes(self.digest(self.group.pad(client_public), self.group.pad(server_public)))

    def server_premaster(self, client_public: int, server_public: int, secret: int, verifier: int) -> int:
        """Return the server's S = (A·v^u)^b; raises `Invalid` where A ≡ 0, with which anybody could prove anything."""
        n = self.group.n
        if not 0 < client_public < n:
            raise Invalid("the client's public value lies outside the group", field="client_public")
        u = self.scrambling(client_public, server_public)
        return pow(client_public * pow(verifier, u, n) % n, secret, n)

    def client_premaster(self, server_public: int, client_public: int, secret: int, private_key: int) -> int:
        """Return the client's S = (B - k·g^x)^(a + u·x); raises `Invalid` for a B ≡ 0 or u = 0 (RFC 5054, 2.5.4)."""
        n = self.group.n
        u = self.scrambling(client_public, server_public) if 0 < server_public < n else 0
        if u == 0:
            raise Invalid("the server's public value lies outside the group")
        base = (server_public - self.multiplier * pow(self.group.g, private_key, n)) % n
        return pow(base, secret + u * private_key, n)

    def session_key(self, premaster: int) -> bytes:
        """Return K = H(PAD(S))."""
        return self.digest(self.group.pad(premaster))

    def client_proof(self, identity: str, salt: bytes, client_public: int, server_public: int, key: bytes) -> bytes:
        """Return M1 = H(H(N) xor H(PAD(g)) | H(I) | s | PAD(A) | PAD(B) | K)."""
        pad = self.group.pad
        group = bytes(
            one ^ other
            for one, other in zip(self.digest(pad(self.group.n)), self.digest(pad(self.group.g)), strict=True)
        )
        return self.digest(
            group, self.digest(identity.encode()), salt, pad(client_public), pad(server_public), key
        )  # fmt: skip

    def server_proof(self, client_public: int, client_proof: bytes, key: bytes) -> bytes:
        """Return M2 = H(PAD(A) | M1 | K), by which the client knows that the server has the verifier."""
        return self.digest(self.group.pad(client_public), client_proof, key)


SRP = Srp(GROUP_2048, "sha512")


def same(one: bytes, other: bytes) -> bool:
    """Compare two proofs in a time that tells nothing of them."""
    return hmac.compare_digest(one, other)
