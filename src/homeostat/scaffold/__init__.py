"""A whole project from one table that has time in it: understood, doubted, and drafted so that a person can edit it."""
