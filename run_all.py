"""The harness: runs suites of deep generative models and writes comparison tables.

python run_all.py            the quick suite
python run_all.py --help     everything else
"""

import sys

try:
    from dgmbench.benchmark.cli.main import main
except ModuleNotFoundError as missing:
    if (missing.name or "").split(".")[0] != "dgmbench":
        raise
    sys.exit("dgmbench is not installed here; run `make setup` and use .venv/bin/python.")

if __name__ == "__main__":
    main()
