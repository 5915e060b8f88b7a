"""The actions that rules of this installation know, and the work of rules in the role `work`.

A further kind of action (another room's) is one more line in `action_kinds`.
"""

from __future__ import annotations

import threading

from radrelay.analysis.kinds import Kinds as AnalysisKinds
from radrelay.analysis.starting import AnalysesByRule
from radrelay.app.core import Core
from radrelay.app.mail import site_of
from radrelay.app.threads import loop
from radrelay.archive.reader import InstanceReader
from radrelay.hl7 import Outgoing, Seal
from radrelay.hl7.reports import ReportsOut
from radrelay.identity.posting import open_post
from radrelay.routing.rules.actions import Kinds, named
from radrelay.routing.rules.analysing import Analyse
from radrelay.routing.rules.coercing import Coerce
from radrelay.routing.rules.forwarding import Forward
from radrelay.routing.rules.keeping import Hold, Retain
from radrelay.routing.rules.notifying import Notify
from radrelay.routing.rules.reporting import SendReports
from radrelay.routing.rules.showing import Show
from radrelay.routing.rules.work import RuleWork
from radrelay.settings.zones import zone_of
from radrelay.storage.leadership import Leadership
from radrelay.web.assembly import Parts

ARRIVING_S = 1.0


def action_kinds(core: Parts, reader: InstanceReader | None = None) -> Kinds:
    """Return what rules may do here; without `reader` they are only edited and tried."""
    settings, clock, metadata_key = core.settings, core.clock, core.keyring.metadata_key
    notify = Notify(open_post(settings, clock, metadata_key), site_of(settings))
    outgoing = Outgoing(core.database, clock, Seal(metadata_key))
    report = SendReports(ReportsOut(settings.hl7, clock, outgoing, site_of(settings), reader))
    analyse = Analyse(AnalysesByRule(AnalysisKinds(settings.analysis, settings.mail.language)))
    return named([Show(), Retain(), Hold(), Coerce(), Forward(), notify, report, analyse])


def open_rules(core: Core, reader: InstanceReader) -> RuleWork:
    """Return what evaluates rules."""
    kinds = action_kinds(core, reader)
    return RuleWork(core.database, core.clock, reader, kinds, zone_of(core.settings.work.zone))


def keep_looking(core: Core, work: RuleWork, holder: str, stop: threading.Event) -> list[threading.Thread]:
    """Return the thread that has rules look at what is arriving, on one machine."""
    lead = Leadership(core.database, core.clock, "rules", holder)
    return [loop("rules", ARRIVING_S, stop, lambda: lead.held() and work.look_at_arriving())]
