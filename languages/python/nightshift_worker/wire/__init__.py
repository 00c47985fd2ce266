"""Protobuf by hand, for the messages in use; an app's own protobuf library is never met."""
