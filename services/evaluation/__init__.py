"""评价: what departments gave back, rated by those who called them."""
