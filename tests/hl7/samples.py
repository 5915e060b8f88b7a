"""Messages that tests send."""

from __future__ import annotations


def adt(
    event: str = "A01", control_id: str = "1", patient_id: str = "4711", *, name: str = "Müller^Anna",
    charset: str = "", version: str = "2.5", modes: str = "|", more: str = "", at: str = "20260301120000",
    born: str = "19800229", issuer: str = "HOSPITAL", place: str = "CHI^302^2^IN", visit: str = "",
) -> bytes:  # fmt: skip
    """Return an ADT message about a patient, in Latin-1, or in UTF-8 where MSH-18 says so."""
    head = f"MSH|^~\\&|KIS|ADT|RIS|RAD|{at}||ADT^{event}|{control_id}|P|{version}|||{modes}||{charset}"
    pid = f"PID|1||{patient_id}^^^{issuer}^PI||{name}||{born}|F"
    text = (
        "\r".join(
            filter(None, (head, f"EVN|{event}|20260301", pid, f"PV1|1|I|{place}{visit and '|' * 16 + visit}", more))
        )
        + "\r"
    )
    return text.encode("utf-8" if "UTF" in charset else "latin-1")


def merge(
    control_id: str, patient_id: str, prior_id: str, *, event: str = "A40", at: str = "20260301120000",
    prior_name: str = "", prior_issuer: str = "HOSPITAL", name: str = "Müller^Anna", issuer: str = "HOSPITAL",
) -> bytes:  # fmt: skip
    """Return a message that joins a patient to another."""
    gone = f"MRG|{prior_id}^^^{prior_issuer}^PI||||||{prior_name}"
    return adt(event, control_id, patient_id, more=gone, at=at, name=name, issuer=issuer)


def order(control_id: str = "7", study_uid: str = "1.2.3.4", more: str = "") -> bytes:
    """Return an order of a CT."""
    lines = (
        f"MSH|^~\\&|KIS|X|RIS|Y|20260301||OMI^O23|{control_id}|P|2.5.1||||||8859/1",
        "PID|||4711^^^HOSPITAL||Weiß^Jörg||19500101|M",
        "ORC|NW|PL1|FI1||SC",
        "TQ1|||||||20260302083000+0100||R",
        "OBR|1|PL1|FI1|CTHEAD^CT Schädel^99X||||||||||||^Groß^Bernhard^^^Dr.",
        f"IPC|ACC1|RP1|{study_uid}|SPS1|CT|P1^Nativ^99X|CT1|Raum 3|CT_A~CT_B",
        f"IPC|ACC1|RP1|{study_uid}|SPS2|CT",
        more,
    )
    return "\r".join(filter(None, lines)).encode("latin-1")


def msa(answer: bytes) -> list[str]:
    """Return the fields of an answer's MSA."""
    (line,) = (one for one in answer.split(b"\r") if one.startswith(b"MSA"))
    return line.decode("latin-1").split("|")
