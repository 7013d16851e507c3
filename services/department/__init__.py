"""A department to copy: the same program three times, with pika, with nameko, and with Node.js."""
