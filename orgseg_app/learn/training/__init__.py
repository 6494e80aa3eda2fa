"""The loop, and what it needs: schedule, pace, memory, validation, resuming."""
