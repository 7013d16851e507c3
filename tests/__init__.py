"""Questions asked of the platform, each in its folder by kind."""
