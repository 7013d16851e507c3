"""How fast, beside what?"""
