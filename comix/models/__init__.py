"""Pure torch: encoders, fusion, Closure-Lite."""
