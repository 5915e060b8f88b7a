"""Write a site's own authorities as a database that Chromium reads in its home. Run by path, without anything else.

It is given a folder and a file of certificates in PEM. What it uses is NSS, which Chromium is linked with: the
functions are those that `certutil -A -t C,,` calls. It ends with 0 once all of them are trusted.
"""

from __future__ import annotations

import base64
import ctypes
import re
import sys
from pathlib import Path

LIBRARY = "libnss3.so"
_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END", re.DOTALL)


class _Item(ctypes.Structure):
    _fields_ = (("type", ctypes.c_uint), ("data", ctypes.c_char_p), ("len", ctypes.c_uint))


class _Trust(ctypes.Structure):
    _fields_ = (("ssl", ctypes.c_uint), ("email", ctypes.c_uint), ("objects", ctypes.c_uint))


def certificates_in(pem: bytes) -> list[bytes]:
    """Return the certificates of a file, as they are signed."""
    return [base64.b64decode(found) for found in _PEM.findall(pem)]


def trust(folder: Path, certificates: list[bytes]) -> None:
    """Make a database in a folder that vouches for portals by these certificates; raises `OSError`."""
    _require(bool(certificates))
    nss = ctypes.CDLL(LIBRARY)
    for name in ("PK11_GetInternalKeySlot", "CERT_GetDefaultCertDB", "CERT_NewTempCertificate"):
        getattr(nss, name).restype = ctypes.c_void_p
    _require(nss.NSS_InitReadWrite(f"sql:{folder}".encode()) == 0)
    slot, known = ctypes.c_void_p(nss.PK11_GetInternalKeySlot()), ctypes.c_void_p(nss.CERT_GetDefaultCertDB())
    if nss.PK11_NeedUserInit(slot):
        _require(nss.PK11_InitPin(slot, None, b"") == 0)
    as_authority = _Trust()
    _require(nss.CERT_DecodeTrustString(ctypes.byref(as_authority), b"C,,") == 0)
    for at, one in enumerate(certificates):
        item = _Item(0, one, len(one))
        made = ctypes.c_void_p(nss.CERT_NewTempCertificate(known, ctypes.byref(item), None, 0, 1))
        _require(bool(made.value))
        _require(nss.PK11_ImportCert(slot, made, ctypes.c_ulong(0), f"site {at}".encode(), 0) == 0)
        _require(nss.CERT_ChangeCertTrust(known, made, ctypes.byref(as_authority)) == 0)
    nss.PK11_FreeSlot(slot)
    nss.NSS_Shutdown()


def _require(done: bool) -> None:
    if not done:
        raise OSError("NSS does not take this")


if __name__ == "__main__":
    trust(Path(sys.argv[1]), certificates_in(Path(sys.argv[2]).read_bytes()))
