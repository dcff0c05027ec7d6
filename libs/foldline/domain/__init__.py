"""The pure core: declared graphs, compiled plans, the run state machine, replay.

Law: nothing here reads a clock, rolls dice, does I/O or logs. Functions take everything they need and
return values. Values are frozen msgspec structs, so that what is decided is also what is written: the JSON
of an event struct is the payload in the ledger (docs/adr/0003). Imports: standard library and msgspec.
"""
