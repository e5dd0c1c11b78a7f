"""The command line's verbs: each parses, calls one public function, and prints what it returns."""
