"""Commands that belong to no study: they read finished runs, convert files, and predict."""
