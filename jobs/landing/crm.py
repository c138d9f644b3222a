"""The CRM: members and their attributes, exported whole; consents as they change."""

SCHEDULE = "0 3 * * *"  # At night, when the CRM's export is done.
