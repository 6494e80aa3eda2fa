"""Scores: pure functions of arrays, each with its source and a worked example."""
