"""How far rankings agree at best in one setting."""
