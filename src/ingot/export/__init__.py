"""From rows to files of other systems, and the manifest by which they are written again."""
