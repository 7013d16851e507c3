"""What runs the platform: broker, database, processes, seed data."""
