"""Rules on running installations: what a device sends is forwarded as they say, and nothing goes round."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.installation import Installation, running, tool, until
from tests.system.peers import Storescp
from tests.system.samples import Sample, digests, phantom_files, received


@pytest.fixture(scope="module")
def neighbour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Give another installation, by the title BETA."""
    with running(tmp_path_factory.mktemp("beta"), {"RADRELAY_DICOM__AE_TITLE": "BETA"}) as beta:
        yield beta


def destination(at: Installation, title: str, port: int) -> str:
    wanted = {"name": title, "ae_title": title, "host": "127.0.0.1", "port": port}
    return str(at.send("POST", "/api/destinations", wanted)["id"])


def rule(at: Installation, name: str, destination_id: str, **more: Any) -> str:
    actions = [{"kind": "forward", "destination_id": destination_id}]
    return str(at.send("POST", "/api/routing-rules", {"name": name, "actions": actions, **more})["id"])


def effects(at: Installation, study: str) -> dict[str, tuple[str, str]]:
    """Return what each rule's one action came to with a study, once all is done that rules have to do."""
    found = [one for one in at.get("/api/studies")["studies"] if one["study_uid"] == study]
    met = at.get(f"/api/studies/{found[0]['id']}/rules")["rules"] if found else []
    return {one["name"]: (one["effects"][0]["state"], one["effects"][0]["reason"]) for one in met}


def send(at: Installation, samples: list[Sample]) -> None:
    tool("storescu", "-aet", "CT1", "-aec", "RADRELAY", "127.0.0.1", at.dicom_port, *(one.path for one in samples))


def test_a_study_is_forwarded_by_rules_to_two_nodes_and_comes_back_from_neither(
    radrelay: Installation, neighbour: Installation, receiver: Storescp, tmp_path: Path
) -> None:
    alpha, beta = radrelay, neighbour
    when = [
        {"field": "calling_ae", "test": "is", "values": ["CT1"]},
        {"field": "Modality", "test": "is", "values": ["CT"]},
    ]
    rule(alpha, "To the archive", destination(alpha, "STORESCP", receiver.port), when=when)
    rule(alpha, "To the neighbour", destination(alpha, "BETA", beta.dicom_port), when=when)
    rule(beta, "To the neighbour", destination(beta, "RADRELAY", alpha.dicom_port))
    samples = phantom_files(tmp_path / "sent", "ct-head", seed=91, slices=4)
    others = phantom_files(tmp_path / "others", "mr-head", seed=92, slices=2)
    send(alpha, samples + others)
    until(lambda: len(received(receiver.folder)) == len(samples), "the node to have the study", 60)
    assert received(receiver.folder) == digests(one.data_set for one in samples)
    back = until(lambda: effects(beta, samples[0].study), "the neighbour's rule to meet the study", 60)
    assert back == {"To the neighbour": ("skipped", "came-from-there")}
    assert effects(alpha, samples[0].study) == {"To the archive": ("done", ""), "To the neighbour": ("done", "")}
    assert effects(alpha, others[0].study) == {}
    assert beta.get("/api/deliveries")["deliveries"] == []
    assert len(alpha.get("/api/deliveries")["deliveries"]) == 2
