"""What programs get of a firm: JSON for its ERP, news to its address, calendars, and tables for people."""
