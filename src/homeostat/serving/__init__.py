"""The HTTP service: predictions on request by what the ledger says serves, with the features of the batch."""
