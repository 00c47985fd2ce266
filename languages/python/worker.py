"""What the functions host starts: python3 worker.py --functions-uri ..."""

import sys

if sys.version_info < (3, 11):
    sys.exit('LanguageWorkerConsoleLog[error] Python %d.%d is too old: Python apps need Python 3.11 or newer on this node'
             % sys.version_info[:2])

from nightshift_worker.main import main  # noqa: E402

if __name__ == '__main__':
    # Python put this folder first; apps must not find our tests and tools as modules of theirs. The package itself
    # stays importable through its own search path.
    del sys.path[0]
    main(sys.argv[1:])
