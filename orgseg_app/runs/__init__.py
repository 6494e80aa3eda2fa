"""What a run is: recipe, events, folder, snapshot, starting and stopping the job, comparing."""
