"""`python -m ohmykube`."""

from ohmykube.cli import main

if __name__ == "__main__":
    main()
