"""Links as SMART Health Links: opened by what follows them, and by nobody without the key and the passcode."""

from __future__ import annotations

import base64
import io
import json
import uuid
import zipfile
from typing import Any
from urllib.parse import urlsplit

import pydicom
import pytest
from joserfc import jwe
from joserfc.jwk import OctKey

from radrelay.archive.models import Series, Study
from radrelay.importer.attempts import AttemptsInMemory
from radrelay.importer.connectors.health_link_errand import HealthLinkConnector, HealthLinkErrand
from radrelay.importer.errors import AnswerWrong, LinkExpiredThere, NotThere, PortalTrouble
from radrelay.web.health_links import _imaging_study
from tests.importer.portal import Kept
from tests.web.dlx.conftest import PIN, Provider, payload, reaching


def errand(provider: Provider, made: dict[str, Any]) -> HealthLinkErrand:
    known = HealthLinkConnector(reaching(), AttemptsInMemory(), now=provider.site.clock.now)
    lead = known.recognise(made["health"])
    assert lead is not None
    return known.open(lead)


def ask(provider: Provider, made: dict[str, Any], **body: object) -> Any:
    path = urlsplit(payload(made)["url"]).path
    return provider.site.client("198.51.100.9").post(path, json={"recipient": "a test", **body})


def unsealed(made: dict[str, Any], sealed: str) -> dict[str, Any]:
    key = OctKey.import_key(base64.urlsafe_b64decode(payload(made)["key"] + "="))
    told: dict[str, Any] = json.loads(jwe.decrypt_compact(sealed, key).plaintext or b"")
    return told


@pytest.mark.parametrize("protection", ["birth-date", "pin", "none"])
def test_a_health_link_leads_to_the_objects(provider: Provider, protection: str) -> None:
    right = {"birth-date": "24.12.1961", "pin": PIN, "none": ""}[protection]
    if protection == "birth-date":
        right = " - ".join(reversed(provider.born.split("-")))  # however it is typed
    made = provider.link(protection=protection, pin=PIN if protection == "pin" else "")
    told = payload(made)
    assert (told.get("flag"), told["label"], told["v"]) == (None if protection == "none" else "P", "Medical images", 1)
    assert len(told["key"]) == 43
    opened = errand(provider, made)
    questions = opened.ask()
    if questions:
        with pytest.raises(AnswerWrong) as wrong:
            opened.answer({"passcode": "000000"})
        assert wrong.value.facts["left"] == 4
        opened.answer({"passcode": right})
    [item] = opened.items()
    assert (item.study_uid, item.files, item.birth_date is not None) == (provider.study["study_uid"], 5, True)
    sink = Kept()
    opened.download(item, sink)
    with zipfile.ZipFile(io.BytesIO(sink.bytes)) as came:
        files = [pydicom.dcmread(came.open(one)) for one in came.namelist()]
    sent = {bytes(pydicom.dcmread(io.BytesIO(one)).PixelData) for one in provider.images}
    assert {bytes(one.PixelData) for one in files if "PixelData" in one} == sent
    detail = provider.detail(made)
    assert detail["uses"] == 1, "who asks again in the same visit uses nothing up"
    assert [one["kind"] for one in detail["accesses"]][:2] == ["downloaded", "opened"]


def test_wrong_passcodes_are_counted_and_asking_without_is_not(provider: Provider) -> None:
    made = provider.link(protection="pin", pin=PIN)
    for _ in range(7):
        assert (ask(provider, made).status_code, ask(provider, made).json()) == (401, {"remainingAttempts": 5})
    told = [ask(provider, made, passcode="777777").json()["remainingAttempts"] for _ in range(5)]
    assert told == [4, 3, 2, 1, 0]
    assert ask(provider, made, passcode=PIN).json() == {"remainingAttempts": 0}
    assert provider.detail(made)["state"] == "closed"


