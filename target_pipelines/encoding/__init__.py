"""Records to calls: columns to fields, conversions, validation, message ids."""
