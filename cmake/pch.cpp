// Anchor for the precompiled header.
