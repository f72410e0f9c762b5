"""Many callbacks at the speed of the machine: schedules, a fast wire, counts; yields events."""
