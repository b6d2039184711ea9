"""The parts behind `build/starter_model.py`: generated text, sample data, tokenizer, training, measuring, model card.

Nothing here knows the app; the app knows only the folders this package writes.
"""
