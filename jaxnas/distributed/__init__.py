"""K sub-supernets on whatever devices and processes there are: the only part that knows that there are several."""
