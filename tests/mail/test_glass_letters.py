"""Who is told of broken glass is told by mail, too, and the letter names neither patient nor study nor reason."""

from __future__ import annotations

import sqlalchemy as sa

from radrelay import access
from radrelay.access import Grantee, Right, Target
from radrelay.access.models import Notice
from radrelay.identity.models import Account
from tests.mail.conftest import Office
from tests.web.test_studies import CT, only_study, upload


def test_the_officer_is_written_to_once_and_reads_there_that_it_happened_not_to_whom(office: Office) -> None:
    site = office.site
    ids = {name: site.account(name, role) for name, role in (("root", "admin"), ("anna", "user"), ("dpo", "dpo"),
                                                             ("deputy", "dpo"))}  # fmt: skip
    with site.database.write() as session:
        session.execute(sa.update(Account).where(Account.id == ids["dpo"]).values(email="dpo@clinic.example"))
        everything = Target("organisation")
        access.grant(session, site.organisation_id, Grantee("account", str(ids["anna"])), everything,
                     [Right.BREAK_GLASS], now=site.clock.now())  # fmt: skip
    root, anna = site.login("root"), site.login("anna")
    upload(site, root, CT)
    study = only_study(root)
    patient: dict[str, str] = study["patient"]  # type: ignore[assignment]
    body = {"kind": "patient", "value": patient["id"], "issuer": patient["issuer"]}
    assert root.http.post("/api/restrictions", json=body, headers=root.headers).status_code == 201
    wanted = {"patient_id": patient["id"], "kind": "emergency", "reason": "unconscious, before surgery"}
    for _ in range(2):
        assert anna.http.post("/api/broken-glass", json=wanted, headers=anna.headers).status_code == 201
    assert office.wait(0) == 1
    [letter] = office.host.letters
    assert office.host.recipients == ["dpo@clinic.example"]
    said = f"{letter['Subject']} {letter.get_content()}"
    assert "anna opened a restricted study to themselves for a reason on 01 March 2026, 12:00 UTC" in said
    for hidden in (patient["id"], patient["name"], study["id"], study["description"] or "-?-", "unconscious"):
        assert str(hidden) not in said
    with site.database.read() as session:
        mailed = dict(session.execute(sa.select(Notice.account_id, Notice.mailed_at)).all())
    assert (mailed[ids["dpo"]], mailed[ids["deputy"]]) == (site.clock.now(), None), "told on their page alone"
