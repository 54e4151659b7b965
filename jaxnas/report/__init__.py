"""The drawing kit of all pages: HTML, SVG, figures, numbers as text. It knows no study."""
