// The translation unit whose precompiled header all others reuse.
