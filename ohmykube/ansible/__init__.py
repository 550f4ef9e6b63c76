"""Running the collection's playbooks."""
