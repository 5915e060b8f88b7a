"""The importer: what a sheet of paper leads to, fetched from another institution's portal.

`outgoing` is the only way out: it judges each address before it connects, keeps to limits, and names what goes wrong.
`connectors` know the portals' languages; `dlx` holds the contract of DICOM Link Exchange, a provider that can be told
to fail, and the kit that tests providers. Nothing here keeps anything: what is fetched goes into the sink of whoever
asks.
"""
