"""What every page is made of: the template engine, the style, the script, charts and small marks."""
