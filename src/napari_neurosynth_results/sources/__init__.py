"""From a path, a link or an id to a `ResultSet`: all that asks disks and servers."""
