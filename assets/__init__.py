"""Data that ships with PEFT Studio: starter model, sample datasets, texts, fonts. It holds no logic."""
