"""The pilots' share of the network: held to a rate, marked, and counted."""
