"""A directory of the tests' own: Debian's slapd on free loopback ports, with TLS, ended by its process id.

One server holds three trees: `dc=example,dc=org` as an OpenLDAP site has it, `dc=ad,dc=example` with what Active
Directory calls things (its own schema and rules of comparison, which slapd's `msuser` lacks), and `dc=kcrb,dc=local`
for the sample of the collection. A test makes a branch of its own, so that none sees another's people.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bonsai
import trustme

from tests.ports import free_port

SLAPD = Path("/usr/sbin/slapd")
SCHEMAS = Path("/etc/ldap/schema")
START_S = 20.0
SITE, AD, SAMPLE = "dc=example,dc=org", "dc=ad,dc=example", "dc=kcrb,dc=local"
ROOT_PASSWORD, READER_PASSWORD = "root-secret", "reader-secret"
PASSWORD = "correct horse battery staple"
SIZE_LIMIT = 200  # of one answer without pages

AD_SCHEMA = """
attributetype ( 1.2.840.113556.1.4.221 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch
  SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.302 NAME 'sAMAccountType' EQUALITY integerMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.159 NAME 'accountExpires' EQUALITY integerMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.2.2 NAME 'whenCreated' EQUALITY generalizedTimeMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.4203.666.11.99 NAME 'employeeStatus' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 1.2.840.113556.1.5.9 NAME 'user' SUP organizationalPerson STRUCTURAL
  MAY ( sAMAccountName $ sAMAccountType $ userAccountControl $ accountExpires $ objectGUID $ displayName $ mail
  $ givenName $ whenCreated ) )
objectclass ( 1.2.840.113556.1.5.8 NAME 'group' SUP top STRUCTURAL MUST cn
  MAY ( sAMAccountName $ sAMAccountType $ objectGUID $ member ) )
