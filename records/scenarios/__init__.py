"""What each scenario records, and the declarations of its figures; see docs/adding-a-scenario.md."""
