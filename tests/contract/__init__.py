"""Did we break somebody who stands on us?"""
