"""Tables of access: grants, groups and who is in them, links. Access knows studies and series by their ids alone."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import Boolean, Date, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from radrelay.storage.columns import Base, Id, Instant, Owned


class Grant(Owned, Base):
    """Someone may do something with the studies of a source, one study or one series.

    `grantee_kind` is account, token, group, ae, role or link; `grantee_id` the id, the AE title or the role's name
    (`*`: any).
    `target_kind` is organisation, source, study or series. `origin` says how it came: hand, break-glass, rule, owner
    or setting.
    `priors` marks it for a rule of earlier studies that only counts marked ones.
    `patient_id` is whose study a grant on one study or series names: lists find patients by it without reading studies.
    """

    __tablename__ = "access_grant"
    __table_args__ = (
        Index(  # all that the scope asks: to read the rows of many grants would take longer than the list
            "ix_access_grant_grantee",
            "organisation_id",
            "grantee_kind",
            "grantee_id",
            "target_kind",
            "rights",
            "ends_at",
            "target_id",
            "identity",
            "origin",
            "priors",
            "patient_id",
        ),
        Index(  # all that is asked of the grants on one study, of which rules may have given many
            "ix_access_grant_target",
            "target_kind",
            "target_id",
            "grantee_kind",
            "grantee_id",
            "organisation_id",
            "rights",
            "ends_at",
            "origin",
            "priors",
        ),
        Index(  # which ended last
            "ix_access_grant_ends",
            "organisation_id",
            "ends_at",
            sqlite_where=text("ends_at IS NOT NULL"),
            postgresql_where=text("ends_at IS NOT NULL"),
        ),
    )

    grantee_kind: Mapped[str] = mapped_column(String(16))
    grantee_id: Mapped[str] = mapped_column(String(64))
    target_kind: Mapped[str] = mapped_column(String(16))
    target_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    patient_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # row of patient
    rights: Mapped[str] = mapped_column(String(200))  # comma list of Right values
    identity: Mapped[str] = mapped_column(String(8), default="clear")  # clear | alias
    ends_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    revision: Mapped[int] = mapped_column(default=1)  # counts its changes
    origin: Mapped[str] = mapped_column(String(16), default="hand")
    priors: Mapped[bool] = mapped_column(Boolean, default=False)


class Device(Base):
    """A calling AE title and what proves it; empty is not asked for. Addresses are a comma list of IPs and networks."""

    __tablename__ = "access_device"

    organisation_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    ae_title: Mapped[str] = mapped_column(String(16), primary_key=True)
    addresses: Mapped[str] = mapped_column(String(3000), default="")
    subject: Mapped[str] = mapped_column(String(400), default="")
    fingerprint: Mapped[str] = mapped_column(String(64), default="")
    description: Mapped[str] = mapped_column(String(200), default="")
    changed_at: Mapped[datetime] = mapped_column(Instant)


class SuspendedDevice(Base):
    """A calling AE title that is refused what it was granted until somebody lets it in again."""

    __tablename__ = "access_suspended_device"

    organisation_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    ae_title: Mapped[str] = mapped_column(String(16), primary_key=True)
    suspended_at: Mapped[datetime] = mapped_column(Instant)


class Begun(Base):
    """An organisation has got the grants that a new one starts with; what is taken away afterwards stays away.

    `query_callers` are the AE titles of the setting that its grants have followed, with a backslash between them.
    """

    __tablename__ = "access_begun"

    organisation_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    at: Mapped[datetime] = mapped_column(Instant)
    query_callers: Mapped[str] = mapped_column(Text, default="")


class Group(Owned, Base):
    """A department, practice or ward. `key` is its id as text, as grants and memberships name it."""

    __tablename__ = "access_group"
    __table_args__ = (
        Index("ux_access_group_name", "organisation_id", "name_folded", unique=True),
        Index("ux_access_group_key", "key", unique=True),
    )

    key: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(200))
    name_folded: Mapped[str] = mapped_column(String(400))
    description: Mapped[str] = mapped_column(String(1000), default="")
    sees_restricted: Mapped[bool] = mapped_column(Boolean, default=False)  # its grants show restricted studies too
    created_at: Mapped[datetime] = mapped_column(Instant)


class Restriction(Owned, Base):
    """Studies that only grants on themselves show: one study, a patient's, or what a source brings.

    `kind` is study (by its Study Instance UID, so that it is restricted again when it comes again), patient (issuer
    and patient ID) or source. One that is `barred` no grant opens: the person asked for it (GDPR Art. 18), on a
    `ground`; on `review_on` somebody is to look whether it still stands.
    """

    __tablename__ = "access_restriction"
    __table_args__ = (Index("ix_access_restriction_kind", "organisation_id", "kind", "value"),)

    kind: Mapped[str] = mapped_column(String(16))
    value: Mapped[str] = mapped_column(String(64))  # Study Instance UID, patient ID, or the source's id as text
    issuer: Mapped[str] = mapped_column(String(64), default="")  # of the patient ID
    reason: Mapped[str] = mapped_column(String(400), default="")
    made_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)
    barred: Mapped[bool] = mapped_column(Boolean, default=False)
    ground: Mapped[str] = mapped_column(String(16), default="")
    review_on: Mapped[date | None] = mapped_column(Date)
    request_id: Mapped[uuid.UUID | None] = mapped_column(Id)  # the data subject's request


class Restricted(Base):
    """A study that is here and a restriction that it falls under; written with the study, in one transaction."""

    __tablename__ = "access_restricted"
    __table_args__ = (
        Index("ix_access_restricted_restriction", "restriction_id"),
        Index("ix_access_restricted_organisation", "organisation_id", "barred", "study_id"),
    )

    study_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    restriction_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    barred: Mapped[bool] = mapped_column(Boolean, default=False)


class PriorRule(Base):
    """Which other studies of a patient somebody sees by seeing one: `reach` is body-part or all; no row: none."""

    __tablename__ = "access_prior_rule"

    organisation_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    reach: Mapped[str] = mapped_column(String(16))
    years: Mapped[int | None] = mapped_column(Integer)  # none: however old
    marked_only: Mapped[bool] = mapped_column(Boolean, default=False)


class ReleaseRule(Owned, Base):
    """Studies that all of this fits are released to a group as they arrive; what is empty is not asked for.

    `modality`, `body_part` and the AE titles may be comma lists, of which any fits. `catching_up` is the id of the last
    study looked at while the rule goes through those that are here already, none when it does not.
    """

    __tablename__ = "access_release_rule"
    __table_args__ = (
        Index("ix_access_release_rule_organisation", "organisation_id"),
        Index("ix_access_release_rule_catching_up", "catching_up"),
    )

    name: Mapped[str] = mapped_column(String(200))
    group_key: Mapped[str] = mapped_column(String(64))
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    source_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    calling_ae: Mapped[str] = mapped_column(String(400), default="")
    called_ae: Mapped[str] = mapped_column(String(400), default="")
    modality: Mapped[str] = mapped_column(String(200), default="")
    body_part: Mapped[str] = mapped_column(String(400), default="")
    referring: Mapped[str] = mapped_column(String(400), default="")
    institution: Mapped[str] = mapped_column(String(400), default="")
    department: Mapped[str] = mapped_column(String(400), default="")
    description: Mapped[str] = mapped_column(String(400), default="")
    may_download: Mapped[bool] = mapped_column(Boolean, default=False)
    identity: Mapped[str] = mapped_column(String(8), default="clear")  # clear | alias
    days: Mapped[int | None] = mapped_column(Integer)  # how long it is released; none: until the study goes
    made_by: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)
    revision: Mapped[int] = mapped_column(Integer, default=1)
    catching_up: Mapped[uuid.UUID | None] = mapped_column(Id)


class RuleRelease(Base):
    """A rule has released a study to a group, by which grant; what was taken back since is not released again.

    It outlives its grant and its rule, and goes with the study.
    """

    __tablename__ = "access_rule_release"
    __table_args__ = (
        Index("ix_access_rule_release_study", "study_id"),
        Index("ix_access_rule_release_grant", "grant_id"),
    )

    rule_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    study_id: Mapped[uuid.UUID] = mapped_column(Id, primary_key=True)
    group_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    grant_id: Mapped[uuid.UUID] = mapped_column(Id)


class BrokenGlass(Owned, Base):
    """Somebody opened a restricted study for a reason and a time; `grant_id` is the grant that shows it."""

    __tablename__ = "access_broken_glass"
    __table_args__ = (Index("ix_access_broken_glass_at", "organisation_id", "at"),)

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    account_name: Mapped[str] = mapped_column(String(200))
    study_id: Mapped[uuid.UUID] = mapped_column(Id)
    grant_id: Mapped[uuid.UUID] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(32))  # emergency, treatment, patient-asked, technical, other
    reason: Mapped[str] = mapped_column(String(1000))
    at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    reviewed_at: Mapped[datetime | None] = mapped_column(Instant)
    reviewed_by: Mapped[str] = mapped_column(String(200), default="")


class Notice(Owned, Base):
    """Something that an account is told on its pages, and by mail where that is set up (`mailed_at`)."""

    __tablename__ = "access_notice"
    __table_args__ = (
        Index("ix_access_notice_account", "account_id", "seen_at"),
        Index("ix_access_notice_mail", "mailed_at"),
    )

    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    kind: Mapped[str] = mapped_column(String(32))  # break-glass
    subject_id: Mapped[uuid.UUID] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)
    seen_at: Mapped[datetime | None] = mapped_column(Instant)
    mailed_at: Mapped[datetime | None] = mapped_column(Instant)


class Member(Base):
    """An account or a token in a group, put there by hand or by the directory."""

    __tablename__ = "access_member"
    __table_args__ = (Index("ix_access_member_member", "organisation_id", "member_kind", "member_id"),)

    group_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    member_kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    member_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    organisation_id: Mapped[uuid.UUID] = mapped_column(Id)
    origin: Mapped[str] = mapped_column(String(16))


class ShareLink(Owned, Base):
    """A link to studies or series: what it opens are its grants. Its secret and its PIN are kept as hashes alone.

    `wrong` counts wrong answers since the last right one or the last closing, `closings` how often they closed it.
    """

    __tablename__ = "share_link"
    __table_args__ = (
        Index("ux_share_link_secret", "secret_hash", unique=True),
        Index("ux_share_link_health", "health_hash", unique=True),
        Index("ix_share_link_maker", "organisation_id", "maker_id", "created_at"),
    )

    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    health_hash: Mapped[bytes] = mapped_column(LargeBinary(32))  # of the address of its SMART Health Link
    label: Mapped[str] = mapped_column(String(200))
    maker_kind: Mapped[str] = mapped_column(String(16))  # account | token
    maker_id: Mapped[uuid.UUID] = mapped_column(Id)
    maker_name: Mapped[str] = mapped_column(String(200))
    protection: Mapped[str] = mapped_column(String(16))  # none | pin | birth-date | email
    email: Mapped[str] = mapped_column(String(254), default="")  # where codes go; as `mail.require_address` returns it
    answer_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    may_download: Mapped[bool] = mapped_column(Boolean)
    max_uses: Mapped[int | None] = mapped_column(Integer)  # none: as often as one likes
    uses: Mapped[int] = mapped_column(Integer, default=0)
    wrong: Mapped[int] = mapped_column(Integer, default=0)
    closings: Mapped[int] = mapped_column(Integer, default=0)
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    told_at: Mapped[datetime | None] = mapped_column(Instant)  # until when the maker has read of closings
    created_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    revoked_at: Mapped[datetime | None] = mapped_column(Instant)
    suspended_at: Mapped[datetime | None] = mapped_column(Instant)  # shut until somebody opens it again


class Launch(Owned, Base):
    """A program opens studies (ids between commas) in somebody's name, once; `session_id` is the login that it opened.

    `address` is the page that it leads to; only the hash of its secret is kept.
    """

    __tablename__ = "launch"
    __table_args__ = (
        Index("ux_launch_secret", "secret_hash", unique=True),
        Index("ix_launch_session", "session_id"),
        Index("ix_launch_expires", "expires_at"),
    )

    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    token_id: Mapped[uuid.UUID] = mapped_column(Id)
    program: Mapped[str] = mapped_column(String(200))
    account_id: Mapped[uuid.UUID] = mapped_column(Id)
    study_ids: Mapped[str] = mapped_column(Text)
    address: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    session_id: Mapped[uuid.UUID | None] = mapped_column(Id)


class LinkCode(Owned, Base):
    """A code that was sent for a link to its address: whoever asked has a secret, and both are kept as hashes alone."""

    __tablename__ = "link_code"
    __table_args__ = (
        Index("ux_link_code_secret", "secret_hash", unique=True),
        Index("ix_link_code_link", "link_id"),
        Index("ix_link_code_expires", "expires_at"),
    )

    link_id: Mapped[uuid.UUID] = mapped_column(Id)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    letter_id: Mapped[uuid.UUID | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)


class LinkVisit(Owned, Base):
    """A link was opened in a browser; only the hash of that browser's secret is kept."""

    __tablename__ = "link_visit"
    __table_args__ = (
        Index("ux_link_visit_secret", "secret_hash", unique=True),
        Index("ix_link_visit_link", "link_id"),
        Index("ix_link_visit_expires", "expires_at"),
    )

    link_id: Mapped[uuid.UUID] = mapped_column(Id)
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class LinkAccess(Owned, Base):
    """What happened with a link, as its maker sees it: code, opened, wrong, refused, closed, downloaded."""

    __tablename__ = "link_access"
    __table_args__ = (
        Index("ix_link_access_link", "link_id", "at"),
        Index("ix_link_access_at", "organisation_id", "at"),
    )

    link_id: Mapped[uuid.UUID] = mapped_column(Id)
    at: Mapped[datetime] = mapped_column(Instant)
    kind: Mapped[str] = mapped_column(String(16))
    peer: Mapped[str] = mapped_column(String(64))
    user_agent: Mapped[str] = mapped_column(String(300))
