"""Where bytes are kept: artifacts by their digest, logs and the like by a name. A folder, or an object store.

Law: an artifact is whole or not there, and never changes; what is read is checked against its digest.
"""
