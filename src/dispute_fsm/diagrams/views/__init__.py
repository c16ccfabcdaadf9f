"""What is shown to reviewers: one module for each view, made of pictures, tables and bars."""
