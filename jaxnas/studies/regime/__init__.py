"""In which setting supernets rank at all."""
