"""The executor: runs attempts in processes of their own, keeps what they wrote, reports how they ended."""
