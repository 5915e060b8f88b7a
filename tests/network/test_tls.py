"""DICOM TLS: dcmtk as a client with and without a certificate, old versions refused, our own client."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from radrelay.errors import Misconfigured
from radrelay.network.client import echo
from radrelay.network.ports import Node, TlsFiles
from tests.network.conftest import StartListener
from tests.network.memory import MemoryArchive

Dcmtk = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA(key_type=trustme.KeyType.RSA)
    server = authority.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.RSA)
    client = authority.issue_cert("modality@example.org", common_name="modality-1", key_type=trustme.KeyType.RSA)
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name, certificate in (("server", server), ("client", client)):
        certificate.private_key_pem.write_to_path(folder / f"{name}.key")
        for part in certificate.cert_chain_pems:
            part.write_to_path(folder / f"{name}.pem", append=True)
    return folder


def tls_settings(files: Path, *, with_ca: bool) -> dict[str, object]:
    settings: dict[str, object] = {
        "tls_port": 0,
        "tls_certificate": files / "server.pem",
        "tls_key": files / "server.key",
    }
    return settings | ({"tls_ca": files / "ca.pem"} if with_ca else {})


def tls_port(start: StartListener, files: Path, *, with_ca: bool) -> int:
    listener = start(**tls_settings(files, with_ca=with_ca))
    return next(address.port for address in listener.addresses if address.tls)


def test_echoscu_over_tls(dcmtk: Dcmtk, start: StartListener, files: Path) -> None:
    port = tls_port(start, files, with_ca=False)
    answer = dcmtk("echoscu", "-v", "+tla", "+cf", files / "ca.pem", "localhost", port)
    assert answer.returncode == 0, answer.stderr


def test_client_certificate_is_demanded_and_named(
    dcmtk: Dcmtk, start: StartListener, files: Path, archive: MemoryArchive
) -> None:
    port = tls_port(start, files, with_ca=True)
    assert dcmtk("echoscu", "+tla", "+cf", files / "ca.pem", "localhost", port).returncode != 0
    answer = dcmtk(
        "echoscu", "+tls", files / "client.key", files / "client.pem", "+cf", files / "ca.pem", "localhost", port
    )
    assert answer.returncode == 0, answer.stderr
    assert archive.peers[-1].tls_subject == "modality-1"
    assert len(archive.peers[-1].tls_fingerprint or "") == 64


def test_storescu_over_tls(
    dcmtk: Dcmtk, start: StartListener, files: Path, archive: MemoryArchive, ct_path: Path
) -> None:
    port = tls_port(start, files, with_ca=False)
    answer = dcmtk("storescu", "+tla", "+cf", files / "ca.pem", "localhost", port, ct_path)
    assert answer.returncode == 0, answer.stderr
    assert len(archive.objects) == 1


def test_old_tls_and_plain_dicom_are_refused_and_harm_nobody(start: StartListener, files: Path) -> None:
    port = tls_port(start, files, with_ca=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", port)) as sock, pytest.raises(ssl.SSLError):
        context.wrap_socket(sock)
    assert not echo(Node("127.0.0.1", port, "RADRELAY", response_timeout_s=5)).ok
    assert echo(Node("127.0.0.1", port, "RADRELAY", tls=TlsFiles(ca=str(files / "ca.pem")))).ok


def test_untrusted_certificate_is_told_in_words(start: StartListener, files: Path) -> None:
    port = tls_port(start, files, with_ca=False)
    result = echo(Node("127.0.0.1", port, "RADRELAY", tls=TlsFiles()))
    assert result.error is not None
    assert result.error.code == "certificate-untrusted"
    assert "is not trusted" in result.error.message


def test_missing_certificate_names_the_setting(start: StartListener) -> None:
    with pytest.raises(Misconfigured, match="tls_certificate"):
        start(tls_port=0)
