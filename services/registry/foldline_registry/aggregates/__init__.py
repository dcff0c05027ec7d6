"""What each stream of the registry means: `evolve` folds its events, the other functions decide new ones.

Law: pure. Nothing here reads a clock, asks the database or knows gRPC. A decision returns the events to
append (none where everything is so already) or raises the reason to refuse.
"""
