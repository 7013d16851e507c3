"""Do the pieces meet?"""
