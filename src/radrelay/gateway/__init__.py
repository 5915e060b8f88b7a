"""The relay in the DMZ and the agent on site: into the house without an inbound port, and no plain text on the way.

    browser ──TLS──► relay (DMZ) ◄──dialled by── agent (site) ──open socket──► web, listen: TLS ends here

`relay`, `lobby`, `agents`, `registry`, `authority` run in the DMZ; `agent`, `link`, `enrolment`, `credentials`,
`handover` on site; `secured`, `splicing`, `hello`, `limits`, `codes` and `numbers` are what they stand on.
"""
