"""How the two networks of the system for jazz are taught: pieces with a soloist, labels, recipes."""
