"""Carrying runs out: lists in the artifact store, and attempts from a work order to how they ended.

What schedulers, executors and local runs share between the pure core and a step's process. Nothing in here
knows a bus, a ledger or a terminal.
"""
