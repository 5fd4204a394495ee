"""The screens over the main one, one file each."""
