"""The rules as pictures and tables: one machine read from the chart, views of it, and renderers for each format."""
