"""Letters on their way: what a person gets, and what becomes of letters when the server is away, wrong or refuses."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import trustme
from pydantic import ValidationError

from radrelay.app.mail import mail_findings, mail_test_command
from radrelay.mail import require_address
from radrelay.mail.errors import AddressInvalid, RecipientRefused
from radrelay.mail.letters import KINDS, write
from radrelay.mail.models import MailLetter
from radrelay.mail.sending import Postman
from radrelay.settings import MailSettings, Settings
from tests.backends import settings_for
from tests.mail.conftest import Office, OpenOffice
from tests.mail.smtp_server import MailHost


def test_a_letter_is_sent_over_tls_says_who_it_is_from_and_is_forgotten(office: Office) -> None:
    office.write(whom="Dr. Änne Groß\r\nBcc: everybody@elsewhere.example")
    with office.site.database.read() as session:
        sealed = session.scalars(sa.select(MailLetter.sealed)).one()
    assert sealed is not None
    assert b"Mailserver" not in sealed, "nobody who reads the database reads letters, or the links in them"
    assert office.wait(0) == 1
    letter = office.host.letters[0]
    assert letter["Subject"] == "Radrelay: Probenachricht"
    assert letter["From"] == "Radrelay <radrelay@clinic.example>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter["Bcc"] is None
    assert "Guten Tag Dr. Änne Groß Bcc: everybody@elsewhere.example," in letter.get_content()
    assert office.host.recipients == ["anna@clinic.example"]
    with office.site.database.read() as session:
        row = session.scalars(sa.select(MailLetter)).one()
    assert (row.state, row.sealed) == ("sent", None)
    assert office.wait(5) == 0


def test_letters_wait_while_the_server_is_away_and_go_when_it_is_back(office: Office) -> None:
    office.host.stop()
    office.write()
    office.write("ben@clinic.example")
    assert office.wait(0) == 0
    waiting = office.letters()
    assert [one.trouble_code for one in waiting] == ["mail-server-away"] * 2
    assert "does not answer" in waiting[0].trouble_detail
    assert office.wait(1) == 0, "a server that is away is left alone for some seconds"
    office.host.start()
    assert office.wait(10) == 2
    assert [one.trouble_code for one in office.letters()] == ["", ""]


def test_nothing_is_said_to_a_server_whose_certificate_does_not_hold(office: Office, authority: trustme.CA) -> None:
    host = office.host
    for wrong, name in ((trustme.CA(), "localhost"), (authority, "another.example")):
        host.stop()
        host.authority, host.name = wrong, name
        host.start()
        office.write()
        office.wait(60)
        assert {one.trouble_code for one in office.letters()} == {"mail-certificate"}
        findings = list(mail_findings(office.site.settings))
        assert (findings[0].state, "certificate" in findings[0].text) == ("bad", True)
    assert host.recipients == []
    host.stop()
    host.authority, host.name = authority, "localhost"
    host.start()
    assert office.wait(60) == 2
    assert next(mail_findings(office.site.settings)).state == "good"


def test_a_recipient_that_is_refused_for_good_is_shown_and_keeps_no_other_from_its_letter(office: Office) -> None:
    office.host.answers = {"nobody@clinic.example": "550 no such user", "grey@clinic.example": "451 try again"}
    for recipient in ("nobody@clinic.example", "grey@clinic.example", "anna@clinic.example"):
        office.write(recipient)
    assert office.wait(0) == 1
    found = {one.recipient: one for one in office.letters()}
    assert (found["nobody@clinic.example"].state, found["nobody@clinic.example"].trouble_code) == (
        "failed", "mail-recipient",
    )  # fmt: skip
    assert "550 no such user" in found["nobody@clinic.example"].trouble_detail
    assert (found["grey@clinic.example"].state, found["grey@clinic.example"].trouble_code) == (
        "waiting",
        "mail-put-off",
    )
    office.host.answers = {}
    assert office.wait(5) == 0, "it is tried again after ten seconds"
    assert office.wait(6) == 1
    assert [one.state for one in office.letters()].count("sent") == 2


def test_what_is_of_no_use_any_more_is_not_sent(office: Office) -> None:
    office.write(expires_at=office.site.clock.now() + timedelta(minutes=10))
    assert office.wait(601) == 0
    assert [(one.state, one.trouble_code) for one in office.letters()] == [("late", "mail-late")]
    assert office.host.letters == []


def test_a_letter_is_given_up_in_the_end(open_office: OpenOffice) -> None:
    office = open_office(give_up_s=3600)
    office.host.stop()
    office.write()
    for _ in range(3):
        office.wait(1300)
    assert [(one.state, one.trouble_code) for one in office.letters()] == [("late", "mail-server-away")]


def test_a_server_that_offers_no_tls_gets_neither_letter_nor_password(open_office: OpenOffice, host: MailHost) -> None:
    host.stop()
    host.protected = False
    host.start()
    office = open_office(username="radrelay", password="x")
    office.write()
    assert office.wait(0) == 0
    assert office.letters()[0].trouble_code == "mail-no-tls"
    assert host.recipients == []


def test_a_wrong_password_for_the_server_is_named(open_office: OpenOffice) -> None:
    office = open_office(password="wrong")
    office.write()
    assert office.wait(0) == 0
    assert office.letters()[0].trouble_code == "mail-login"


def test_a_crash_after_the_server_took_a_letter_sends_it_again_under_the_same_name(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*given: object) -> None:
        raise KeyboardInterrupt

    office.write()
    with monkeypatch.context() as patched:
        patched.setattr(Postman, "_end", crash)
        with pytest.raises(KeyboardInterrupt):
            office.wait(0)
    assert office.wait(60) == 0, "it is somebody's for three minutes"
    assert office.wait(130) == 1
    first, second = office.host.letters
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_letter_is_written_in_both_languages(kind: str) -> None:
    facts = {"username": "anna", "link": "https://pacs.example/password#x", "until": "soon", "pin": "012345"}
    facts |= dict.fromkeys(
        ("who", "at", "since", "studies", "patients", "gigabytes", "due", "days", "code", "rule", "n"), "7"
    )
    facts |= dict.fromkeys(("destination", "certificate", "subject", "machine", "file"), "PACS")
    facts |= dict.fromkeys(("host", "step", "report", "address", "born", "answers"), "–")
    german, english = (write(kind, language, "Haus", facts) for language in ("de", "en"))
    assert german.text != english.text
    for letter in (german, english):
        assert "{" not in letter.text + letter.subject
        assert max(map(len, letter.text.splitlines())) < 998


@pytest.mark.parametrize(
    "text",
    ["", "anna", "a@", "@b", "a b@c.de", "a@b\r\nBcc: x@y.de", "a@-b.de", "a" * 65 + "@b.de", "ä@b.de", "a@b..de"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressInvalid):
        require_address(text)


def test_addresses_are_compared_in_one_form() -> None:
    assert require_address(" Anna.Groß@x.de".replace("ß", "ss")) == "Anna.Gross@x.de"
    assert require_address("anna@KLINIK-Müller.de") == "anna@xn--klinik-mller-klb.de"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"host": "mail.example"}, "sender"),
        ({"host": "mail.example", "sender": "a@b.de", "security": "none"}, "security"),
        ({"host": "m", "sender": "a@b.de", "password": "x", "password_file": "/y"}, "password_file"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(given: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        MailSettings.model_validate(given)
    assert next(mail_findings(Settings())).state == "good", "no mail is no fault"


def test_the_command_line_sends_a_letter_at_once_or_says_why_not(
    tmp_path: Path, host: MailHost, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_for(tmp_path / "data", mail=host.settings(tmp_path))
    assert mail_test_command(settings, "ops@clinic.example") == 0
    assert "has taken a letter to ops@clinic.example" in capsys.readouterr().out
    assert host.letters[0]["Subject"] == "Radrelay: Test mail"
    host.answers = {"nobody@clinic.example": "550 no such user"}
    with pytest.raises(RecipientRefused, match="550 no such user"):
        mail_test_command(settings, "nobody@clinic.example")
