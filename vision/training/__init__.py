"""Scripts that make the learned numbers beside the vision modules from rendered clips with known truth."""
