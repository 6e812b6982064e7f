"""What several pictures are made of: checked input, tables, bars, labels, a blank page, a tree."""
