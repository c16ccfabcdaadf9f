"""One renderer for each format; all of them draw the same pictures, tables and timelines."""
