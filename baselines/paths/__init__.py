"""What diffusion and transport share: paths between data and noise, predictions, couplings."""
