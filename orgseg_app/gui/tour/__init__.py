"""The guided tour: five steps on the real window, each beside what it speaks of."""
