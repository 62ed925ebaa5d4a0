"""The canvas on which orchestrators are drawn and watched. It knows no state of ours."""
