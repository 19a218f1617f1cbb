"""What is wrong with the table: label leakage, and issues of labels, rows and columns. May import ``profile``."""
