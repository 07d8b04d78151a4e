"""Measure Imker against a hand-written script on real hosts, and its cost as a simulated fleet grows."""
