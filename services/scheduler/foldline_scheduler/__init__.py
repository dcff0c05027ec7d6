"""The scheduler: owns runs, decides what happens next, gives attempts to executors."""
