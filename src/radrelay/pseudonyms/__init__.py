"""Pseudonyms: projects that name patients by an alias, the vault of who they are, and studies handed out under it.

The rules of de-identification are `radrelay.dicom.deidentify`; this room keeps what they need, apart from the images
and under a key of its own.
"""

from radrelay.pseudonyms.errors import (
    AliasesNotAscii,
    AliasUnknown,
    HeldUnknown,
    NoRecogniser,
    NothingHandedOut,
    ProjectDisabled,
    ProjectInUse,
    ProjectUnknown,
    VaultDamaged,
)
from radrelay.pseudonyms.forgetting import forget_unused
from radrelay.pseudonyms.handing_out import Copy, CopySource, Deidentifier, Handout
from radrelay.pseudonyms.held import (
    RELEASABLE,
    HeldView,
    forget_held,
    get_held,
    kept_back_of,
    release_held,
    study_held,
    waiting_held,
)
from radrelay.pseudonyms.projects import (
    ProjectSpec,
    ProjectView,
    Settings,
    add_project,
    change_project,
    delete_project,
    engine_project,
    get_project,
    list_projects,
)
from radrelay.pseudonyms.recognising import installed as recogniser_installed
from radrelay.pseudonyms.recognising import propose
from radrelay.pseudonyms.reports import (
    HandoutView,
    Told,
    add_to_intake_report,
    forget_handouts,
    list_handouts,
    refused_of,
)
from radrelay.pseudonyms.runs import Run, header_of
from radrelay.pseudonyms.sealing import VaultSeal
from radrelay.pseudonyms.vault import ListedAlias, StoredVault, Unveiled

__all__ = [
    "RELEASABLE",
    "AliasUnknown",
    "AliasesNotAscii",
    "Copy",
    "CopySource",
    "Deidentifier",
    "Handout",
    "HandoutView",
    "HeldUnknown",
    "HeldView",
    "ListedAlias",
    "NoRecogniser",
    "NothingHandedOut",
    "ProjectDisabled",
    "ProjectInUse",
    "ProjectSpec",
    "ProjectUnknown",
    "ProjectView",
    "Run",
    "Settings",
    "StoredVault",
    "Told",
    "Unveiled",
    "VaultDamaged",
    "VaultSeal",
    "add_project",
    "add_to_intake_report",
    "change_project",
    "delete_project",
    "engine_project",
    "forget_handouts",
    "forget_held",
    "forget_unused",
    "get_held",
    "get_project",
    "header_of",
    "kept_back_of",
    "list_handouts",
    "list_projects",
    "propose",
    "recogniser_installed",
    "refused_of",
    "release_held",
    "study_held",
    "waiting_held",
]
