"""Are the rules right, and is each line where it belongs?"""
