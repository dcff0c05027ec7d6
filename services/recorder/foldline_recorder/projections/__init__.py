"""Read models, one module each. Derived from events alone."""
