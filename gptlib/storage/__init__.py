"""What a run or a trained model leaves in a folder, and how it is opened again."""
