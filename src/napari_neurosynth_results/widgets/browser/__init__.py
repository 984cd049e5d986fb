"""The browser of results: links, maps, what is known of them."""
