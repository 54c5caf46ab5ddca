"""Reading: what a file holds, when its frames are shown, its pictures and its sound."""
