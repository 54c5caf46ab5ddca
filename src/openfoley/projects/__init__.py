"""A sound editor's project: takes of a video's sound, chosen, locked, undone and redone, in one readable file."""
