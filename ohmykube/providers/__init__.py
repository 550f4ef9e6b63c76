"""Where machines come from. A provider knows machines and ssh; it knows nothing of Kubernetes."""
