"""Objects looked over: what each is made of, how large it is, and what is odd about it."""