objectclass ( 1.2.840.113556.1.3.23 NAME 'container' SUP top STRUCTURAL MUST cn )
objectclass ( 1.3.6.1.4.1.4203.666.11.100 NAME 'employed' SUP top AUXILIARY MAY employeeStatus )
"""
CONFIGURATION = """
include {schemas}/core.schema
include {schemas}/cosine.schema
include {schemas}/inetorgperson.schema
include {folder}/ad.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
moduleload back_monitor
pidfile {folder}/pid
argsfile {folder}/args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
sizelimit {limit}
"""
TREE = """
database mdb
suffix "{suffix}"
rootdn "cn=root,{suffix}"
rootpw {root}
directory {folder}/{name}
maxsize 67108864
dbnosync
limits dn.exact="cn=reader,{suffix}" size.soft={limit} size.hard={limit} size.prtotal=unlimited
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=reader,{suffix}" read by self read by * none
overlay ppolicy
"""


@dataclass
class Branch:
    """A part of a tree that one test has for itself; `dn` is its top, and what it has been filled with is its own."""

    server: Slapd
    suffix: str
    dn: str
    made: list[str] = field(default_factory=list)

    def add(self, rdn: str, classes: Sequence[str], values: Mapping[str, Any], below: str = "") -> str:
        """Add an entry and return its DN; `below` is a further part of the way down from the top."""
        dn = ",".join(part for part in (rdn, below, self.dn) if part)
        with self.server.as_root(self.suffix) as connection:
            entry = bonsai.LDAPEntry(dn)
            entry["objectClass"] = list(classes)
            for name, value in values.items():
                entry[name] = value
            connection.add(entry)
        return dn

    def person(self, login: str, **more: Any) -> str:
        """Add somebody as inetOrgPerson, whose password is `PASSWORD`."""
        values = {"cn": more.pop("cn", login), "sn": more.pop("sn", login), "userPassword": PASSWORD}
        rdn, below = more.pop("rdn", f"uid={login}"), more.pop("below", "")
        return self.add(rdn, ["inetOrgPerson", "employed"], {"uid": login, **values, **more}, below)

    def ad_person(self, login: str, guid: uuid.UUID | None = None, **more: Any) -> str:
        """Add somebody as Active Directory has them."""
        values = {
            "sn": login, "cn": login, "sAMAccountName": login, "sAMAccountType": "805306368",
            "userAccountControl": "512", "objectGUID": (guid or uuid.uuid4()).bytes_le, "userPassword": PASSWORD,
        }  # fmt: skip
        return self.add(more.pop("rdn", f"cn={login}"), ["user"], {**values, **more})

    def group(self, name: str, members: Sequence[str], kind: str = "groupOfNames") -> str:
        """Add a group of these DNs."""
        return self.add(f"cn={name}", [kind], {"cn": name, **({"member": list(members)} if members else {})})

    def set(self, dn: str, **values: Any) -> None:
        """Set attributes; None takes one away."""
        with self.server.as_root(self.suffix) as connection:
            entry = connection.search(dn, 0, "(objectClass=*)", ["*", "+"])[0]
            for name, value in values.items():
                if value is None:
                    del entry[name]
                else:
                    entry[name] = value
            entry.modify()

    def rename(self, dn: str, new: str) -> None:
        """Give an entry another DN, no deeper than its own: bonsai cuts off the rest."""
        with self.server.as_root(self.suffix) as connection:
            connection.search(dn, 0, "(objectClass=*)")[0].rename(new)

    def delete(self, dn: str) -> None:
        """Delete an entry and what is below it."""
        with self.server.as_root(self.suffix) as connection:
            connection.delete(dn, recursive=True)


@dataclass(frozen=True)
class Slapd:
    """A running server."""

    folder: Path
    ldaps: str
    ldap: str
    pid: int

    @property
    def under_another_name(self) -> str:
        """Return an address of the same server that its certificate does not name."""
        return self.ldaps.replace("127.0.0.1", "127.0.0.2")

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    @contextmanager
    def as_root(self, suffix: str) -> Iterator[bonsai.LDAPConnection]:
        client = bonsai.LDAPClient(self.ldaps)
        client.set_cert_policy("demand")
        client.set_ca_cert(str(self.ca_file))
        client.set_credentials("SIMPLE", f"cn=root,{suffix}", ROOT_PASSWORD)
        connection = client.connect(timeout=10)
        try:
            yield connection
        finally:
            connection.close()

    def branch(self, suffix: str = SITE) -> Branch:
        """Make an empty part of a tree."""
        top = Branch(self, suffix, suffix)
        return Branch(self, suffix, top.add(f"ou=b{uuid.uuid4().hex[:10]}", ["organizationalUnit"], {}))

    def section(self, base: str, suffix: str = SITE, **more: Any) -> dict[str, Any]:
        """Return what the settings say of this directory."""
        return {
            "urls": [self.ldaps], "ca_file": self.ca_file, "bind_dn": f"cn=reader,{suffix}", "base": base,
            "bind_password": READER_PASSWORD, "kind": "ldap" if suffix == SITE else "active-directory",
            "page_size": 100,
        } | more  # fmt: skip

    def environment(self, base: str, suffix: str = SITE, **more: Any) -> dict[str, str]:
        """Return the same as the environment of a process."""
        return {
            f"RADRELAY_DIRECTORY__{name.upper()}": json.dumps(value) if isinstance(value, dict | list) else str(value)
            for name, value in self.section(base, suffix, **more).items()
        }


@contextmanager
def server(ldif: Mapping[str, str], schema: str = "") -> Iterator[Slapd]:
    """Run a server, its trees filled with `ldif` by suffix beside their tops and reading accounts.

    `schema` is further schema, in slapd's own form.
    """
    if not SLAPD.exists():
        raise FileNotFoundError(f"no {SLAPD}: scripts/debian-packages test installs it")
    folder = Path(tempfile.mkdtemp(prefix="radrelay-slapd-"))
    try:
        _configure(folder, schema)
        for suffix in (SITE, AD, SAMPLE):
            _load(folder, suffix, ldif.get(suffix, ""))
        secure, plain = free_port(), free_port()
        urls = f"ldaps://127.0.0.1:{secure} ldaps://127.0.0.2:{secure} ldap://127.0.0.1:{plain}"
        with (folder / "log").open("wb") as log:
            command = [str(SLAPD), "-f", str(folder / "slapd.conf"), "-h", urls, "-d", "none"]
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
        try:
            found = Slapd(folder, f"ldaps://127.0.0.1:{secure}", f"ldap://127.0.0.1:{plain}", process.pid)
            _wait(found, process)
            yield found
        finally:
            process.terminate()
            process.wait(START_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path, schema: str) -> None:
    authority = trustme.CA()
    own = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    own.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
    own.private_key_pem.write_to_path(str(folder / "server.key"))
    (folder / "ad.schema").write_text(AD_SCHEMA + schema)
    parts = [CONFIGURATION.format(schemas=SCHEMAS, folder=folder, limit=SIZE_LIMIT)]
    for suffix in (SITE, AD, SAMPLE):
        (folder / _name(suffix)).mkdir()
        parts.append(
            TREE.format(suffix=suffix, root=ROOT_PASSWORD, folder=folder, name=_name(suffix), limit=SIZE_LIMIT)
        )
    parts.append(f'database monitor\nrootdn "cn=root,cn=Monitor"\nrootpw {ROOT_PASSWORD}\n')
    (folder / "slapd.conf").write_text("".join(parts))


def _load(folder: Path, suffix: str, ldif: str) -> None:
    top = f"dn: {suffix}\nobjectClass: dcObject\nobjectClass: organization\no: tests\ndc: {_name(suffix)}\n"
    reader = (
        f"dn: cn=reader,{suffix}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
        f"userPassword: {READER_PASSWORD}\n"
    )
    file = folder / f"{_name(suffix)}.ldif"
    file.write_text("\n".join((top, reader, ldif)), encoding="utf-8")
    command = ["/usr/sbin/slapadd", "-q", "-s", "-f", str(folder / "slapd.conf"), "-b", suffix, "-l", str(file)]
    done = subprocess.run(command, capture_output=True, check=False, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"slapadd: {done.stderr.decode(errors='replace')[-2000:]}")


def _name(suffix: str) -> str:
    return suffix.split(",", 1)[0].removeprefix("dc=")


def _wait(found: Slapd, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            with found.as_root(SITE):
                return
        except bonsai.LDAPError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (found.folder / "log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"slapd did not start: {error}: {log}") from error
            time.sleep(0.05)
