"""Reading: streams, frame times, frames and sound."""
