"""The declarations themselves, by what they are about. Adding a feature is one declaration here and no other edit."""
