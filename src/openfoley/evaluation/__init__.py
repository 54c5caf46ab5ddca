"""One metric per file, and the suite that runs them."""
