"""What changes a project and makes it durable; behind the session, the one door."""
