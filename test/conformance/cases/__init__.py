"""One module for each family of layers, losses, optimizers, files and models."""
