"""What a person asks before a change: scope, contracts, leakage."""
