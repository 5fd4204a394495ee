"""What is remembered beyond a tick: ledger, history, slots. Pure."""
