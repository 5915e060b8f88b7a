"""The languages that portals speak, one module each; `ports` says what all of them do."""
