"""The command `foldline`: what people and scripts type. Rendering lives here, rules do not."""
