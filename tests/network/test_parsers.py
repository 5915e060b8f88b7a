"""Parsers of PDUs, commands and identifiers against anything, and against their own writers."""

from __future__ import annotations

import io
import socket
import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.filereader import read_dataset

from radrelay.network import command, identifier, pdu
from radrelay.network.errors import AssociationEnded, ProtocolViolation
from radrelay.network.identifier import IdentifierMalformed
from radrelay.network.negotiation import choose_transfer_syntax, negotiate
from radrelay.network.ports import Element
from radrelay.network.sop_classes import IDENTIFIER_SYNTAXES, Service, service_of
from radrelay.network.upper_layer import Channel
from tests.network.memory import encoded

uids = st.lists(st.integers(0, 99999), min_size=2, max_size=8).map(lambda parts: ".".join(map(str, parts)))
titles = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789", max_size=16)
users = st.builds(
    pdu.UserInformation,
    maximum_length=st.integers(0, 0xFFFFFFFF),
    implementation_class_uid=uids,
    implementation_version=titles,
    async_window=st.none() | st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF)),
    roles=st.lists(st.builds(pdu.Role, uids, st.booleans(), st.booleans()), max_size=3).map(tuple),
    extended=st.lists(st.builds(pdu.Extended, uids, st.binary(max_size=8)), max_size=3).map(tuple),
)
contexts = st.lists(st.tuples(uids, st.lists(uids, min_size=1, max_size=4).map(tuple)), min_size=1, max_size=6).map(
    lambda pairs: tuple(pdu.ProposedContext(2 * i + 1, *pair) for i, pair in enumerate(pairs))
)
requests = st.builds(
    pdu.AssociateRequest,
    st.just(1),
    st.builds(pdu.titles, titles, titles),
    st.just(pdu.APPLICATION_CONTEXT),
    contexts,
    users,
)


@given(requests)
def test_request_survives_the_wire(request: pdu.AssociateRequest) -> None:
    assert pdu.decode_request(pdu.encode_request(request)[6:]) == request


@given(requests)
def test_every_request_is_answered_for_every_context(request: pdu.AssociateRequest) -> None:
    agreement = negotiate(request, 131072, served=frozenset(Service))
    accept = pdu.decode_accept(agreement.answer[6:])
    assert [one.context_id for one in accept.contexts] == [one.context_id for one in request.contexts]
    assert {one.context_id for one in accept.contexts if one.result == 0} == set(agreement.contexts)


@given(requests, st.data())
def test_damaged_request_is_read_or_refused(request: pdu.AssociateRequest, data: st.DataObject) -> None:
    body = bytearray(pdu.encode_request(request)[6:])
    for _ in range(data.draw(st.integers(1, 5))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))])
    with suppress(ProtocolViolation):
        negotiate(pdu.decode_request(cut), 131072, served=frozenset(Service))


def test_even_or_repeated_context_numbers_are_refused() -> None:
    for numbers in ((2,), (1, 1)):
        proposed = tuple(pdu.ProposedContext(number, "1.2", ("1.2.840.10008.1.2",)) for number in numbers)
        request = pdu.AssociateRequest(
            1, pdu.titles("A", "B"), pdu.APPLICATION_CONTEXT, proposed, pdu.UserInformation()
        )
        with pytest.raises(ProtocolViolation):
            pdu.decode_request(pdu.encode_request(request)[6:])


@given(st.binary(max_size=300))
def test_any_bytes_are_a_command_or_a_violation(data: bytes) -> None:
    with suppress(ProtocolViolation):
        read = command.parse(data)
        _ = (read.has_data_set, read.sop_class_uid)


@given(st.dictionaries(st.integers(1, 0xFFFF), st.integers(0, 0xFFFF) | st.text("ABC.0123", max_size=20), max_size=20))
def test_command_survives_the_wire(values: dict[int, int | str]) -> None:
    data = command.build(values)
    read = command.parse(data)
    assert struct.unpack_from("<I", data, 8)[0] == len(data) - 12
    for element, value in values.items():
        assert (read.number(element) if isinstance(value, int) else read.text(element)) == value


@given(uids, uids, st.integers(0, 0xFFFF), st.text("abc ", max_size=80))
def test_fast_store_response_equals_the_general_one(sop_class: str, sop_uid: str, status: int, comment: str) -> None:
    request = command.parse(command.build({0x002: sop_class, 0x100: 1, 0x110: 9, 0x700: 0, 0x800: 1, 0x1000: sop_uid}))
    assert command.store_response(request, status, comment) == command.response(request, status, comment=comment)


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from(IDENTIFIER_SYNTAXES))
def test_any_bytes_are_an_identifier_or_malformed(data: bytes, syntax: str) -> None:
    with suppress(IdentifierMalformed):
        identifier.decode(data, syntax)


