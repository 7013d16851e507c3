"""What if it dies, is slow, comes twice or is rubbish?"""