def test_what_is_over_or_never_was_opens_nothing(provider: Provider) -> None:
    revoked = provider.link(protection="pin", pin=PIN)
    provider.revoke(revoked)
    assert ask(provider, revoked, passcode=PIN).status_code == 404
    over = provider.end(provider.link(protection="pin", pin=PIN))
    assert ask(provider, over, passcode="777777").status_code == 401
    assert ask(provider, over, passcode=PIN).json() == {"status": "no-longer-valid", "files": []}
    with pytest.raises(LinkExpiredThere):
        errand(provider, over).answer({"passcode": PIN})
    used = provider.link(protection="none", max_uses=1)
    assert ask(provider, used).json()["status"] == "can-change"
    assert ask(provider, used).json()["status"] == "can-change", "the same program, in the same visit"
    with pytest.raises(LinkExpiredThere):
        errand(provider, used).ask()
    strange = provider.site.client().post(f"/shl/{'A' * 43}", json={"recipient": "a test", "passcode": PIN})
    assert (strange.status_code, strange.json()) == (404, {"code": "no-health-link"})
    looks = provider.link(may_download=False)
    assert (looks["health"], looks["health_qr"], looks["exchange"], looks["exchange_qr"]) == ("", "", "", "")


def test_a_file_that_is_not_embedded_is_fetched_with_its_address(provider: Provider) -> None:
    made, other = provider.link(protection="none"), provider.link(protection="none")
    answer = ask(provider, made, embeddedLengthMax=10)
    assert answer.headers["access-control-allow-origin"] == "*"
    [file] = answer.json()["files"]
    assert (file["contentType"], "embedded" in file) == ("application/fhir+json;fhirVersion=4.0.1", False)
    path = urlsplit(file["location"]).path
    bundle = unsealed(made, provider.site.client().get(path).text)
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert kinds == ["Patient", "ImagingStudy", "Endpoint"]
    address, ticket = path.rsplit("/", 2)[1:]
    foreign = urlsplit(payload(other)["url"]).path
    assert provider.site.client().get(f"{foreign}/{ticket}").status_code == 404
    assert provider.site.client().get(f"/shl/{address}/{ticket[:-3]}AAA").status_code == 401
    root, [bearer] = (bundle["entry"][2]["resource"][name] for name in ("address", "header"))
    assert urlsplit(root).path == "/dicom-web"
    headers = {"Authorization": bearer.partition(": ")[2]}
    http, uid = provider.site.client("198.51.100.9"), provider.study["study_uid"]
    for within, status in ((f"studies/{uid}/instances", 200), (f"studies/{uid}/series", 200), ("studies", 403),
                           (f"studies/{uid}/metadata", 403), ("studies/1.2.3", 404)):  # fmt: skip
        assert http.get(f"/dicom-web/{within}", headers=headers).status_code == status, within
    provider.revoke(made)
    assert http.get(f"/dicom-web/studies/{uid}/instances", headers=headers).status_code == 401
    with pytest.raises(NotThere):
        errand(provider, made).ask()


def test_what_there_is_none_of_is_left_out_of_the_bundle() -> None:
    study = Study(id=uuid.uuid4(), study_uid="1.2.3", study_date=None, description="")
    assert {"modality", "series"} & set(_imaging_study(study, ())) == set()
    unsaid = Series(series_uid="1.2.3.4", number=None, modality="", description="", instance_count=2)
    told = _imaging_study(study, [unsaid])
    assert "modality" not in told
    assert told["series"] == [
        {
            "uid": "1.2.3.4", "numberOfInstances": 2,
            "modality": {"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "OT"},
        }
    ]  # fmt: skip


def test_another_site_may_ask_and_a_wrong_key_opens_nothing(provider: Provider) -> None:
    made = provider.link(protection="none")
    asked = provider.site.client().options(urlsplit(payload(made)["url"]).path)
    assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (204, "POST")
    text = base64.urlsafe_b64encode(json.dumps({**payload(made), "key": "A" * 43}).encode()).decode().rstrip("=")
    opened = errand(provider, {"health": f"shlink:/{text}"})
    opened.ask()
    with pytest.raises(PortalTrouble):
        opened.items()
