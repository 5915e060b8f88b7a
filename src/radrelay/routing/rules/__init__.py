"""Rules: when a study has come that fits, something is done with it.

`conditions` says what may be asked, `comparing` how values are compared, `matching` compiles many rules into one look,
`facts` reads what they ask. `service` keeps rules and their revisions, `actions` and the files beside it do what rules
say, `work` evaluates durably, `meetings` keeps which rules met which study and why, `trying` shows it without effect.
"""
