"""A device sends to two AE titles: over a real association each object is in the list of the organisation it is for."""

from __future__ import annotations

import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from radrelay import access
from radrelay.app.listen import Reception
from radrelay.archive.instances import find_instances
from radrelay.identity import organisations
from radrelay.intake.landing import Landing
from radrelay.intake.sources import SourceBook, ensure_organisation_defaults
from radrelay.network.listener import DicomListener
from radrelay.network.ports import Services
from tests.app.house import House, house, settings_in
from tests.intake.samples import ct_file

SAME, FIRST, SECOND = "1.2.3.4.1", "1.2.3.4.2", "1.2.3.4.3"


def kept(there: House, organisation_id: UUID) -> dict[str, bytes]:
    """Return what an organisation has, by SOP Instance UID, as it is read back."""
    with there.core.database.read() as session:
        refs = find_instances(session, there.core.clock.now(), organisation_id=organisation_id)
    return {ref.sop_uid: there.reader.data_set(ref) for ref in refs}


def sent(called: str, port: int, folder: Path, *sop_uids: str) -> subprocess.CompletedProcess[str]:
    """Send objects with dcmtk; of both organisations they are of one study of one patient."""
    paths = [folder / f"{called}-{uid}.dcm" for uid in sop_uids]
    for path, uid in zip(paths, sop_uids, strict=True):
        path.write_bytes(ct_file(uid, note=f"for {called}"))
    command = ["storescu", "-v", "-aet", "CT1", "-aec", called, "localhost", str(port), *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.timeout(120)
def test_what_is_sent_to_two_titles_is_in_its_own_organisation_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with house(settings) as there:
        core, alpha = there.core, there.prepared.organisation_id
        with core.database.write() as session:
            beta = organisations.add(session, "Praxis Beta", "AT", core.clock.now()).id
            access.ensure_default_grants(session, beta, (), core.clock.now())
            ensure_organisation_defaults(session, beta, settings, core.clock.now())
            organisations.give_title(session, alpha, "RADRELAY", core.clock.now())
            organisations.give_title(session, beta, "BETA", core.clock.now())
        book = SourceBook(core.database, settings)
        book.refresh()
        landing = Landing.open(settings, "listen", core.keyring, core.clock, book)
        reception = Reception(landing, book)
        ports = settings.dicom.model_copy(update={"port": 0})
        listener = DicomListener(ports, Services(reception, reception, retrieve_ae=book.retrieve_ae))
        listener.start()
        port = listener.addresses[0].port
        try:
            for called, own in (("RADRELAY", FIRST), ("BETA", SECOND)):
                answer = sent(called, port, tmp_path, SAME, own)
                assert answer.returncode == 0, answer.stderr
            refused = sent("GAMMA", port, tmp_path, "1.2.3.4.4")
            assert refused.returncode != 0
            assert "Called AE Title Not Recognized" in refused.stdout + refused.stderr
        finally:
            listener.stop()
            landing.close()
        there.index()
        of_alpha, of_beta = kept(there, alpha), kept(there, beta)
        assert (set(of_alpha), set(of_beta)) == ({SAME, FIRST}, {SAME, SECOND})
        assert all(b"for RADRELAY" in data and b"for BETA" not in data for data in of_alpha.values())
        assert all(b"for BETA" in data and b"for RADRELAY" not in data for data in of_beta.values())
