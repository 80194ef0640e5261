"""The table of jobs: which jobs it lists in which order, what its columns say, and how it is drawn."""
