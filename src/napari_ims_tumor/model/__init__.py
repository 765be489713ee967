"""The classifier: a linear model and a dilated CNN on one spectrum. torch lives here only."""
