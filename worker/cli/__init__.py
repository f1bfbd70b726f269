"""The command line: what people do with the ledger. The commands only ask and print; the work is done below."""
