"""Where container images come from: registries, engines on this computer, and what lists them."""
