"""The token stream of a response: [MS-TDS] 2.2.7."""
