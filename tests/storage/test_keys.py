"""The keyring: nothing is made anew in silence, and what is rotated stays readable."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest

from radrelay.errors import Misconfigured, Unavailable
from radrelay.settings import Settings
from radrelay.storage import durable_files, keyring_place, keys
from radrelay.storage.keys import KeyMissing, Keyring, KeyUnfit, UnwrapFailed


def master_file(settings: Settings) -> Path:
    return settings.data_dir.with_name("data.master-key")


def test_new_installation_gets_keys_outside_the_data_directory(settings: Settings) -> None:
    with pytest.raises(KeyMissing, match="there is no keyring"):
        Keyring.open(settings)
    keyring = Keyring.open(settings, create=True)
    assert keyring.master_path == master_file(settings).absolute()
    assert master_file(settings).stat().st_mode & 0o777 == 0o600
    assert (settings.keys_dir / "keyring.json").stat().st_mode & 0o777 == 0o600
    again = Keyring.open(settings)
    assert (again.metadata_key, again.link_key) == (keyring.metadata_key, keyring.link_key)
    assert len({keyring.metadata_key, keyring.link_key, keyring.derive("study keys")}) == 3
    stored = (settings.keys_dir / "keyring.json").read_text()
    assert keyring.metadata_key.hex() not in stored
    assert json.loads(stored)["format"] == 1


def test_missing_master_key_refuses_and_says_what_to_do(settings: Settings, keyring: Keyring) -> None:
    master_file(settings).unlink()
    for create in (False, True):
        with pytest.raises(KeyMissing, match=r"Put the file back .* keys.master_file .* not made anew"):
            Keyring.open(settings, create=create)
    assert not master_file(settings).exists()


@pytest.mark.embedded(reason="on PostgreSQL it is taken back from the database")
def test_missing_keyring_is_not_made_anew_over_data(settings: Settings, keyring: Keyring) -> None:
    (settings.keys_dir / "keyring.json").unlink()
    (settings.data_dir / "radrelay.sqlite").write_bytes(b"rows")
    with pytest.raises(KeyMissing, match=r"keyring.json is gone, but .*radrelay.sqlite is there"):
        Keyring.open(settings, create=True)


def test_foreign_master_key_is_recognised(settings: Settings, keyring: Keyring) -> None:
    master_file(settings).write_text("ab" * 32)
    with pytest.raises(KeyUnfit, match="is not the one"):
        Keyring.open(settings)


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "ab" * 33])
def test_malformed_master_key_is_recognised(settings: Settings, keyring: Keyring, text: str) -> None:
    master_file(settings).write_text(text)
    with pytest.raises(KeyUnfit, match="64 hexadecimal digits"):
        Keyring.open(settings)


def test_damaged_keyring_is_recognised(settings: Settings, keyring: Keyring) -> None:
    path = settings.keys_dir / "keyring.json"
    good = path.read_text()
    path.write_text(good[:-10])
    with pytest.raises(KeyUnfit, match="damaged"):
        Keyring.open(settings)
    stored = json.loads(good)
    stored["link"]["wrapped"], stored["metadata"]["wrapped"] = stored["metadata"]["wrapped"], stored["link"]["wrapped"]
    path.write_text(json.dumps(stored))
    with pytest.raises(KeyUnfit, match="does not open"):
        Keyring.open(settings)


def test_master_key_that_everybody_may_read_is_refused(settings: Settings, keyring: Keyring) -> None:
    master_file(settings).chmod(0o644)
    with pytest.raises(Misconfigured, match="chmod 600"):
        Keyring.open(settings)


def test_master_key_inside_the_data_directory_is_refused(settings: Settings) -> None:
    keys = settings.keys.model_copy(update={"master_file": settings.data_dir / "keys" / "master"})
    inside = settings.model_copy(update={"keys": keys})
    with pytest.raises(Misconfigured, match="inside the data directory"):
        Keyring.open(inside, create=True)


def test_master_key_from_a_systemd_credential(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "radrelay-master").write_text("cd" * 32 + "\n")
    (tmp_path / "radrelay-master").chmod(0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    keyring = Keyring.open(settings, create=True)
    assert not master_file(settings).exists()
    with pytest.raises(Misconfigured, match="systemd credential"):
        keyring.rotate_master()
    keyring.rotate_master(bytes.fromhex("ef" * 32))
    with pytest.raises(KeyUnfit):
        Keyring.open(settings)
    (tmp_path / "radrelay-master").chmod(0o600)
    (tmp_path / "radrelay-master").write_text("ef" * 32)
    assert Keyring.open(settings).metadata_key == keyring.metadata_key


def test_wrapped_key_opens_in_its_context_only(keyring: Keyring) -> None:
    wrapped = keyring.wrap(b"k" * 32, b"here")
    assert keyring.unwrap(wrapped, b"here") == b"k" * 32
    with pytest.raises(UnwrapFailed):
        keyring.unwrap(wrapped, b"there")
    with pytest.raises(UnwrapFailed):
        keyring.unwrap(wrapped[:-1] + bytes([wrapped[-1] ^ 1]), b"here")
    with pytest.raises(UnwrapFailed, match="version 77"):
        keyring.unwrap((77).to_bytes(4, "big") + wrapped[4:], b"here")


@pytest.mark.embedded(reason="older image keys are kept on PostgreSQL")
def test_rotation_keeps_reading_what_is_older_also_in_other_processes(settings: Settings, keyring: Keyring) -> None:
    other = Keyring.open(settings)
    old = keyring.wrap(b"k" * 32, b"")
    assert keyring.rotate() == 2
    new = keyring.wrap(b"n" * 32, b"")
    assert new[:4] == (2).to_bytes(4, "big")
    assert (keyring.unwrap(old, b""), other.unwrap(new, b"")) == (b"k" * 32, b"n" * 32)
    assert keyring.retire(lambda: {1}) == []
    assert keyring.retire(set) == [1]
    with pytest.raises(UnwrapFailed):
        Keyring.open(settings).unwrap(old, b"")
    assert Keyring.open(settings).unwrap(new, b"") == b"n" * 32


@pytest.mark.embedded(reason="older image keys are kept on PostgreSQL")
def test_a_version_is_not_destroyed_while_something_is_being_wrapped_under_it(
    settings: Settings, keyring: Keyring
) -> None:
    other = Keyring.open(settings)
    in_use: set[int] = set()
    with other.wrapping() as wrap:
        wrapped = wrap(b"k" * 32, b"")
        rotation = threading.Thread(target=lambda: (keyring.rotate(), keyring.retire(lambda: in_use)))
        rotation.start()
        rotation.join(0.3)
        in_use.add(int.from_bytes(wrapped[:4], "big"))  # what was wrapped is stored, and seen from now on
        assert rotation.is_alive()
    rotation.join(10)
    assert Keyring.open(settings).unwrap(wrapped, b"") == b"k" * 32
    with other.wrapping() as wrap:
        assert wrap(b"n" * 32, b"")[:4] == (2).to_bytes(4, "big")


@pytest.fixture
def mirrored(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"keys": settings.keys.model_copy(update={"mirror": tmp_path / "mirror"})})


@pytest.mark.embedded(reason="older image keys are kept on PostgreSQL")
def test_lost_keyring_is_taken_back_from_the_mirror_after_any_rotation(mirrored: Settings, tmp_path: Path) -> None:
    keyring = Keyring.open(mirrored, create=True)
    keyring.rotate()
    keyring.rotate_master()
    keyring.retire(set)
    wrapped = keyring.wrap(b"k" * 32, b"")
    shutil.rmtree(mirrored.data_dir)
    assert Keyring.open(mirrored, create=True).unwrap(wrapped, b"") == b"k" * 32
    assert json.loads((tmp_path / "mirror" / "keyring.json").read_text())["current"] == 2


def test_an_older_keyring_put_back_is_brought_up_to_the_mirror(mirrored: Settings) -> None:
    keyring = Keyring.open(mirrored, create=True)
    old = (mirrored.keys_dir / "keyring.json").read_bytes()
    keyring.rotate()
    wrapped = keyring.wrap(b"k" * 32, b"")
    (mirrored.keys_dir / "keyring.json").write_bytes(old)
    assert Keyring.open(mirrored).unwrap(wrapped, b"") == b"k" * 32


@pytest.mark.embedded(reason="older image keys are kept on PostgreSQL")
@pytest.mark.parametrize("change", ["rotate", "retire", "rotate_master"])
@pytest.mark.parametrize("writes", range(4))
def test_a_crash_between_keyring_and_mirror_is_made_good(
    mirrored: Settings, change: str, writes: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keyring = Keyring.open(mirrored, create=True)
    if change == "retire":
        keyring.rotate()
    wrapped = keyring.wrap(b"k" * 32, b"")
    left = [writes]

    def until_crash(path: Path, content: bytes, mode: int = 0o600) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        durable_files.write_durably(path, content, mode)

    def retire() -> object:
        return keyring.retire(set)

    doing: dict[str, Callable[[], object]] = {
        "rotate": keyring.rotate,
        "retire": retire,
        "rotate_master": keyring.rotate_master,
    }
    for module in (keys, keyring_place):
        monkeypatch.setattr(module, "write_durably", until_crash)
    with suppress(KeyboardInterrupt):
        doing[change]()
    monkeypatch.undo()
    opened = Keyring.open(mirrored)
    assert opened.unwrap(wrapped, b"") == b"k" * 32
    assert (mirrored.keys_dir / "keyring.json").read_bytes() == (tmp_path / "mirror/keyring.json").read_bytes()
    opened.rotate()
    opened.rotate_master()
    shutil.rmtree(mirrored.data_dir)
    assert Keyring.open(mirrored, create=True).unwrap(wrapped, b"") == b"k" * 32


@pytest.mark.embedded(reason="on PostgreSQL the two would have one keyring")
def test_the_mirror_of_another_installation_is_left_alone(mirrored: Settings, tmp_path: Path) -> None:
    Keyring.open(mirrored, create=True)
    before = (tmp_path / "mirror" / "keyring.json").read_bytes()
    other = mirrored.model_copy(update={"data_dir": tmp_path / "other"})
    plain = other.model_copy(update={"keys": other.keys.model_copy(update={"mirror": None})})
    Keyring.open(plain, create=True)
    with pytest.raises(KeyUnfit, match="mirror"):
        Keyring.open(other)
    assert (tmp_path / "mirror" / "keyring.json").read_bytes() == before


def test_a_rotation_whose_mirror_cannot_be_written_changes_nothing(mirrored: Settings, tmp_path: Path) -> None:
    keyring = Keyring.open(mirrored, create=True)
    shutil.rmtree(tmp_path / "mirror")
    (tmp_path / "mirror").write_text("in the way")
    with pytest.raises(Unavailable):
        keyring.rotate()
    assert keyring.image_version == 1
    assert json.loads((mirrored.keys_dir / "keyring.json").read_text())["current"] == 1


def test_new_master_key_replaces_the_old_one(settings: Settings, keyring: Keyring) -> None:
    before = master_file(settings).read_text()
    wrapped = keyring.wrap(b"k" * 32, b"")
    keyring.rotate_master()
    assert master_file(settings).read_text() != before
    assert Keyring.open(settings).unwrap(wrapped, b"") == b"k" * 32
    master_file(settings).write_text(before)
    with pytest.raises(KeyUnfit):
        Keyring.open(settings)


@pytest.mark.parametrize("crash", ["before the keyring", "after the keyring"])
def test_interrupted_change_of_the_master_key_is_finished_or_forgotten(
    settings: Settings, keyring: Keyring, crash: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = keyring.wrap(b"k" * 32, b"")
    writes = 1 if crash == "before the keyring" else 2

    def until_crash(path: Path, content: bytes, mode: int = 0o600) -> None:
        nonlocal writes
        if writes == 0:
            raise KeyboardInterrupt
        writes -= 1
        durable_files.write_durably(path, content, mode)

    for module in (keys, keyring_place):
        monkeypatch.setattr(module, "write_durably", until_crash)
    with pytest.raises(KeyboardInterrupt):
        keyring.rotate_master()
    monkeypatch.undo()
    assert Keyring.open(settings).unwrap(wrapped, b"") == b"k" * 32
    Keyring.open(settings).rotate_master()
    assert Keyring.open(settings).unwrap(wrapped, b"") == b"k" * 32


def test_pack_names_tell_nothing_and_do_not_change(settings: Settings, keyring: Keyring) -> None:
    pack_id = uuid4()
    name = keyring.pack_name(pack_id)
    assert len(name) == 65
    assert name[2] == "/"
    assert pack_id.hex not in name
    keyring.rotate()
    assert Keyring.open(settings).pack_name(pack_id) == name
