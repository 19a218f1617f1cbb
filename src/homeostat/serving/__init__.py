"""Serving: the HTTP service, batch scoring, the prediction log and the label log.

Answers come from the release that the ledger puts in service, with the features of the batch. May import `releases`,
`training`, `features` and below.
"""
