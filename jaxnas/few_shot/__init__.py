"""Few-shot NAS: its stages, controls, judgement, files and page."""
