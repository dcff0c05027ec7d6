"""The registry owns workspaces, workflows, releases and the gallery: their streams and what they mean."""
