"""From files to arrays: the data root, downloads, formats, caches."""
