"""Personal data at rest: a key for each person, wrapped by a key that is not in the database."""
