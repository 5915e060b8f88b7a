"""What carries deliveries, by the kind of their destinations."""

from __future__ import annotations

from radrelay.app.core import Core
from radrelay.app.hl7_notice import Hl7Notice
from radrelay.app.stored import ArchiveSource, DicomCarrier
from radrelay.archive.reader import InstanceReader
from radrelay.hl7 import Outgoing, Seal
from radrelay.identity.posting import open_post
from radrelay.pseudonyms import Deidentifier, VaultSeal
from radrelay.routing.carriers import Carrier
from radrelay.routing.copies import Copies
from radrelay.routing.folder import FolderCarrier
from radrelay.routing.jobs import DeliveryWork
from radrelay.routing.mail_notice import MailNotice
from radrelay.routing.secrets import SecretSeal
from radrelay.routing.stow import StowCarrier


def open_carriers(core: Core) -> dict[str, Carrier]:
    """Return the carrier of each kind in `routing.kinds`."""
    settings, key = core.settings, core.keyring.metadata_key
    post = open_post(settings, core.clock, key)
    outgoing = Outgoing(core.database, core.clock, Seal(key))
    site, house = settings.web.site, settings.web.organisation_name
    return {
        "dicom": DicomCarrier(settings.dicom),
        "dicomweb": StowCarrier(settings.work, SecretSeal(key)),
        "folder": FolderCarrier(settings.work.folders),
        "mail": MailNotice(core.database, core.clock, post, site),
        "hl7": Hl7Notice(core.database, core.clock, outgoing, settings.dicom, site, house),
    }


def open_sender(core: Core, reader: InstanceReader) -> DeliveryWork:
    """Return what delivers."""
    source = ArchiveSource(core.database, core.clock, reader)
    committer = DicomCarrier(core.settings.dicom)
    seal = VaultSeal(core.keyring.vault_key)
    deidentifier = Deidentifier(core.database, core.clock, reader, seal)
    copies = Copies(core.database, core.clock, deidentifier, seal)
    return DeliveryWork(core.database, core.clock, core.settings.work, source, open_carriers(core), committer, copies)
