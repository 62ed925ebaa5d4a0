"""The pages people see. Only this folder and the app module know Reflex."""
