"""What decides: pure functions of values, without files, clock, network or tools."""
