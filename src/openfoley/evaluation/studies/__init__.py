"""Resumable studies, one per file: drift over minutes, joins, reference sound, cuts, lengths, steps, tokens."""
