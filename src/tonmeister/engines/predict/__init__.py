"""A console predicted from measurements by a learned set network; the music itself is never heard."""
