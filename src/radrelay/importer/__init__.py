"""The importer: studies of patients fetched from elsewhere, checked, matched, and filed under the right patient."""
