"""The rules as pictures and tables: the machine of a chart, views of it, and renderers."""
