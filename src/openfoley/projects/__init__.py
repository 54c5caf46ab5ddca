"""A sound editor's project: takes of a video's sound, selection, locks and undo history, in one readable file."""
