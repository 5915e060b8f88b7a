"""Schedules: what is fetched by itself, at times, when a study or an order comes, or to keep the last days here."""
