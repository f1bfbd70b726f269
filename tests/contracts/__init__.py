"""The public contract: events, their decoding, schemas, examples, compatibility."""
