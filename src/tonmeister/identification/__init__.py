"""What each track is, from its name and from its sound."""
