"""Images, and the training of the classifiers that judge them."""
