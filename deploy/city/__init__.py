"""A day of Beijing, played over HTTP by the sped-up clock on a throw-away platform: ``make city``."""
