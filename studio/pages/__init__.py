"""One file per screen. A page knows the engine's words and the kit, and no other page's insides."""
