"""The views for reviewers: one module for each, made of pictures, tables and timelines."""
