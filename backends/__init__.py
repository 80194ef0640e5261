"""The back ends of jobtui, one file per scheduler; the engine finds them by their entry points."""
