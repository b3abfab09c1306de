"""Where the ``trapline`` command begins. Children of the fork server import this module: keep it empty."""


def main() -> None:
    """Run the command line."""
    from deploy.cli.app import run  # noqa: PLC0415 - children must not load the command line

    run()


if __name__ == "__main__":
    main()
