"""The run engine: walks graphs, journals every effect before it happens, and knows neither SQL nor the screen."""
