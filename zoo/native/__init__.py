"""C++ compiled at first use."""
