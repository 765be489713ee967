"""The story: open, look, paint, fit, overlay. No window is needed to tell it."""
