#!/bin/bash
# transformers and torch, as their own `generate` runs them.
. "$(dirname "$0")/environment.sh"
make_environment transformers
$pip install "transformers==5.23.0" "torch==2.13.0"
