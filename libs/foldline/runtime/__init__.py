"""Runs one step of a workflow in a process of its own, and starts such processes quickly.

Two sides. Inside the step's environment: `parent` (warm, imports the workflow module once), `child` (one
forked process per attempt), `codecs`, `context`. In the process that asks for attempts: `launcher`.

Law: the standard library alone, because all of it must load inside any release's own environment. numpy,
pandas, scikit-learn and the like are imported only when a value needs them, in the step's process.
"""
