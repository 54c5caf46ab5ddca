"""What holds over minutes: drift, joins, reference sound, cuts, lengths. One figure a file, each a resumable study."""
