"""What users import: declare workflows, check them, run them here, release them, talk to an installation.

Two halves. The authoring half (`author`, `params`, `conditions`, `references`, `tracing`, `annotations`,
`problems`) is imported by the process of every step, in environments that hold nothing but the author's
own requirements: it imports the standard library alone. The rest may need msgspec and gRPC.
"""
