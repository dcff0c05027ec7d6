"""What any of our processes needs: settings, logs, signals, health, RPC, loops, clock. Knows no domain."""
