"""The command `convlib`, also ``python -m convlib``. It needs typer, of the extra `cli`."""

import sys

__all__ = ["main"]

STOPPED = 130    # what shells expect of a process that was interrupted


def main():
    """Run the command line of this process, and end it.

    Returns
    -------
    None
        Never: the process ends with 0, with 1 where the work failed, with 2 where the command is
        not understood, or with 130 where it was interrupted.

    Examples
    --------
    >>> import sys
    >>> from unittest import mock
    >>> from convlib.cli import main
    >>> with mock.patch.object(sys, "argv", ["convlib", "--version"]):
    ...     main()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    SystemExit: 0
    """
    try:
        _app()(prog_name="convlib")
    except KeyboardInterrupt:
        print("Error: interrupted", file=sys.stderr)
        sys.exit(STOPPED)
    # What users may do wrong; anything else is a mistake of ours and shows where it is.
    except (ImportError, MemoryError, OSError, TypeError, ValueError) as error:
        sys.exit(f"Error: {error or type(error).__name__}")


def _app():
    """Return the application; what it is built with takes a moment to load."""
    try:
        from convlib._cli.app import app
    except ImportError as error:
        if error.name in ("typer", "rich"):
            raise ImportError(
                f"the command line needs {error.name}: pip install 'convlib[cli]'") from error
        raise
    return app
