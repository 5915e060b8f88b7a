"""Several nodes have one keyring, which only the installation's master key opens."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from radrelay.settings import Settings
from radrelay.storage import durable_files, keyring_place, keys
from radrelay.storage.keys import KeyMissing, Keyring, KeyringShared, KeyUnfit
from tests.postgres import drop_database, new_database


@pytest.fixture
def url(postgres_url: str) -> Iterator[str]:
    made = new_database(postgres_url)
    yield made
    drop_database(made)


def node(folder: Path, url: str) -> Settings:
    """Return the settings of a node with files of its own."""
    return Settings.model_validate(
        {"data_dir": folder / "data", "database": {"url": url}, "keys": {"master_file": folder / "master"}}
    )


def give_master(settings: Settings, to: Settings) -> None:
    assert settings.keys.master_file is not None
    assert to.keys.master_file is not None
    to.keys.master_file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(settings.keys.master_file, to.keys.master_file)


def test_a_new_node_takes_the_installations_keyring_with_its_master_key_alone(url: str, tmp_path: Path) -> None:
    first, second = node(tmp_path / "a", url), node(tmp_path / "b", url)
    keyring = Keyring.open(first, create=True)
    with pytest.raises(KeyMissing):
        Keyring.open(second, create=True)
    assert not (tmp_path / "b" / "master").exists()
    give_master(first, second)
    other = Keyring.open(second, create=True)
    assert (other.metadata_key, other.link_key) == (keyring.metadata_key, keyring.link_key)
    assert other.unwrap(keyring.wrap(b"k" * 32, b""), b"") == b"k" * 32


def test_a_node_with_another_master_key_is_refused(url: str, tmp_path: Path) -> None:
    Keyring.open(node(tmp_path / "a", url), create=True)
    stranger = node(tmp_path / "b", url)
    (tmp_path / "b").mkdir()
    assert stranger.keys.master_file is not None
    stranger.keys.master_file.write_text("ab" * 32)
    stranger.keys.master_file.chmod(0o600)
    with pytest.raises(KeyUnfit, match=r"is not the one that the installation in database\.url is wrapped under"):
        Keyring.open(stranger, create=True)
    assert not (stranger.keys_dir / "keyring.json").exists()


def test_a_data_directory_of_another_installation_is_refused_under_the_same_master_key(
    url: str, tmp_path: Path
) -> None:
    first = node(tmp_path / "a", url)
    Keyring.open(first, create=True)
    alone = first.model_copy(update={"data_dir": tmp_path / "b" / "data", "database": Settings().database})
    Keyring.open(alone, create=True)
    with pytest.raises(KeyUnfit, match="another installation"):
        Keyring.open(alone.model_copy(update={"database": first.database}), create=True)


def test_a_rotation_on_one_node_reaches_the_others_while_they_run(url: str, tmp_path: Path) -> None:
    first, second = node(tmp_path / "a", url), node(tmp_path / "b", url)
    keyring = Keyring.open(first, create=True)
    give_master(first, second)
    other = Keyring.open(second, create=True)
    keyring.rotate()
    assert other.unwrap(keyring.wrap(b"k" * 32, b""), b"") == b"k" * 32
    assert other.rotate() == 3
    assert keyring.rotate() == 4
    keyring.rotate_master()
    with pytest.raises(KeyUnfit):
        Keyring.open(second)
    give_master(first, second)
    assert Keyring.open(second).image_version == 4


def test_two_first_starts_at_once_agree(url: str, tmp_path: Path) -> None:
    both = [node(tmp_path / name, url) for name in ("a", "b")]
    master = tmp_path / "master"
    master.write_text("cd" * 32)
    master.chmod(0o600)
    found: list[bytes] = []

    def start(settings: Settings) -> None:
        (settings.data_dir.parent).mkdir()
        shutil.copy(master, settings.data_dir.parent / "master")
        found.append(Keyring.open(settings, create=True).metadata_key)

    threads = [threading.Thread(target=start, args=(settings,)) for settings in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert found[0] == found[1]


def test_keys_lost_with_the_database_come_back_from_a_nodes_file(url: str, postgres_url: str, tmp_path: Path) -> None:
    first = node(tmp_path / "a", url)
    keyring = Keyring.open(first, create=True)
    wrapped = keyring.wrap(b"k" * 32, b"")
    emptied = new_database(postgres_url)
    try:
        again = first.model_copy(update={"database": node(tmp_path, emptied).database})
        Keyring.open(again, create=True)
        second = node(tmp_path / "b", emptied)
        give_master(first, second)
        assert Keyring.open(second, create=True).unwrap(wrapped, b"") == b"k" * 32
    finally:
        drop_database(emptied)


def mirrored(settings: Settings, mirror: Path) -> Settings:
    return settings.model_copy(update={"keys": settings.keys.model_copy(update={"mirror": mirror})})


def test_no_older_key_is_destroyed_while_other_nodes_may_hold_what_is_under_it(url: str, tmp_path: Path) -> None:
    keyring = Keyring.open(node(tmp_path / "a", url), create=True)
    wrapped = keyring.wrap(b"k" * 32, b"")
    keyring.rotate()
    with pytest.raises(KeyringShared):
        keyring.retire(set)
    assert Keyring.open(node(tmp_path / "a", url)).unwrap(wrapped, b"") == b"k" * 32


@pytest.mark.parametrize("change", ["rotate", "rotate_master"])
@pytest.mark.parametrize("writes", range(4))
def test_a_crash_after_the_nodes_were_told_is_made_good_in_file_and_mirror(
    url: str, tmp_path: Path, change: str, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = mirrored(node(tmp_path / "a", url), tmp_path / "mirror")
    keyring = Keyring.open(first, create=True)
    wrapped = keyring.wrap(b"k" * 32, b"")
    left = [writes]

    def until_crash(path: Path, content: bytes, mode: int = 0o600) -> None:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        durable_files.write_durably(path, content, mode)

    for module in (keys, keyring_place):
        monkeypatch.setattr(module, "write_durably", until_crash)
    with suppress(KeyboardInterrupt):
        (keyring.rotate if change == "rotate" else keyring.rotate_master)()
    monkeypatch.undo()
    opened = Keyring.open(first, create=True)
    assert opened.unwrap(wrapped, b"") == b"k" * 32
    ours = (first.keys_dir / "keyring.json").read_bytes()
    assert ours == (tmp_path / "mirror" / "keyring.json").read_bytes()
    second = node(tmp_path / "b", url)
    give_master(first, second)
    assert Keyring.open(second, create=True).unwrap(wrapped, b"") == b"k" * 32
    assert (second.keys_dir / "keyring.json").read_bytes() == ours


def test_the_mirror_of_a_node_follows_what_another_did(url: str, postgres_url: str, tmp_path: Path) -> None:
    first, second = node(tmp_path / "a", url), mirrored(node(tmp_path / "b", url), tmp_path / "mirror")
    keyring = Keyring.open(first, create=True)
    give_master(first, second)
    other = Keyring.open(second, create=True)
    keyring.rotate()
    wrapped = keyring.wrap(b"k" * 32, b"")
    assert other.unwrap(wrapped, b"") == b"k" * 32
    shutil.rmtree(second.data_dir)
    emptied = new_database(postgres_url)
    try:
        again = second.model_copy(update={"database": node(tmp_path, emptied).database})
        assert Keyring.open(again, create=True).unwrap(wrapped, b"") == b"k" * 32
        shutil.rmtree(second.data_dir)
        (tmp_path / "mirror" / "keyring.json").unlink()
        assert Keyring.open(again, create=True).unwrap(wrapped, b"") == b"k" * 32
    finally:
        drop_database(emptied)


def test_keyrings_that_were_rotated_apart_are_refused_and_kept(url: str, postgres_url: str, tmp_path: Path) -> None:
    first, second = node(tmp_path / "a", url), node(tmp_path / "b", url)
    keyring = Keyring.open(first, create=True)
    give_master(first, second)
    Keyring.open(second, create=True)
    keyring.rotate()
    before = (first.keys_dir / "keyring.json").read_bytes()
    older = new_database(postgres_url)  # as if the database were put back from before the rotation
    try:
        apart = second.model_copy(update={"database": node(tmp_path, older).database})
        Keyring.open(apart, create=True).rotate()
        with pytest.raises(KeyUnfit, match="rotated apart"):
            Keyring.open(first.model_copy(update={"database": apart.database}), create=True)
        assert (first.keys_dir / "keyring.json").read_bytes() == before
    finally:
        drop_database(older)
