"""Benchmarks: figures side by side with a peer or a limit, as medians; run with ``make bench``."""