@settings(max_examples=200)
@given(st.binary(max_size=400))
def test_any_bytes_on_a_channel_end_it_properly(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        channel = Channel(ours, 131072, 5.0)
        with suppress(AssociationEnded):
            while True:
                channel.next_fragment()


ELEMENTS: list[Element] = [
    (0x00100010, "PN", "Müller^Jürgen"),
    (0x00081030, "LO", "Schädel"),
    (0x0020000D, "UI", "1.2.3"),
    (0x00280010, "US", "512\\7"),
    (0x00189087, "FD", "1.5"),
    (0x00041220, "SQ", [[(0x00080100, "SH", "C1")], []]),
    (0x00280009, "AT", "00181063"),
    (0x00400280, "ST", "x" * 70000),
]


@pytest.mark.parametrize("syntax", IDENTIFIER_SYNTAXES)
def test_match_is_read_by_pydicom_and_by_ourselves(syntax: str) -> None:
    data = identifier.encode(ELEMENTS, syntax)
    texts = {key.tag: key for key in identifier.decode(data, syntax)}
    assert texts[0x00100010].text == "Müller^Jürgen"
    assert texts[0x00280010].values == ("512", "7")
    assert texts[0x00041220].items[0][0].text == "C1"
    assert texts[0x00280009].text == "00181063"
    if syntax == "1.2.840.10008.1.2.1.99":
        return
    explicit, little = syntax != "1.2.840.10008.1.2", syntax != "1.2.840.10008.1.2.2"
    dataset = read_dataset(io.BytesIO(data), not explicit, little)
    assert dataset.PatientName == "Müller^Jürgen"
    assert dataset.Rows == [512, 7]
    assert len(dataset[0x00041220].value) == 2


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Äneas^Rüdiger"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 192", "山田^太郎"),
        ("ISO_IR 126", "Διονυσιος"),
    ],
)
def test_names_of_many_character_sets_are_decoded(charset: str, name: str) -> None:
    dataset = Dataset()
    dataset.SpecificCharacterSet = charset
    dataset.PatientName = name
    (key,) = identifier.decode(encoded(dataset, "1.2.840.10008.1.2.1"), "1.2.840.10008.1.2.1")
    assert key.text == name


def test_deflated_bomb_is_refused() -> None:
    bomb = identifier.encode([(0x00400280, "ST", "x" * 5_000_000)], "1.2.840.10008.1.2.1.99")
    assert len(bomb) < 20_000
    with pytest.raises(IdentifierMalformed):
        identifier.decode(bomb, "1.2.840.10008.1.2.1.99")


def test_deep_nesting_is_refused() -> None:
    inner: list[Element] = []
    for _ in range(20):
        inner = [(0x00081140, "SQ", [inner])]
    with pytest.raises(IdentifierMalformed):
        identifier.decode(identifier.encode(inner, "1.2.840.10008.1.2"), "1.2.840.10008.1.2")


@pytest.mark.parametrize(
    ("proposed", "chosen"),
    [
        (("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.1"), "1.2.840.10008.1.2.4.70"),
        (("1.2.840.10008.1.2", "1.2.840.10008.1.2.1"), "1.2.840.10008.1.2.1"),
        (("1.2.840.10008.1.2.2", "1.2.840.10008.1.2"), "1.2.840.10008.1.2.2"),
        (("1.2.840.113619.5.2", "1.2.840.10008.1.2"), "1.2.840.10008.1.2"),
        (("1.2.840.113619.5.2",), "1.2.840.113619.5.2"),
        (("nonsense",), None),
        ((), None),
    ],
)
def test_transfer_syntax_is_the_senders_first(proposed: tuple[str, ...], chosen: str | None) -> None:
    assert choose_transfer_syntax(Service.STORAGE, proposed) == chosen


@pytest.mark.parametrize(
    ("uid", "service"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", Service.STORAGE),
        ("1.2.840.10008.5.1.4.1.1.999.1", Service.STORAGE),
        ("1.2.840.10008.5.1.4.34.7", Service.STORAGE),
        ("1.3.46.670589.2.3.1.1", Service.STORAGE),
        ("1.2.840.10008.1.1", Service.VERIFICATION),
        ("1.2.840.10008.5.1.4.31", Service.WORKLIST),
        ("1.2.840.10008.3.1.2.3.3", Service.PERFORMED_STEP),
        ("1.2.840.10008.5.1.1.9", None),
        ("1.2.840.10008.1.3.10", None),
        ("1.2.840.10008.5.1.4.1.1.201.2", None),
        ("1.2.840.10008.3.1.1.1", None),
        ("hello", None),
        ("1." * 40 + "1", None),
    ],
)
def test_abstract_syntaxes_are_told_apart(uid: str, service: Service | None) -> None:
    assert service_of(uid) is service
