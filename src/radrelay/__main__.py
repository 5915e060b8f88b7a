"""`python -m radrelay`: the same as the `radrelay` command."""

from radrelay.cli import main

if __name__ == "__main__":
    main()
