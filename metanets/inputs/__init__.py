"""What a metanet reads of nets."""
