"""Study keys: durable, mirrored, and once destroyed gone for good."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from radrelay.errors import Conflict, Unavailable
from radrelay.settings import Settings
from radrelay.storage.key_mirror import Difference
from radrelay.storage.key_tables import KeyRow, key_context, study_key
from radrelay.storage.keys import Keyring, KeyringShared
from radrelay.storage.keystore import FILE_NAME, KeyDestroyed, KeysGone, KeyStore, LedgerEntry
from tests.backends import BACKENDS
from tests.postgres import drop_database, new_database

NOON = datetime(2031, 5, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def mirrored(settings: Settings, tmp_path: Path) -> Settings:
    keys = settings.keys.model_copy(update={"mirror": tmp_path / "mirror"})
    return settings.model_copy(update={"keys": keys})


def decrypted_pages(path: Path, key: bytes) -> bytes:
    """Return every page of a SQLCipher 4 file or of its log, decrypted, whether a row refers to it or not."""
    raw = path.read_bytes()
    plain = b""
    for at in range(0, len(raw) - 4095, 4096):
        page = raw[at : at + 4096]
        body = page[16:-80] if at == 0 else page[:-80]
        plain += Cipher(algorithms.AES(key), modes.CBC(page[-80:-64])).decryptor().update(body)
    return plain


def decrypted_log(path: Path, key: bytes) -> bytes:
    """Return every page in a write-ahead log (32 bytes, then frames of 24 bytes and a page), decrypted."""
    raw = path.read_bytes() if path.exists() else b""
    plain = b""
    for at in range(32 + 24, len(raw) - 4095, 24 + 4096):
        page = raw[at : at + 4096]
        plain += Cipher(algorithms.AES(key), modes.CBC(page[-80:-64])).decryptor().update(page[16:-80])
        plain += Cipher(algorithms.AES(key), modes.CBC(page[-80:-64])).decryptor().update(page[:-80])
    return plain


def wrapped_bytes(store: KeyStore, key_id: UUID) -> bytes:
    wrapped = store._primary.wrapped(key_id)
    assert wrapped is not None
    return wrapped


def entry(at: datetime, kind: str = "study") -> LedgerEntry:
    return LedgerEntry(at, uuid4(), kind, uuid4(), "expired")


def test_key_is_the_same_after_a_restart(settings: Settings, keyring: Keyring) -> None:
    store = KeyStore.open(settings, keyring)
    key_id = uuid4()
    key = store.create(key_id, uuid4())
    store.close()
    again = KeyStore.open(settings, Keyring.open(settings))
    assert again.get(key_id) == key
    assert len(key) == 32
    with pytest.raises(Conflict):
        again.create(key_id, uuid4())
    assert again.get(key_id) == key
    again.close()


@pytest.mark.embedded(reason="the pages of the store's file are looked at")
def test_destroyed_key_is_gone_from_the_files_too(mirrored: Settings) -> None:
    keyring = Keyring.open(mirrored, create=True)
    store = KeyStore.open(mirrored, keyring)
    kept, gone = uuid4(), uuid4()
    kept_key = store.create(kept, uuid4())
    store.create(gone, uuid4())
    wrapped = wrapped_bytes(store, gone)
    file_key = keyring.derive("study keys")
    log = mirrored.keys_dir / f"{FILE_NAME}-wal"
    assert wrapped[4:] in decrypted_log(log, file_key), "the test would see it"
    store._primary.shed()
    files = [mirrored.keys_dir / FILE_NAME, mirrored.keys_dir.parent.parent / "mirror" / FILE_NAME]
    assert wrapped[4:] in decrypted_pages(files[0], file_key), "the test would see it"
    store.destroy([gone, uuid4()])
    with pytest.raises(KeyDestroyed):
        store.get(gone)
    for path in files:
        assert wrapped[4:] not in decrypted_pages(path, file_key)
        assert wrapped[4:] not in decrypted_log(path.with_name(path.name + "-wal"), file_key)
    assert store.get(kept) == kept_key
    store.close()
    again = KeyStore.open(mirrored, Keyring.open(mirrored))
    with pytest.raises(KeyDestroyed):
        again.get(gone)
    again.close()


def test_other_processes_notice_a_destroyed_key_within_half_a_minute(
    settings: Settings, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = KeyStore.open(settings, keyring), KeyStore.open(settings, keyring)
    key_id = uuid4()
    key = store.create(key_id, uuid4())
    assert other.get(key_id) == key
    store.destroy([key_id])
    later = time.monotonic() + 30
    monkeypatch.setattr("radrelay.storage.keystore.time.monotonic", lambda: later)
    with pytest.raises(KeyDestroyed):
        other.get(key_id)
    store.close()
    other.close()


def test_lost_store_is_taken_back_from_the_mirror(mirrored: Settings) -> None:
    keyring = Keyring.open(mirrored, create=True)
    store = KeyStore.open(mirrored, keyring)
    kept, gone = uuid4(), uuid4()
    key = store.create(kept, uuid4())
    store.create(gone, uuid4())
    store.destroy([gone])
    store.append_ledger([entry(NOON)])
    store.close()
    BACKENDS.lose(mirrored.data_dir)
    again = KeyStore.open(mirrored, Keyring.open(mirrored, create=True))
    assert again.get(kept) == key
    with pytest.raises(KeyDestroyed):
        again.get(gone)
    assert len(list(again.ledger())) == 1
    again.close()


def test_mirror_set_later_is_filled(settings: Settings, keyring: Keyring, mirrored: Settings) -> None:
    store = KeyStore.open(settings, keyring)
    key_id = uuid4()
    key = store.create(key_id, uuid4())
    store.append_ledger([entry(NOON)])
    store.close()
    KeyStore.open(mirrored, Keyring.open(mirrored)).close()
    BACKENDS.lose(settings.data_dir)
    again = KeyStore.open(mirrored, Keyring.open(mirrored, create=True))
    assert again.get(key_id) == key
    assert len(list(again.ledger())) == 1
    again.append_ledger([entry(NOON + timedelta(days=1))])
    assert len(list(again.ledger())) == 2
    again.close()


def test_mirror_that_is_away_refuses_new_keys_and_learns_of_destroyed_ones_later(
    mirrored: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = Keyring.open(mirrored, create=True)
    store = KeyStore.open(mirrored, keyring)
    key_id = uuid4()
    store.create(key_id, uuid4())
    assert store._mirror is not None

    def away(*_: object, **__: object) -> None:
        raise Unavailable("the mirror is away")

    with monkeypatch.context() as patch:
        for change in ("insert", "bury", "outline"):
            patch.setattr(store._mirror, change, away)
        with pytest.raises(Unavailable):
            store.create(uuid4(), uuid4())
        store.destroy([key_id])
        with pytest.raises(KeyDestroyed):
            store.get(key_id)
    assert store._mirror.wrapped(key_id) is not None
    assert store.mirror_differs() == Difference(surplus=1)
    store.agree_with_mirror()
    assert store._mirror.wrapped(key_id) is None
    assert store.mirror_differs() == Difference()
    store.close()


def lose_keys(settings: Settings) -> None:
    """Lose the store of study keys, nothing else."""
    if settings.database.url is None:
        for path in settings.keys_dir.glob(f"{FILE_NAME}*"):
            path.unlink()
        return
    with psycopg.connect(settings.database.url) as connection:
        for table in ("study_key", "ledger_entry", "destroyed_key", "birth"):
            connection.execute(f"DROP TABLE radrelay_keys.{table}")


def unmounted(settings: Settings) -> Path:
    """Take the mirror away as a disk that is not mounted; return where it is meanwhile."""
    assert settings.keys.mirror is not None
    return settings.keys.mirror.rename(settings.keys.mirror.with_name("unmounted"))


def mounted(settings: Settings, disk: Path) -> None:
    assert settings.keys.mirror is not None
    shutil.rmtree(settings.keys.mirror, ignore_errors=True)
    disk.rename(settings.keys.mirror)


def test_a_lost_store_is_not_made_anew_while_its_mirror_is_away(mirrored: Settings) -> None:
    keyring = Keyring.open(mirrored, create=True)
    store = KeyStore.open(mirrored, keyring)
    key_id = uuid4()
    key = store.create(key_id, uuid4())
    store.close()
    lose_keys(mirrored)
    disk = unmounted(mirrored)
    for _ in range(2):
        with pytest.raises(KeysGone, match="see that its disk is mounted"):
            KeyStore.open(mirrored, keyring, served_before=True)
    mounted(mirrored, disk)
    again = KeyStore.open(mirrored, keyring, served_before=True)
    assert again.taken_back
    assert again.get(key_id) == key
    again.close()


def test_a_mirror_that_was_away_while_a_new_store_was_made_is_merged_when_it_is_back(mirrored: Settings) -> None:
    keyring = Keyring.open(mirrored, create=True)
    store = KeyStore.open(mirrored, keyring)
    old, gone = uuid4(), uuid4()
    keys = {old: store.create(old, uuid4())}
    store.create(gone, uuid4())
    store.destroy([gone])
    made_at = store.made_at()
    store.append_ledger([entry(NOON)])
    store.close()
    lose_keys(mirrored)
    disk = unmounted(mirrored)
    store = KeyStore.open(mirrored, keyring)  # somebody said that there never was one
    new, short = uuid4(), uuid4()
    keys[new] = store.create(new, uuid4())
    store.create(short, uuid4())
    store.destroy([short])
    store.append_ledger([entry(NOON + timedelta(days=1))])
    store.close()
    mounted(mirrored, disk)
    for lost in (False, True):
        if lost:
            lose_keys(mirrored)
        store = KeyStore.open(mirrored, keyring)
        assert store.taken_back
        assert {key_id: store.get(key_id) for key_id in keys} == keys
        assert set(dict(store.every())) == set(keys)
        assert len(list(store.ledger())) == 2
        assert store.made_at() == made_at
        assert store.mirror_differs() == Difference()
        store.close()


def test_a_key_that_a_crash_left_in_the_mirror_alone_stops_nobody(mirrored: Settings) -> None:
    keyring = Keyring.open(mirrored, create=True)
    store = KeyStore.open(mirrored, keyring)
    assert store._mirror is not None
    key_id = uuid4()
    store._mirror.insert(KeyRow(key_id, uuid4(), keyring.wrap(b"k" * 32, key_context(key_id))))
    with pytest.raises(Conflict):
        store.create(key_id, uuid4())
    assert store.get(key_id) == b"k" * 32
    store.close()


def test_a_second_key_by_one_id_does_not_spoil_a_mirror_that_lacks_the_first(mirrored: Settings) -> None:
    keyring = Keyring.open(mirrored, create=True)
    store = KeyStore.open(mirrored, keyring)
    assert store._mirror is not None
    key_id = uuid4()
    key = store.create(key_id, uuid4())
    with store._mirror._write() as connection:
        connection.execute(sa.delete(study_key))
    with pytest.raises(Conflict):
        store.create(key_id, uuid4())
    store.close()
    lose_keys(mirrored)
    again = KeyStore.open(mirrored, keyring)
    assert again.get(key_id) == key
    again.close()


@pytest.mark.embedded(reason="older image keys are kept on PostgreSQL")
def test_rotation_rewraps_every_key(mirrored: Settings) -> None:
    keyring = Keyring.open(mirrored, create=True)
    store = KeyStore.open(mirrored, keyring)
    keys = {key_id: store.create(key_id, uuid4()) for key_id in (uuid4() for _ in range(30))}
    assert store.key_versions() == {1}
    keyring.rotate()
    assert store.rewrap() == 30
    assert store.rewrap() == 0
    assert keyring.retire(store.key_versions) == [1]
    store.close()
    again = KeyStore.open(mirrored, Keyring.open(mirrored))
    assert {key_id: again.get(key_id) for key_id in keys} == keys
    again.close()


def test_ledger_keeps_its_order_and_is_read_from_a_moment_on(settings: Settings, keyring: Keyring) -> None:
    store = KeyStore.open(settings, keyring)
    entries = [entry(NOON + timedelta(minutes=minute), "series") for minute in range(2500)]
    store.append_ledger(entries[:1500])
    store.append_ledger(entries[1500:])
    store.append_ledger([])
    assert list(store.ledger()) == entries
    assert list(store.ledger(NOON + timedelta(minutes=2000))) == entries[2000:]
    store.close()


@pytest.fixture
def on_postgres(settings: Settings, postgres_url: str) -> Iterator[Settings]:
    url = new_database(postgres_url)
    yield settings.model_copy(update={"database": settings.database.model_copy(update={"url": url})})
    drop_database(url)


def test_what_a_spent_act_said_is_gone_from_both_files_and_that_it_was_done_is_not(mirrored: Settings) -> None:
    keyring = Keyring.open(mirrored, create=True)
    store = KeyStore.open(mirrored, keyring)
    done, stands = (LedgerEntry(NOON, uuid4(), "act", uuid4(), "put", text) for text in (b"Rita", b"stands"))
    store.append_ledger([done, stands])
    assert store._mirror is not None
    assert store._primary.forget_details([done.subject_id]) == 1  # as while the mirror was away
    assert store.spend([]) == 0
    for tables in (store._primary, store._mirror):
        kept = {one.subject_id: one.detail for one in tables.ledger(None)}
        assert kept[done.subject_id] is None
        assert kept[stands.subject_id] is not None
    assert [store.opened(one) for one in store.acts() if one.detail is not None] == [b"stands"]
    store.close()


def test_postgresql_keeps_keys_in_a_schema_of_their_own(on_postgres: Settings, tmp_path: Path) -> None:
    keys = on_postgres.keys.model_copy(update={"mirror": tmp_path / "mirror"})
    settings = on_postgres.model_copy(update={"keys": keys})
    keyring = Keyring.open(settings, create=True)
    store, other = KeyStore.open(settings, keyring), KeyStore.open(settings, keyring)
    kept, gone = uuid4(), uuid4()
    key = store.create(kept, uuid4())
    store.create(gone, uuid4())
    with pytest.raises(Conflict):
        other.create(kept, uuid4())
    store.destroy([gone])
    entries = [entry(NOON), entry(NOON + timedelta(days=1))]
    store.append_ledger(entries)
    assert other.get(kept) == key
    with pytest.raises(KeyDestroyed):
        other.get(gone)
    assert list(other.ledger(NOON + timedelta(hours=1))) == entries[1:]
    keyring.rotate()
    assert store.rewrap() == 1
    assert store.key_versions() == {2}
    with pytest.raises(KeyringShared):
        keyring.retire(store.key_versions)
    store.close()
    other.close()
    again = KeyStore.open(settings, Keyring.open(settings))
    assert again.get(kept) == key
    assert again._mirror is not None
    assert again._mirror.wrapped(kept) is not None
    assert again._mirror.wrapped(gone) is None
    again.close()


def test_every_nodes_mirror_has_all_keys_and_none_that_any_node_destroyed(
    on_postgres: Settings, tmp_path: Path
) -> None:
    keyring = Keyring.open(on_postgres, create=True)
    nodes = [
        on_postgres.model_copy(update={"keys": on_postgres.keys.model_copy(update={"mirror": folder})})
        for folder in (tmp_path / "mirror-a", tmp_path / "mirror-b", None)
    ]
    a, b, bare = (KeyStore.open(settings, keyring) for settings in nodes)
    kept, gone, study = [uuid4() for _ in range(3)], [uuid4() for _ in range(3)], uuid4()
    keys = {key_id: store.create(key_id, study) for key_id, store in zip(kept, (a, b, bare), strict=True)}
    for key_id, store in zip(gone, (a, b, bare), strict=True):
        store.create(key_id, study)
    for store in (a, b):
        store.agree_with_mirror()
    for key_id, store in zip(gone, (b, bare, a), strict=True):
        store.destroy([key_id])
    bare.append_ledger([entry(NOON)])
    for store in (a, b):
        store.agree_with_mirror()
        assert store.mirror_differs() == Difference()
        assert store._mirror is not None
        assert store._mirror.known([*kept, *gone]) == set(kept)
    for settings in nodes[:2]:
        lose_keys(settings)
        with KeyStore.open(settings, keyring) as again:
            assert {key_id: again.get(key_id) for key_id in kept} == keys
            assert len(list(again.ledger())) == 1
    for store in (a, b, bare):
        store.close()


def test_postgresql_that_is_away_is_unavailable(settings: Settings, keyring: Keyring) -> None:
    away = settings.database.model_copy(update={"url": "postgresql://radrelay@127.0.0.1:9/none"})
    with pytest.raises(Unavailable):
        KeyStore.open(settings.model_copy(update={"database": away}), keyring)


def test_two_processes_open_a_new_store_at_once(settings: Settings, keyring: Keyring) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: KeyStore.open(settings, keyring), range(4)))
    key_id = uuid4()
    key = stores[0].create(key_id, uuid4())
    assert [store.get(key_id) for store in stores] == [key] * 4
    for store in stores:
        store.close()
