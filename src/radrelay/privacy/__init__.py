"""What an installation promises about people's data, and what people are owed: promises, texts, incidents, requests."""
