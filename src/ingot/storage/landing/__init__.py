"""The immutable landing store: objects, versions, units, quarantine, exports."""
